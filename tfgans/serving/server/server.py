"""TensorFlow Serving's REST API for an exported model, for development."""

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
from aiohttp import web

from tfgans import checks
from tfgans.serving.client.inputs import is_name
from tfgans.serving.client.rest_format import (
    InvalidRequestError,
    inputs_from_json,
    joined_names,
    reply_of,
)
from tfgans.serving.client.transport import VersionStatus
from tfgans.serving.server import http
from tfgans.serving.server.batching import Arrays, Batcher
from tfgans.serving.server.served_model import ModelFolder, ServedModel

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# JSON of more bytes is parsed and written outside the event loop.
_LARGE = 2**17
_PAGE = Path(__file__).with_name("explorer")
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
    """Serves a model by TensorFlow Serving's REST API, for development; see `bin/serve.py`.

    It answers predict requests in rows and columns, status and metadata, for the loaded version
    only. It loads a new version beside the old version, which completes its requests.

    Args:
        folder: `ModelFolder`.
        name: String, the model's name in URLs.
        limits: `Limits`. Default: `Limits()`.
        poll_seconds: Float above 0, seconds between checks for a new version. Default: 1.
        ui: Bool, whether to serve the explorer at "/". Default: False.
        local: Bool, whether to refuse requests that come by another host name than this machine's
            or from the page of another site. Default: False.

    Raises:
        ValueError: If the name cannot be part of a URL, or `limits` contradict each other.
    """

    def __init__(
        self,
        folder: ModelFolder,
        *,
        name: str,
        limits: Limits | None = None,
        poll_seconds: float = 1.0,
        ui: bool = False,
        local: bool = False,
    ) -> None:
        self._folder, self._name = folder, name
        self._limits = limits or Limits()
        self._poll_seconds = checks.positive("poll_seconds", poll_seconds)
        self._ui, self._local = ui, local
        if not is_name(name):
            raise ValueError(
                f"`name` must be plain text without /, \\ and :, as a part of URLs. Received: "
                f"{name!r}"
            )
        if self._limits.waiting_rows < self._limits.rows:
            raise ValueError(
                "All rows of a request must be able to wait: expected `waiting_rows` of at least "
                f"`rows`. Received: {self._limits}"
            )
        self._waiting_rows = 0
        # A single thread: TensorFlow uses all cores.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        # By version and signature.
        self._batchers: dict[tuple[int, str], Batcher] = {}

    def application(self) -> web.Application:
        """Returns the application, for `aiohttp.web.run_app`."""
        application = web.Application(
            client_max_size=self._limits.body_bytes,
            middlewares=[http.errors_as_json, *[http.from_this_machine] * self._local],
        )
        for pin in ("", "/versions/{version:[0-9]{1,19}}", "/labels/{label:[^/:]+}"):
            path = "/v1/models/{model:[^/:]+}" + pin
            application.router.add_get(path, self._status)
            application.router.add_get(f"{path}/metadata", self._metadata)
            application.router.add_post(f"{path}:predict", self._predict)
        if self._ui:
            application.router.add_get("/explorer.json", self._explorer)
            for file in sorted(_PAGE.iterdir()):
                place = "/" if file.name == "index.html" else f"/{file.name}"
                application.router.add_get(place, _file_handler(file))
        application.cleanup_ctx.append(self._watching)
        return application

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
            try:
                # Not in the thread of the model, so that requests continue.
                changed = await asyncio.to_thread(self._folder.refresh)
            except OSError as error:
                _log.error("%s cannot be read: %s", self._folder.path, error)
                continue
            if changed is not None:
                # Waiting requests keep the old batchers, and with them the old model.
                self._batchers.clear()
                _log.warning("serving version %d", changed.version)

    async def _predict(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(http.BODY_TIMEOUT_S):
            body = await request.read()
        parsed = await _in_thread_if(len(body) > _LARGE, _parsed, body)
        model = self._model(request)
        signature = parsed.get("signature_name") or "serving_default"
        if not isinstance(signature, str) or signature not in model.signatures:
            raise InvalidRequestError(
                f"The model has no signature {signature!r}, but: {joined_names(model.signatures)}"
            )
        info = model.signatures[signature]
        inputs = await _in_thread_if(len(body) > _LARGE, inputs_from_json, parsed, info)
        outputs = await self._run(model, signature, inputs)
        size = sum(output.nbytes for output in outputs.values())
        as_rows = "instances" in parsed
        reply = await _in_thread_if(size > _LARGE, _serialized, outputs, as_rows)
        return web.Response(body=reply, content_type="application/json")

    async def _run(self, model: ServedModel, signature: str, inputs: Arrays) -> Arrays:
        if model.is_batchable(signature):
            rows = self._checked_rows(inputs)
            submit = self._batcher(model, signature).submit
            return await self._counted(rows, lambda: submit(inputs))
        loop = asyncio.get_running_loop()
        return await self._counted(
            self._limits.rows if inputs else 1,
            lambda: loop.run_in_executor(self._executor, model.run, signature, inputs),
        )

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
        if not 1 <= max(rows) <= self._limits.rows:
            raise InvalidRequestError(
                f"A request must have from 1 to {self._limits.rows} rows. Received: {max(rows)}. "
                "Send more in several requests"
            )
        return max(rows)

    def _batcher(self, model: ServedModel, signature: str) -> Batcher:
        key = model.version, signature
        if key not in self._batchers:
            self._batchers[key] = Batcher(
                functools.partial(model.run, signature),
                self._executor,
                max_rows=self._limits.rows,
            )
        return self._batchers[key]

    async def _status(self, request: web.Request) -> web.Response:
        self._check_name(request)
        statuses = self._folder.status()
        if "version" in request.match_info:
            version = int(request.match_info["version"])
            statuses = [status for status in statuses if status.version == version]
        if not statuses or "label" in request.match_info:
            raise web.HTTPNotFound(text=f"Could not find {_servable(request)}")
        return web.json_response({"model_version_status": [_status_json(s) for s in statuses]})

    async def _metadata(self, request: web.Request) -> web.Response:
        model = self._model(request)
        spec = {"name": self._name, "signature_name": "", "version": str(model.version)}
        definitions = {"signature_def": {"signature_def": model.metadata}}
        return web.json_response({"model_spec": spec, "metadata": definitions})

    async def _explorer(self, _: web.Request) -> web.Response:
        return web.json_response({"model": self._name})

    def _check_name(self, request: web.Request) -> None:
        if request.match_info["model"] != self._name:
            raise web.HTTPNotFound(
                text=f"Servable not found for request: {_servable(request)}. The model is: "
                f"{self._name}"
            )

    def _model(self, request: web.Request) -> ServedModel:
        self._check_name(request)
        model, match = self._folder.current, request.match_info
        if "label" in match or int(match.get("version", model.version)) != model.version:
            raise web.HTTPNotFound(
                text=f"Servable not found for request: {_servable(request)}. The version is "
                f"{model.version}, without labels"
            )
        return model


async def _in_thread_if(large: bool, function: Callable[..., _T], *args: Any) -> _T:
    return await asyncio.to_thread(function, *args) if large else function(*args)


def _file_handler(file: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = file.read_text(encoding="utf-8")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            text=body, content_type=_CONTENT_TYPES[file.suffix], headers=_PAGE_HEADERS
        )

    return answer


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body must be JSON. Received: {error}") from error
    if not isinstance(request, dict):
        raise InvalidRequestError("The body must be a JSON object")
    return request


def _serialized(outputs: Mapping[str, np.ndarray], as_rows: bool) -> bytes:
    reply = reply_of(outputs, as_rows=as_rows)
    floats = [output for output in outputs.values() if output.dtype.kind == "f"]
    if all(np.isfinite(output).all() for output in floats):
        return orjson.dumps(reply, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY)
    # Unlike orjson, json writes NaN, as TensorFlow Serving does.
    return json.dumps(reply, default=_listed).encode()


def _listed(array: np.ndarray | np.generic) -> object:
    return array.tolist()


def _status_json(status: VersionStatus) -> dict[str, Any]:
    code = {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error}
    return {"version": str(status.version), "state": status.state, "status": code}


def _servable(request: web.Request) -> str:
    """Returns the model and version of a request, as in TensorFlow Serving's errors."""
    match = request.match_info
    if "version" in match:
        return f"Specific({match['model']}, {match['version']})"
    return f"Latest({match['model']})" if "label" not in match else f"label {match['label']!r}"
