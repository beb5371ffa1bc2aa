"""Checks of the arrays that metrics take: finite numbers, turned into float64."""

import math
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.images import from_uint8

# Float32 and half precision may round a little beyond 1.
LARGEST_PIXEL = 1.01
# Of half precision too.
_SUM_TOLERANCE = 1e-3


class NotFiniteError(ValueError):
    """Numbers are NaN or infinite: the model that gave them has diverged."""


def numbers(name: str, values: Any) -> np.ndarray:
    """Returns `values` as a float64 array, or raises ValueError."""
    try:
        array = np.asarray(values)
        if not np.iscomplexobj(array):
            return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers. Received: {checks.short(values)}, which "
            f"is not: {error}"
        ) from error
    raise ValueError(f"`{name}` must be an array of real numbers. Received: {array.dtype}")


def finite(name: str, values: Any, *, error: type[ValueError] = ValueError) -> np.ndarray:
    """Returns `values` as a float64 array without NaN and infinities, or raises `error`."""
    array = numbers(name, values)
    num_bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if num_bad:
        raise error(
            f"`{name}` must be finite. Received: {num_bad} NaN or infinite values of {array.size}. "
            "A model that gives them has diverged"
        )
    return array


def points(name: str, values: Any, *, at_least: int = 1, needed_by: str = "") -> np.ndarray:
    """Returns `values` as finite float64 [num, dim], or raises ValueError.

    Args:
        name: Of the argument.
        values: Array [num, dim].
        at_least: Int, the fewest rows.
        needed_by: What needs as many, for the error.
    """
    array = finite(name, values)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"`{name}` must have shape [num, dim], a row an example. Received shape: {array.shape}."
            " Flatten images first: `images.reshape(len(images), -1)`"
        )
    _check_count(name, len(array), at_least, needed_by)
    return array


def pair(
    real: Any, fake: Any, *, at_least: int = 1, needed_by: str = "", most: float = np.inf
) -> tuple[Any, Any]:
    """Returns two sets of points of the same dimension, as `points` does, or raises ValueError.

    Args:
        real: Array [num_real, dim].
        fake: Array [num_fake, dim].
        at_least: See `points`.
        needed_by: See `points`.
        most: Float, the largest magnitude that can be computed with.
    """
    first = points("real", real, at_least=at_least, needed_by=needed_by)
    second = points("fake", fake, at_least=at_least, needed_by=needed_by)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            "`real` and `fake` must have the same dimension. Received: "
            f"{first.shape[1]} and {second.shape[1]}. Take both from the same extractor"
        )
    largest = max(np.abs(first).max(), np.abs(second).max()) if most < np.inf else 0.0
    if largest > most:
        raise ValueError(
            f"`real` and `fake` must be at most {most:g} in size. Received: {largest:g}. Divide "
            "them by a common number"
        )
    return first, second


def scaled(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns both sets divided by a unit, and the unit: squares neither overflow nor vanish."""
    largest = max(float(np.abs(first).max()), float(np.abs(second).max()))
    # A power of two: the division is exact.
    unit = 2.0 ** (math.frexp(largest)[1] - 1) if largest else 1.0
    return first / unit, second / unit, unit


def images(name: str, values: Any, *, at_least: int = 1, needed_by: str = "") -> np.ndarray:
    """Returns `values` as finite float64 [num, height, width, channels] in [-1, 1], or raises.

    uint8 is mapped from {0, ..., 255} onto [-1, 1].
    """
    array = np.asarray(values)
    array = from_uint8(array, "float64") if array.dtype == np.uint8 else finite(name, array)
    if array.ndim != 4 or not array.size:
        raise ValueError(
            f"`{name}` must be images [num, height, width, channels]. Received shape: {array.shape}"
        )
    check_pixels(name, array)
    _check_count(name, len(array), at_least, needed_by)
    return array


def check_pixels(name: str, images: np.ndarray) -> None:
    """Raises ValueError if a pixel lies outside of [-1, 1]; NaN does not."""
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if max(-low, high) > LARGEST_PIXEL:
        raise ValueError(
            f"`{name}` must lie in [-1, 1], or be uint8. Received values in [{low:g}, {high:g}]. "
            "Rescale them: `x / 127.5 - 1`"
        )


def check_probabilities(name: str, rows: np.ndarray) -> None:
    """Raises ValueError unless each row [num, num_classes] is a distribution, within 1e-3."""
    sums = rows.sum(axis=1)
    wrong = (rows.min(axis=1) < -1e-6) | ~(np.abs(sums - 1) <= _SUM_TOLERANCE)
    bad = np.flatnonzero(wrong)
    if bad.size:
        raise ValueError(
            f"`{name}` must be at least 0 and sum to 1 in each row. Received: row {bad[0]} sums to "
            f"{sums[bad[0]]:g}, its least is {rows[bad[0]].min():g}; {bad.size} rows are wrong. "
            "Apply a softmax to logits"
        )


def _check_count(name: str, count: int, at_least: int, needed_by: str) -> None:
    if count < at_least:
        reason = f": {needed_by}" if needed_by else ""
        raise ValueError(
            f"`{name}` must have at least {at_least} examples{reason}. Received: {count}"
        )
