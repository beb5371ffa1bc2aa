"""Limits the time of whole HTTP requests. The timeouts of sockets limit each read alone."""

import contextlib
import contextvars
import socket
import threading
from typing import Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_current: contextvars.ContextVar["Deadline | None"] = contextvars.ContextVar(
    "deadline", default=None
)


class Deadline:
    """Shuts down the connection of a request when its time is over.

    The pools in `POOLS` apply it to the request that runs within its `with` block.

    Args:
        seconds: Float, the time from the start of the `with` block.

    Attributes:
        is_over: Bool, whether the time was over before the end of the `with` block.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._replace(None)
        _current.reset(self._token)

    def watch(self, connected: socket.socket) -> None:
        """Shuts this connection down at the end, or at once if the time is over."""
        # A duplicate stays valid when TLS takes the socket over or urllib3 closes it.
        self._replace(socket.fromfd(connected.fileno(), connected.family, connected.type))

    def _replace(self, duplicate: socket.socket | None) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = duplicate
            if self.is_over:
                self._shut_down()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # The server has already closed it.
                self._socket.shutdown(socket.SHUT_RDWR)


def _watch(connected: socket.socket | None) -> None:
    deadline = _current.get()
    if deadline is not None and connected is not None:
        deadline.watch(connected)


class _Connection(HTTPConnection):
    """A connection whose requests end at the current deadline."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        _watch(connected)  # Before the handshake of TLS.
        return connected

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        _watch(self.sock)  # Of a connection that is used again.
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _TLSConnection(_Connection, HTTPSConnection):
    """See `_Connection`."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


# For `urllib3.PoolManager.pool_classes_by_scheme`.
POOLS = {"http": _Pool, "https": _TLSPool}
