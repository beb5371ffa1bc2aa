"""TensorFlow Serving's REST API for exported models, for development."""

import asyncio
import contextlib
import json
import logging
import math
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aiohttp import web

from tfgans import checks
from tfgans.serving.client.rest_format import (
    InvalidRequestError,
    inputs_from_json,
    joined_names,
)
from tfgans.serving.client.transport import VersionStatus
from tfgans.serving.server import http, metrics, replies
from tfgans.serving.server.addresses import Address, parse_address
from tfgans.serving.server.batching import Arrays, Batcher
from tfgans.serving.server.metrics import Metrics
from tfgans.serving.server.served_model import (
    ModelSet,
    ServedModel,
    UnknownLabelError,
    UnknownVersionError,
)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# JSON of more bytes is parsed and written outside the event loop.
_LARGE = 2**17
_PAGE = Path(__file__).with_name("explorer")
_JSON_SPACE = " \t\n\r"
_CONTENT_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Limits(NamedTuple):
    """The largest requests that a server takes.

    Attributes:
        body_bytes: Int, bytes of a request.
        rows: Int, rows of a request, and of a batch of requests.
        waiting_rows: Int of at least `rows`, rows that may wait for the model. A request without
            rows counts as `rows`.
    """

    body_bytes: int = 8 * 2**20
    rows: int = 1024
    waiting_rows: int = 16384


