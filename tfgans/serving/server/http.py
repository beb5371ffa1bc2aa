"""What the small server needs of HTTP besides TF Serving's API: errors, and who may ask."""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tfgans.serving.client.rest_format import InvalidRequestError

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY_TIMEOUT_S = 60.0
# What runs may end; then connections are closed, well before Kubernetes kills after 30 s.
_SHUTDOWN_S = 20.0


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        OSError: If it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}:{port}: {error}. Choose another port or host"
        ) from error


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(application: web.Application, listening: socket.socket) -> None:
    """Serves until SIGINT or SIGTERM, and then ends the requests that run."""
    # Its stack traces of malformed HTTP; what fails in our own code is logged by that.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    web.run_app(
        application,
        sock=listening,
        print=None,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_S,
        handler_cancellation=True,  # nothing is computed for who has gone
    )


@web.middleware
async def errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answers every error as TF Serving does; what is not the caller's fault goes to the log."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge as error:
        return _error(error.status, f"{error.text}. Send less in one request")
    except web.HTTPException as error:
        own = error.text not in (None, f"{error.status}: {error.reason}")
        told = error.text if own else f"{error.reason}: {request.method} {request.path}"
        return _error(error.status, told, {"Allow": error.headers.get("Allow", "")})
    except InvalidRequestError as error:
        return _error(400, str(error))
    except (web.RequestPayloadError, ConnectionError) as error:
        return _error(400, f"the body cannot be read: {error}")
    except TimeoutError:
        return _error(408, f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s")
    except Exception:
        _log.exception("%s failed", request.path)
        return _error(500, "the server failed; its log tells more")


@web.middleware
async def from_this_machine(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuses other names of this machine (DNS rebinding), and pages of other sites."""
    try:
        host = request.url.host or ""
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"no address: {error}") from error
    origin = request.headers.get("Origin")
    local = host == "localhost" or host.replace(".", "").isdigit() or ":" in host
    if not local or origin not in (None, f"{request.scheme}://{request.host}"):
        raise web.HTTPForbidden(text=f"only this machine may ask, not {origin or host}")
    return await handler(request)


def _error(status: int, told: str | None, headers: Mapping[str, str] | None = None) -> web.Response:
    kept = {name: value for name, value in (headers or {}).items() if value}
    return web.json_response({"error": told}, status=status, headers=kept)
