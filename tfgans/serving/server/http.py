"""Listens, answers errors as JSON and restricts access, for the development server."""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tfgans.serving.client.rest_format import InvalidRequestError

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


def run(application: web.Application, listening: socket.socket) -> None:
    """Serves until SIGINT or SIGTERM, and then completes the running requests."""
    # Hides stack traces of malformed HTTP. `errors_as_json` logs the errors of handlers.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    web.run_app(
        application,
        sock=listening,
        print=None,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_S,
        handler_cancellation=True,  # Stops the work for clients that disconnect.
    )


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
        return _error(400, str(error))
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
    return web.json_response({"error": message}, status=status, headers=set_headers)