class Server:
    """Serves models by TensorFlow Serving's REST API, for development; see `tfgans serve`.

    It answers predict requests in rows and columns, status and metadata. It loads a new version
    beside the old version, which completes its requests. `/healthz` tells that the process runs,
    `/readyz` that it takes requests, and `/monitoring/prometheus/metrics` has TensorFlow Serving's
    metrics.

    Args:
        models: `ModelSet`.
        limits: `Limits`. Default: `Limits()`.
        poll_seconds: Float above 0, seconds between checks for new versions. Default: 1.
        ui: Bool, whether to serve the explorer at "/". Default: False.
        local: Bool, whether to refuse requests that come by another host name than this machine's
            or from the page of another site. Default: False.

    Raises:
        ValueError: If `limits` contradict each other.
    """

    def __init__(
        self,
        models: ModelSet,
        *,
        limits: Limits | None = None,
        poll_seconds: float = 1.0,
        ui: bool = False,
        local: bool = False,
    ) -> None:
        self._models = models
        self._limits = limits or Limits()
        self._poll_seconds = checks.positive("poll_seconds", poll_seconds)
        self._ui, self._local = ui, local
        if self._limits.waiting_rows < self._limits.rows:
            raise ValueError(
                "All rows of a request must be able to wait: expected `waiting_rows` of at least "
                f"`rows`. Received: {self._limits}"
            )
        self._waiting_rows = 0
        self._is_draining = False
        # A single thread: TensorFlow uses all cores.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        # By model and signature. A model that is dropped takes its batchers along.
        self._batchers: weakref.WeakKeyDictionary[ServedModel, dict[str, Batcher]] = (
            weakref.WeakKeyDictionary()
        )
        self._metrics = Metrics(lambda: self._waiting_rows)

    def application(self) -> web.Application:
        """Returns the application, for `aiohttp.web.run_app`."""
        application = web.Application(
            client_max_size=self._limits.body_bytes,
            middlewares=[http.errors_as_json, *[http.from_this_machine] * self._local],
        )
        router = application.router
        router.add_route("*", "/{v1:[vV]1}/{rest:.*}", self._answer)
        router.add_get("/healthz", self._healthz)
        router.add_get("/readyz", self._readyz)
        router.add_get(metrics.PATH, self._metrics_page)
        if self._ui:
            router.add_get("/explorer.json", self._explorer)
            for file in sorted(_PAGE.iterdir()):
                place = "/" if file.name == "index.html" else f"/{file.name}"
                router.add_get(place, _file_handler(file))
        application.cleanup_ctx.append(self._watching)
        return application

    def drain(self) -> None:
        """Makes `/readyz` answer 503, so that no further requests are sent here."""
        self._is_draining = True

    async def _watching(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._executor.shutdown()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            # Not in the thread of the model, so that requests continue.
            try:
                changed = await asyncio.to_thread(self._models.refresh)
            except Exception:
                _log.exception("new versions could not be looked for")
                continue
            for name in changed:
                versions = ", ".join(map(str, self._models.folders[name].models))
                _log.warning("serving %s version %s", name, versions)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Answers a request under /v1/, and counts it."""
        started, name, method = time.perf_counter(), "", ""
        status = 499  # Of a client that disconnects and gets no answer.

        async def dispatch(request: web.Request) -> web.Response:
            nonlocal name, method
            address = parse_address(request.method, request.rel_url.raw_path)
            # Names of models that are not served would fill the memory with metrics.
            name = address.model if address.model in self._models.folders else ""
            # TensorFlow Serving names the methods of POST requests only.
            method = address.method if address.method == "predict" else ""
            return await self._dispatch(request, address)

        try:
            reply = await http.errors_as_json(request, dispatch)
            status = reply.status
            return reply
        finally:
            self._metrics.count(name, status)
            if status == 200:
                self._metrics.time_request(name, method, time.perf_counter() - started)

    async def _dispatch(self, request: web.Request, address: Address) -> web.Response:
        if address.method == "status":
            return http.json_response(self._status(address))
        if address.method == "metadata":
            return http.json_response(self._metadata(address))
        async with asyncio.timeout(http.BODY_TIMEOUT_S):
            body = await request.read()
        is_large = len(body) > _LARGE
        parsed = await _in_thread_if(is_large, _parsed, body)
        signature, model = _signature_name(parsed), self._model(address)
        if signature not in model.signatures:
            raise InvalidRequestError(
                f"Serving signature name: {signature!r} not found in signature def. The signatures "
                f"are: {joined_names(model.signatures)}"
            )
        if address.method != "predict":
            _refuse_method(address.method, model.metadata[signature]["method_name"])
        info = model.signatures[signature]
        inputs = await _in_thread_if(is_large, inputs_from_json, parsed, info)
        media_type = replies.choose(request.headers.get("Accept", ""), info)
        outputs = await self._run(address.model, model, signature, inputs)
        size = sum(output.nbytes for output in outputs.values())
        as_rows = "instances" in parsed
        body = await _in_thread_if(size > _LARGE, replies.serialize, outputs, media_type, as_rows)
        return web.Response(body=body, content_type=media_type)

    async def _run(self, name: str, model: ServedModel, signature: str, inputs: Arrays) -> Arrays:
        if model.is_batchable(signature):
            rows = self._checked_rows(inputs)
            submit = self._batcher(name, model, signature).submit
            return await self._counted(rows, lambda: submit(inputs))
        loop = asyncio.get_running_loop()
        return await self._counted(
            self._limits.rows,
            lambda: loop.run_in_executor(
                self._executor, self._timed_run, name, model, signature, inputs
            ),
        )

    def _timed_run(self, name: str, model: ServedModel, signature: str, inputs: Arrays) -> Arrays:
        started = time.perf_counter()
        outputs = model.run(signature, inputs)
        self._metrics.time_run(name, time.perf_counter() - started)
        return outputs

    async def _counted(self, rows: int, run: Callable[[], Awaitable[Arrays]]) -> Arrays:
        """Runs a request, or refuses it if too many rows are waiting."""
        if self._waiting_rows + rows > self._limits.waiting_rows:
            raise web.HTTPServiceUnavailable(
                text=f"{self._waiting_rows} rows are waiting, of at most "
                f"{self._limits.waiting_rows}. Try again later"
            )
        self._waiting_rows += rows
        try:
            return await run()
        finally:
            self._waiting_rows -= rows

    def _checked_rows(self, inputs: Arrays) -> int:
        rows = {len(value) for value in inputs.values()}
        if len(rows) > 1:
            raise InvalidRequestError("All inputs must have the same number of rows")
        if max(rows) > self._limits.rows:
            raise InvalidRequestError(
                f"A request must have at most {self._limits.rows} rows. Received: {max(rows)}. "
                "Send more in several requests"
            )
        return max(rows)

    def _batcher(self, name: str, model: ServedModel, signature: str) -> Batcher:
        batchers = self._batchers.setdefault(model, {})
        if signature not in batchers:
            # Not a reference to the model, which keys the dictionary.
            owner = weakref.ref(model)

            def run(inputs: Arrays) -> Arrays:
                served = owner()
                if served is None:
                    raise RuntimeError(f"{name} was unloaded while a request was waiting")
                return self._timed_run(name, served, signature, inputs)

            batchers[signature] = Batcher(run, self._executor, max_rows=self._limits.rows)
        return batchers[signature]

    def _status(self, address: Address) -> dict[str, Any]:
        folder = self._models.folders.get(address.model)
        if folder is None:
            raise web.HTTPNotFound(text=f"Could not find any versions of model {address.model}")
        # TensorFlow Serving ignores the label here, also one that does not exist.
        statuses = [s for s in folder.status() if address.version in (None, s.version)]
        if not statuses:
            raise web.HTTPNotFound(
                text=f"Could not find version {address.version} of model {address.model}"
            )
        return {"model_version_status": [_status_json(status) for status in statuses]}

    def _metadata(self, address: Address) -> dict[str, Any]:
        model = self._model(address)
        spec = {"name": address.model, "signature_name": "", "version": str(model.version)}
        definitions = {"signature_def": {"signature_def": model.metadata}}
        return {"model_spec": spec, "metadata": definitions}

    async def _healthz(self, _: web.Request) -> web.Response:
        return http.json_response({"status": "running"})

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._is_draining:
            raise web.HTTPServiceUnavailable(text="the server is about to end")
        folders = self._models.folders
        versions = {name: list(folder.models) for name, folder in folders.items()}
        return http.json_response({"status": "ready", "versions": versions})

    async def _metrics_page(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.page(), headers={"Content-Type": metrics.CONTENT_TYPE}
        )

    async def _explorer(self, _: web.Request) -> web.Response:
        return http.json_response({"models": list(self._models.folders)})

    def _model(self, address: Address) -> ServedModel:
        folder = self._models.folders.get(address.model)
        if folder is None:
            raise web.HTTPNotFound(
                text=f"Servable not found for request: {address}. The models are: "
                f"{joined_names(self._models.folders)}"
            )
        try:
            return folder.model(address.version, address.label)
        except UnknownLabelError as error:
            raise InvalidRequestError(str(error)) from error
        except UnknownVersionError as error:
            versions = ", ".join(map(str, folder.models))
            raise web.HTTPNotFound(
                text=f"Servable not found for request: {address}. The versions are: {versions}"
            ) from error


async def _in_thread_if(large: bool, function: Callable[..., _T], *args: Any) -> _T:
    return await asyncio.to_thread(function, *args) if large else function(*args)


def _file_handler(file: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = file.read_text(encoding="utf-8")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            text=body, content_type=_CONTENT_TYPES[file.suffix], headers=_PAGE_HEADERS
        )

    return answer


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text:.40}, which is beyond the range of float64")
    return value


_DECODER = json.JSONDecoder(parse_float=_finite)


def _parsed(body: bytes) -> dict[str, Any]:
    """Returns the JSON object at the start of a body. Like TensorFlow Serving, ignores the rest."""
    try:
        request, _ = _DECODER.raw_decode(body.decode("utf-8-sig").lstrip(_JSON_SPACE))
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body must be JSON. Received: {error}") from error
    if not isinstance(request, dict):
        raise InvalidRequestError("The body must be a JSON object")
    return request


def _signature_name(request: Mapping[str, Any]) -> str:
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidRequestError(f"`signature_name` must be a string. Received: {name!r:.40}")
    return name or "serving_default"


def _refuse_method(method: str, received: str) -> None:
    """Refuses classify and regress as TensorFlow Serving does for signatures of predict."""
    expected = f"tensorflow/serving/{method}"
    if received != expected:
        raise InvalidRequestError(
            f"Expected a signature with the method {expected}. Received: {received}"
        )
    raise web.HTTPNotImplemented(text=f"tfgans serve does not run {method}")


def _status_json(status: VersionStatus) -> dict[str, Any]:
    code = {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error}
    return {"version": str(status.version), "state": status.state, "status": code}
