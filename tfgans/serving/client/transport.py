"""The interface of the client to a server, independent of the protocol."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from tfgans.serving.client.rest_format import SignatureInfo


class ServingError(OSError):
    """The server was reached, but refused the request or failed.

    Attributes:
        code: The HTTP status, say "404", or the name of the gRPC code, say "NOT_FOUND".
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


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
    the reply comes too late, and `ServingError` if the reply is an error.
    """

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
