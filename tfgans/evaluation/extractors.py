"""What turns examples into features, and says which network and which resizing did it."""

import abc
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks
from tfgans.copies import Copyable
from tfgans.metrics import arrays
from tfgans.reprs import SettingsRepr


class Features(NamedTuple):
    """What an extractor says of some examples.

    Attributes:
        features: float32 [num, dim].
        probabilities: float32 [num, num_classes], of a classifier; else None.
    """

    features: np.ndarray
    probabilities: np.ndarray | None = None


class Extractor(SettingsRepr, Copyable, abc.ABC):
    """A fixed network that metrics look through. Its name and checksum stand beside each number.

    Subclasses write `extract`.

    Args:
        name: String, for the names of metrics: `frechet_distance[name]`.
        checksum: String, the SHA-256 of what decides the features; None when it is not known.
        resizing: String, what is done to the examples first.

    Raises:
        ValueError: If the name is empty or holds commas, brackets or line ends.

    Attributes:
        is_inception_2015: Whether results may be called FID, IS and KID.
    """

    is_inception_2015 = False

    def __init__(self, name: str, *, checksum: str | None, resizing: str = "none") -> None:
        if not name or set(name) & set(",[]\n"):
            raise ValueError(
                f"An extractor's name must not be empty or hold commas, brackets or line ends. "
                f"Received: {name!r}"
            )
        self.name = name
        self.checksum = checksum
        self.resizing = resizing

    def _settings(self) -> dict[str, Any]:
        known = {"name": self.name, "checksum": self.checksum and self.checksum[:16]}
        return {**known, "resizing": self.resizing}

    @abc.abstractmethod
    def extract(self, examples: np.ndarray) -> Features:
        """Returns the features of float32 examples [num, ...]; images lie in [-1, 1]."""

    def __call__(self, examples: Any) -> Features:
        """Returns checked features of examples [num, ...].

        Raises:
            ValueError: If the features are not finite, or not a row an example.
        """
        given = np.asarray(examples)
        given = given / np.float32(127.5) - 1 if given.dtype == np.uint8 else given
        features, probabilities = self.extract(given.astype(np.float32, copy=False))
        for what, rows in (("features", features), ("probabilities", probabilities)):
            if rows is not None and (rows.ndim != 2 or len(rows) != len(given)):
                raise ValueError(
                    f"The extractor {self.name!r} must give {what} [{len(given)}, dim]. Received "
                    f"shape: {rows.shape}"
                )
        arrays.finite(f"features of {self.name}", features)
        return Features(
            features.astype(np.float32, copy=False),
            None if probabilities is None else probabilities.astype(np.float32, copy=False),
        )


class Identity(Extractor):
    """The examples themselves, flattened: for vectors, or as the plainest look at images."""

    def __init__(self) -> None:
        super().__init__("identity", checksum="none")

    def extract(self, examples: np.ndarray) -> Features:
        """Returns the examples, flattened."""
        return Features(examples.reshape(len(examples), -1))


class FunctionExtractor(Extractor):
    """Any function of examples as an extractor.

    Args:
        function: Callable, float32 examples [num, ...] -> features [num, dim], or a pair (features,
            probabilities [num, num_classes]).
        name: String. Default: the function's name.
        checksum: String, of what decides its result. Default: None; then `compare` cannot tell
            whether two records saw the same function, and warns.
        resizing: String, what it does to the examples' size. Default: "none".

    Raises:
        ValueError: If `function` cannot be called.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        *,
        name: str | None = None,
        checksum: str | None = None,
        resizing: str = "none",
    ) -> None:
        if not callable(function):
            raise ValueError(
                "An extractor is a tfgans.evaluation.Extractor, say `DigitsClassifier()`, or a "
                f"function of examples. Received: {checks.short(function)}"
            )
        own = getattr(function, "__name__", type(function).__name__)
        super().__init__(own if name is None else name, checksum=checksum, resizing=resizing)
        self._function = function

    def extract(self, examples: np.ndarray) -> Features:
        """Returns what the function says."""
        result = self._function(examples)
        features, probabilities = result if isinstance(result, tuple) else (result, None)
        return Features(
            np.asarray(features), None if probabilities is None else np.asarray(probabilities)
        )


def as_extractor(extractor: Any) -> Extractor:
    """Returns an `Extractor`: the one given, a function wrapped, or `Identity` for None."""
    if extractor is None:
        return Identity()
    return extractor if isinstance(extractor, Extractor) else FunctionExtractor(extractor)


def checksum(arrays_in_order: Iterable[Any]) -> str:
    """Returns the SHA-256 of arrays: of their types, shapes and bytes, in their order."""
    digest = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays_in_order):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
