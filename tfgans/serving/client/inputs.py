"""Converts the client's arguments to the arrays that a signature takes."""

import numpy as np
from numpy.typing import ArrayLike

from tfgans import checks
from tfgans.serving.client.rest_format import TensorInfo


def is_name(value: object) -> bool:
    """Returns whether `value` can be part of a URL as the name of a model or a label."""
    if not isinstance(value, str) or not value.isprintable() or set(value) & set("/\\:"):
        return False
    # A path segment ".." is the folder above.
    return bool(value.strip(". "))


def is_int(value: object) -> bool:
    """Returns whether `value` is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def ints(name: str, values: ArrayLike, dtype: str = "int64") -> np.ndarray:
    """Returns integers [n], n > 0, as an array, or raises ValueError."""
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be ints [n], one or more. Received: {checks.short(values)}"
        )
    return converted(name, array, TensorInfo(dtype, (None,)))


def converted(name: str, value: ArrayLike, info: TensorInfo) -> np.ndarray:
    """Returns `value` as an array of the input's dtype; floats are rounded to it.

    Raises:
        ValueError: If the values are of another kind or beyond the range of the dtype, or NumPy has
            no such dtype.
    """
    if info.dtype == "string":
        return np.asarray(value, object)
    array = np.asarray(value)
    try:
        dtype = np.dtype(info.dtype)
    except TypeError as error:
        raise ValueError(f"`{name}` is of {info.dtype}, which the client cannot send") from error
    kinds = "fiu" if dtype.kind == "f" else "iu" if dtype.kind in "iu" else dtype.kind
    fits = array.dtype.kind in kinds
    if fits and dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        fits = limits.min <= int(array.min()) and int(array.max()) <= limits.max
    if fits and dtype.kind == "f" and array.dtype.kind == "f":
        largest = np.abs(array[np.isfinite(array)]).max(initial=0.0)
        fits = largest <= np.finfo(dtype).max
    if not fits:
        raise ValueError(f"`{name}` must be of {info.dtype}. Received: {checks.short(value)}")
    return array.astype(dtype)
