"""Converts the client's arguments to the arrays that a signature takes."""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from tfgans import checks
from tfgans.serving.client.rest_format import TensorInfo

# Names that are valid in HTTP and in gRPC.
_HEADER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Headers that the client sets.
_SET_HEADERS = {"accept", "content-length", "content-type", "transfer-encoding"}


def is_name(value: object) -> bool:
    """Returns whether `value` can be part of a URL as the name of a model or a label."""
    if not isinstance(value, str) or not value.isprintable() or set(value) & set("/\\:"):
        return False
    # A path segment ".." is the folder above.
    return bool(value.strip(". "))


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns `headers`, or raises ValueError without their values, which may be secret."""
    if not isinstance(headers, Mapping):
        raise ValueError(f"`headers` must be strings by name. Received: {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError(
                "The names of `headers` must be letters, digits, ., _ and -. Received: "
                f"{checks.short(name)}"
            )
        key = name.lower()
        if key in _SET_HEADERS or key.startswith("grpc-") or key.endswith("-bin"):
            raise ValueError(
                "`headers` must not contain what the client sets or gRPC reserves. Received: "
                f"{name!r}. Leave it out"
            )
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ValueError(
                f"The value of the header {name!r} must be a string of printable ASCII characters"
            )
    return dict(headers)


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
        texts = np.asarray(value, object)
        if not all(isinstance(text, str | bytes) for text in texts.ravel().tolist()):
            raise ValueError(f"`{name}` must be str or bytes. Received: {checks.short(value)}")
        return texts
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
