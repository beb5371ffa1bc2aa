"""Listens, answers errors as JSON and restricts access, for the development server."""

import asyncio
import ipaddress
import json
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tfgans.serving.client.rest_format import InvalidRequestError, UnsupportedTypeError

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY_TIMEOUT_S = 60.0
# The time for running requests after SIGTERM. Kubernetes kills after 30 s.
_SHUTDOWN_S = 20.0


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket.

    Raises:
        OSError: If the host or the port is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}:{port}: {error}. Choose another port or host"
        ) from error


def is_loopback(host: str) -> bool:
    """Returns whether an address to listen on is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(
    application: web.Application,
    listening: socket.socket,
    *,
    drain: Callable[[], None],
    drain_seconds: float,
    access_log: bool,
) -> None:
    """Serves until SIGINT or SIGTERM, and then gives running requests 20 s to complete.

    Args:
        application: The application.
        listening: The socket.
        drain: Called on SIGTERM.
        drain_seconds: Float, seconds from SIGTERM until the server takes no further requests, in
            which a load balancer can notice that it is not ready.
        access_log: Bool, whether to log a line for each request.
    """
    # Hides stack traces of malformed HTTP. `errors_as_json` logs the errors of handlers.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    requests = logging.getLogger("aiohttp.access")
    requests.setLevel(logging.INFO)

    async def drain_on_sigterm(_: web.Application) -> None:
        loop = asyncio.get_running_loop()

        draining = False

        def on_sigterm() -> None:
            nonlocal draining
            if not draining:  # A second signal must not cut the requests that are being finished.
                draining = True
                drain()
                loop.call_later(drain_seconds, _end)

        # In place of aiohttp's handler, which ends at once.
        loop.add_signal_handler(signal.SIGTERM, on_sigterm)

    application.on_startup.append(drain_on_sigterm)
    web.run_app(
        application,
        sock=listening,
        print=None,
        access_log=requests if access_log else None,
        access_log_format='%a "%r" %s %b bytes %D us',
        shutdown_timeout=_SHUTDOWN_S,
        handler_cancellation=True,  # Stops the work for clients that disconnect.
    )


def _end() -> None:
    raise web.GracefulExit


def json_response(value: object, status: int = 200, **headers: str) -> web.Response:
    """Returns a reply in JSON; as in TensorFlow Serving, its type has no charset."""
    body = json.dumps(value).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


@web.middleware
async def errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answers errors as TensorFlow Serving does, and logs those that a request did not cause."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge as error:
        return _error(error.status, f"{error.text}. Send less in one request")
    except web.HTTPException as error:
        is_default = error.text in (None, f"{error.status}: {error.reason}")
        message = f"{error.reason}: {request.method} {request.path}" if is_default else error.text
        return _error(error.status, message, {"Allow": error.headers.get("Allow", "")})
    except InvalidRequestError as error:
        return _error(501 if isinstance(error, UnsupportedTypeError) else 400, str(error))
    except (web.RequestPayloadError, ConnectionError) as error:
        return _error(400, f"the body cannot be read: {error}")
    except TimeoutError:
        return _error(408, f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s")
    except Exception:
        _log.exception("%s failed", request.path)
        return _error(500, "the server failed; see its log")


@web.middleware
async def from_this_machine(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuses requests by other host names (DNS rebinding) and from pages of other sites."""
    try:
        host = request.url.host or ""
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"the request has no valid address: {error}") from error
    origin = request.headers.get("Origin")
    local = host == "localhost" or host.replace(".", "").isdigit() or ":" in host
    if not local or origin not in (None, f"{request.scheme}://{request.host}"):
        raise web.HTTPForbidden(text=f"only this machine has access, not {origin or host}")
    return await handler(request)


def _error(
    status: int, message: str | None, headers: Mapping[str, str] | None = None
) -> web.Response:
    set_headers = {name: value for name, value in (headers or {}).items() if value}
    return json_response({"error": message}, status, **set_headers)
