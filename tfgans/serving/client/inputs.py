"""What a user gives the client, as the arrays that a signature takes."""

from typing import Any

import numpy as np

from tfgans import checks
from tfgans.serving.client.rest_format import TensorInfo


def is_name(value: Any) -> bool:
    """Returns whether a value can stand in an address as the name of a model or a label."""
    # Two dots would be the folder above.
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set("/\\:")
    return plain and bool(value.strip(". "))


def is_int(value: Any) -> bool:
    """Returns whether a value is an integer of Python or NumPy, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def ints(name: str, values: Any, dtype: str = "int64") -> np.ndarray:
    """Returns integers [n], one or more, as an array, or raises ValueError."""
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be ints [n], one or more. Received: {checks.short(values)}"
        )
    return converted(name, array, TensorInfo(dtype, (None,)))


def converted(name: str, value: Any, info: TensorInfo) -> np.ndarray:
    """Returns an input as an array of its type, or raises ValueError where numbers would change."""
    if info.dtype == "string":
        return np.asarray(value, object)
    array = np.asarray(value)
    dtype = np.dtype(info.dtype)
    kinds = "fiu" if dtype.kind == "f" else "iu" if dtype.kind in "iu" else dtype.kind
    fits = array.dtype.kind in kinds
    if fits and dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        fits = limits.min <= int(array.min()) and int(array.max()) <= limits.max
    if not fits:
        raise ValueError(f"`{name}` must be of {info.dtype}. Received: {checks.short(value)}")
    return array.astype(dtype)
