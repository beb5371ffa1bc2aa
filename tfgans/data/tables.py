"""Arrays and tables as NumPy arrays: what would be lost or has no numbers is refused by name."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import tensorflow as tf

_NUM_LISTED = 5


class SupportsArray(Protocol):
    """A value that NumPy converts to an array: a tensor, pandas DataFrame, h5py dataset, ..."""

    def __array__(self) -> np.ndarray:
        """Returns the values as an array."""
        ...


@runtime_checkable
class Table(SupportsArray, Protocol):
    """A pandas DataFrame, or the like: columns with names and types."""

    columns: Sequence[Any]
    dtypes: Iterable[Any]


ArrayLike: TypeAlias = np.ndarray | tf.Tensor | SupportsArray | Sequence


def to_array(x: ArrayLike, name: str) -> np.ndarray:
    """Returns values as a NumPy array of their type.

    Raises:
        ValueError: If values are masked; the error calls them `name`.
    """
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ValueError(
            f"{name} must not be masked: all values are used. Received: a masked array with "
            f"{np.ma.count_masked(x)} masked values of {x.size}. Replace them, for example with "
            "`x.filled(0)`"
        )
    return np.asarray(x)


def to_numbers(x: ArrayLike) -> np.ndarray:
    """Returns examples as a NumPy array of numbers of their type.

    Raises:
        ValueError: If values are masked or not numbers, or a DataFrame holds NaN or infinite
            values; the error names the columns.
    """
    values = to_array(x, "Examples")
    if values.dtype.kind in "OSUMm" or values.dtype.names:
        received = f"{type(x).__name__} of type {values.dtype}"
        advice = "Convert them with `x.astype('float32')`"
        if isinstance(x, Table):
            columns = [
                f"{column!r} ({dtype})"
                for column, dtype in zip(x.columns, x.dtypes, strict=True)
                if not isinstance(dtype, np.dtype) or dtype.kind not in "iuf"
            ]
            received += _in_columns(columns)
            advice = (
                "Drop or encode columns of text, and convert the rest with `df.astype('float32')`"
            )
        raise ValueError(f"Examples must be numbers. Received: {received}. {advice}")
    if isinstance(x, Table) and values.dtype.kind == "f":
        num_bad = np.count_nonzero(~np.isfinite(values), axis=0)
        if num_bad.any():
            columns = [f"{x.columns[place]!r} ({num_bad[place]})" for place in num_bad.nonzero()[0]]
            raise ValueError(
                "Examples must be finite. Received: DataFrame with NaN or infinite values"
                f"{_in_columns(columns)}. Leave out their rows with `df.dropna()`, or replace "
                "them, for example with `df.fillna(df.mean())`"
            )
    return values


def _in_columns(columns: Sequence[str]) -> str:
    more = ", ..." if len(columns) > _NUM_LISTED else ""
    return f" in the columns {', '.join(columns[:_NUM_LISTED])}{more}"
