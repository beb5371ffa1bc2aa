"""Extractors: functions from examples to features, with a name and a checksum."""

import abc
import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks
from tfgans.copies import Copyable
from tfgans.images import from_uint8
from tfgans.metrics import arrays
from tfgans.reprs import SettingsRepr


class Features(NamedTuple):
    """The output of an extractor.

    Attributes:
        features: float32 [num, dim].
        probabilities: float32 [num, num_classes] of a classifier; None for other extractors.
    """

    features: np.ndarray
    probabilities: np.ndarray | None = None


class Extractor(SettingsRepr, Copyable, abc.ABC):
    """A fixed network that gives the features of metrics. Records hold its name and checksum.

    Subclasses write `extract`. Those that classify images of a single channel also set
    `num_classes`, for `classifier_mode_coverage`.

    Args:
        name: String, for the names of metrics: `frechet_distance[name]`.
        checksum: String, the SHA-256 of what decides the features; None if it is not known.
        resizing: String that describes the resizing of the examples. Default: "none".

    Call arguments:
        examples: Array [num, ...], images uint8 or in [-1, 1]. Returns `Features`.

    Raises:
        ValueError: If the name is empty or holds commas, brackets or line ends.

    Attributes:
        is_inception_2015: Whether results may be called FID, IS and KID.
        num_classes: Int, the classes that `probabilities` tells apart in images of a single
            channel; None, the default, if it does not.
        details: Dict of JSON values that records hold beside the name. Default: empty.
    """

    is_inception_2015 = False
    num_classes: int | None = None
    details: Mapping[str, Any] = MappingProxyType({})

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
        checksum = self.checksum and self.checksum[:16]
        return {"name": self.name, "checksum": checksum, "resizing": self.resizing}

    @abc.abstractmethod
    def extract(self, examples: np.ndarray) -> Features:
        """Returns the features of float32 examples [num, ...]; images lie in [-1, 1]."""

    def __call__(self, examples: Any) -> Features:
        """Returns checked features of examples [num, ...].

        Raises:
            ValueError: If images do not lie in [-1, 1], the features are not finite in float32 or
                not a row an example, or the probabilities do not sum to 1.
        """
        inputs = np.asarray(examples)
        inputs = from_uint8(inputs) if inputs.dtype == np.uint8 else inputs
        if inputs.ndim == 4:
            arrays.check_pixels("examples", inputs)
        features, probabilities = self.extract(inputs.astype(np.float32, copy=False))
        for name, rows in (("features", features), ("probabilities", probabilities)):
            if rows is not None and (rows.ndim != 2 or len(rows) != len(inputs)):
                raise ValueError(
                    f"The extractor {self.name!r} must give {name} [{len(inputs)}, dim]. Received "
                    f"shape: {rows.shape}"
                )
        with np.errstate(over="ignore"):  # Infinities are refused.
            features = features.astype(np.float32, copy=False)
        arrays.finite(f"features of {self.name}", features)
        if probabilities is not None:
            arrays.check_probabilities(f"probabilities of {self.name}", probabilities)
            probabilities = probabilities.astype(np.float32, copy=False)
        return Features(features, probabilities)

    def probabilities(self, images: Any) -> np.ndarray:
        """Returns float32 [num, num_classes] for images [num, height, width, 1].

        Raises:
            ValueError: If the extractor gives no probabilities of such images.
        """
        probabilities = self(images).probabilities
        if probabilities is None:
            raise ValueError(
                f"The extractor {self.name!r} gives probabilities of images with a single channel "
                f"at most. Received shape: {np.shape(images)}. `classifier_mode_coverage` "
                "classifies each channel separately"
            )
        return probabilities


class Identity(Extractor):
    """The examples themselves, flattened: for vectors, or for the pixels of images."""

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
        checksum: String, of what decides its result. Default: None; then `Record.compare` cannot
            tell whether two records have the same function, and warns.
        resizing: String that describes the resizing of the examples. Default: "none".

    Raises:
        ValueError: If `function` cannot be called.

    Example:

    >>> brightness = lambda images: images.mean(axis=(1, 2))
    >>> extractor = tfgans.evaluation.FunctionExtractor(brightness, name="brightness")
    >>> extractor(np.zeros([3, 8, 8, 1])).features.shape
    (3, 1)
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
                "An extractor must be a tfgans.evaluation.Extractor, for example "
                "`DigitsClassifier()`, or a function of examples. Received: "
                f"{checks.short(function)}"
            )
        default = getattr(function, "__name__", type(function).__name__)
        super().__init__(default if name is None else name, checksum=checksum, resizing=resizing)
        self._function = function

    def extract(self, examples: np.ndarray) -> Features:
        """Returns the output of the function."""
        result = self._function(examples)
        features, probabilities = result if isinstance(result, tuple) else (result, None)
        return Features(
            np.asarray(features), None if probabilities is None else np.asarray(probabilities)
        )


def as_extractor(extractor: Any) -> Extractor:
    """Returns an `Extractor`: `extractor` itself, a function wrapped, or `Identity` for None."""
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
