"""TF Serving's REST API for one exported model, where TF Serving itself is not."""

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
    names,
    reply_of,
)
from tfgans.serving.client.transport import VersionStatus
from tfgans.serving.server import http
from tfgans.serving.server.batching import Batcher
from tfgans.serving.server.served_model import ModelFolder, ServedModel

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Arrays = dict[str, np.ndarray]
# Bytes from which on JSON is read and written outside the event loop.
_LARGE = 2**17
_PAGE = Path(__file__).with_name("explorer")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Limits(NamedTuple):
    """What a server takes.

    Attributes:
        body_bytes: Int, of a request.
        rows: Int, of a request, and of a batch of requests.
        waiting_rows: Int, rows that may wait for the model, at least `rows`. A request whose rows
            are not known counts for `rows`.
    """

    body_bytes: int = 8 * 2**20
    rows: int = 1024
    waiting_rows: int = 16384


class Server:
    """One model behind TF Serving's REST API, for development and small use; see `bin/serve.py`.

    It answers predict requests in rows and columns, status and metadata; of `/versions/V` the one
    that is loaded. A new version is loaded beside the old one, which finishes its requests.

    Args:
        folder: `ModelFolder`.
        name: String, the model's name in the addresses.
        limits: `Limits`. Default: `Limits()`.
        poll_seconds: Float, how often the folder is looked at. Default: 1.
        ui: Whether the explorer is served at "/". Default: False.
        local: Whether only this machine may ask. Then what a page of another site makes the
            browser send is refused. Default: False.

    Raises:
        ValueError: If the name cannot stand in an address, or the limits do not fit.
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
                f"`name` must be plain text without /, \\ and :, to stand in an address. Received: "
                f"{name!r}"
            )
        if self._limits.waiting_rows < self._limits.rows:
            raise ValueError(
                f"As many rows as a request has must be able to wait. Received: {self._limits}"
            )
        self._waiting_rows = 0
        # One at a time: TensorFlow itself uses all cores.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        # Those of the version that answers, by signature.
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
                # Not in the model's own thread: requests go on.
                changed = await asyncio.to_thread(self._folder.refresh)
            except OSError as error:
                _log.error("%s cannot be read: %s", self._folder.path, error)
                continue
            if changed is not None:
                # The old ones live as long as requests wait for them, and the old model with them.
                self._batchers.clear()
                _log.warning("serving version %d", changed.version)

    async def _predict(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(http.BODY_TIMEOUT_S):
            body = await request.read()
        # In the event loop, large requests would hold up all others.
        parsed = await _in_thread_if(len(body) > _LARGE, _parsed, body)
        model = self._model(request)
        signature = parsed.get("signature_name") or "serving_default"
        if not isinstance(signature, str) or signature not in model.signatures:
            raise InvalidRequestError(
                f"The model has no signature {signature!r}, but: {names(model.signatures)}"
            )
        info = model.signatures[signature]
        inputs = await _in_thread_if(len(body) > _LARGE, inputs_from_json, parsed, info)
        outputs = await self._run(model, signature, inputs)
        size = sum(one.nbytes for one in outputs.values())
        as_rows = "instances" in parsed
        reply = await _in_thread_if(size > _LARGE, _serialized, outputs, as_rows)
        return web.Response(body=reply, content_type="application/json")

    async def _run(
        self, model: ServedModel, signature: str, inputs: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        if model.is_batchable(signature):
            rows = self._checked_rows(inputs)
            running = self._batcher(model, signature).submit
            return await self._counted(rows, lambda: running(inputs))
        loop = asyncio.get_running_loop()
        return await self._counted(
            self._limits.rows if inputs else 1,
            lambda: loop.run_in_executor(self._executor, model.run, signature, inputs),
        )

    async def _counted(self, rows: int, run: Callable[[], Awaitable[_Arrays]]) -> _Arrays:
        if self._waiting_rows + rows > self._limits.waiting_rows:
            raise web.HTTPServiceUnavailable(
                text=f"{self._waiting_rows} rows are waiting, and {self._limits.waiting_rows} may. "
                "Try again later"
            )
        self._waiting_rows += rows
        try:
            return await run()
        finally:
            self._waiting_rows -= rows

    def _checked_rows(self, inputs: dict[str, np.ndarray]) -> int:
        rows = {len(value) for value in inputs.values()}
        if len(rows) > 1:
            raise InvalidRequestError("All inputs must have as many rows as each other")
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
        found = self._folder.status()
        if "version" in request.match_info:
            found = [one for one in found if one.version == int(request.match_info["version"])]
        self._check_name(request)
        if not found or "label" in request.match_info:
            raise web.HTTPNotFound(text=f"Could not find {_asked(request)}")
        told = [_status_json(one) for one in found]
        return web.json_response({"model_version_status": told})

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
                text=f"Servable not found for request: {_asked(request)}. Served is: {self._name}"
            )

    def _model(self, request: web.Request) -> ServedModel:
        self._check_name(request)
        model, asked = self._folder.current, request.match_info
        if "label" in asked or int(asked.get("version", model.version)) != model.version:
            raise web.HTTPNotFound(
                text=f"Servable not found for request: {_asked(request)}. Served is version "
                f"{model.version}, without labels"
            )
        return model


async def _in_thread_if(large: bool, function: Callable[..., _T], *args: Any) -> _T:
    return await asyncio.to_thread(function, *args) if large else function(*args)


def _file_handler(file: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = file.read_text(encoding="utf-8")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type=_TYPES[file.suffix], headers=_PAGE_HEADERS)

    return answer


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body must be JSON. Received: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequestError("The body must be a JSON object")
    return found


def _serialized(outputs: Mapping[str, np.ndarray], as_rows: bool) -> bytes:
    reply = reply_of(outputs, as_rows=as_rows)
    if all(np.isfinite(one).all() for one in outputs.values() if one.dtype.kind == "f"):
        return orjson.dumps(reply, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson has no NaN; this one writes it as TF Serving does.
    return json.dumps(reply, default=_listed).encode()


def _listed(array: np.ndarray | np.generic) -> Any:
    return array.tolist()


def _status_json(status: VersionStatus) -> dict[str, Any]:
    told = {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error}
    return {"version": str(status.version), "state": status.state, "status": told}


def _asked(request: web.Request) -> str:
    asked = request.match_info
    if "version" in asked:
        return f"Specific({asked['model']}, {asked['version']})"
    return f"Latest({asked['model']})" if "label" not in asked else f"label {asked['label']!r}"
