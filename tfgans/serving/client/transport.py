"""The interface of the client to a server, independent of the protocol."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from tfgans.serving.client.rest_format import SignatureInfo

_T = TypeVar("_T")
# What parsing raises on a reply that is not TensorFlow Serving's.
_PARSE_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration)


class ServingError(OSError):
    """The server was reached, but refused the request or failed.

    Attributes:
        code: The HTTP status, say "404", or the name of the gRPC code, say "NOT_FOUND".
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def parsed(server: str, code: str, parse: Callable[[], _T]) -> _T:
    """Returns the result of `parse`, or raises ServingError if it fails.

    Args:
        server: String, the server's address, for the error.
        code: String, the code of the reply.
        parse: Function without arguments that parses the reply.
    """
    try:
        return parse()
    except _PARSE_ERRORS as error:
        raise ServingError(
            f"{server} did not answer as TF Serving does: {error!r}", code=code
        ) from error


class RequestSettings(NamedTuple):
    """What all requests of a client have in common.

    Attributes:
        model: String, the model's name.
        version: Int or None, the version to ask.
        version_label: String or None, the version label to ask.
        timeout: Float, seconds for a request and its reply.
        headers: Headers (gRPC: metadata) by name.
    """

    model: str
    version: int | None
    version_label: str | None
    timeout: float
    headers: Mapping[str, str]


class VersionStatus(NamedTuple):
    """The state of a version on a server.

    Attributes:
        version: Int.
        state: String, "AVAILABLE", "START", "LOADING", "UNLOADING" or "END".
        error: String, the reason if the version is not available, else empty.
    """

    version: int
    state: str
    error: str


class Metadata(NamedTuple):
    """The signatures of a served model.

    Attributes:
        version: Int, the version that answers.
        signatures: `SignatureInfo` by name.
    """

    version: int
    signatures: dict[str, SignatureInfo]


class Transport(Protocol):
    """A connection to a model on a server.

    All methods raise `ConnectionError` if there is no whole reply, `TimeoutError` if
    the reply comes too late, and `ServingError` if the reply is an error or does not match the
    signature.

    Attributes:
        ok: String, the code of replies that are no errors.
    """

    ok: str

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        info: SignatureInfo,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by name, of `version` if set, else of the client's version."""
        ...

    def status(self) -> list[VersionStatus]:
        """Returns the versions of the model."""
        ...

    def metadata(self) -> Metadata:
        """Returns the version that answers, and its signatures."""
        ...

    def close(self) -> None:
        """Closes the connections."""
        ...
