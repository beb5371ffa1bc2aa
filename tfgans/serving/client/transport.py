"""What the client says to a server, whatever the wire: requests, replies and errors."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from tfgans.serving.client.rest_format import SignatureInfo


class ServingError(OSError):
    """The server was reached, and refused or failed.

    Attributes:
        code: The HTTP status, say "404", or the name of the gRPC code, say "NOT_FOUND".
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class VersionStatus(NamedTuple):
    """One version of a model on a server.

    Attributes:
        version: Int.
        state: String, "AVAILABLE" if it answers; else "START", "LOADING", "UNLOADING" or "END".
        error: String, why it is not available; empty if nothing went wrong.
    """

    version: int
    state: str
    error: str


class Metadata(NamedTuple):
    """What a server says of a model.

    Attributes:
        version: Int, the version that answers.
        signatures: `SignatureInfo` by name.
    """

    version: int
    signatures: dict[str, SignatureInfo]


class Transport(Protocol):
    """One way to a model on a server.

    All methods raise `ConnectionError` if a request did not get through, `TimeoutError` if the
    answer does not come in time, and `ServingError` if it is an error.
    """

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        info: SignatureInfo,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by name, of `version` instead of what the client is pinned to."""
        ...

    def status(self) -> list[VersionStatus]:
        """Returns the versions of the model."""
        ...

    def metadata(self) -> Metadata:
        """Returns the version and its signatures."""
        ...

    def close(self) -> None:
        """Closes the connections."""
        ...
