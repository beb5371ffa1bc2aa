"""Sources over arrays in memory: a single gather makes a batch, normalized after batching."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans.data.example_checks import check_dtype, check_pixels, check_range
from tfgans.data.indexed import IndexedSource, normalize
from tfgans.data.tables import to_numbers


class ArraySource(IndexedSource):
    """A source over an array held in memory, shuffled anew in every epoch.

    Args:
        array: Array `[n, ...]` of rank 2 or more. uint8 stays uint8 in memory and becomes
            `x / 127.5 - 1` in a batch. Floats, and vectors (rank 2) of other integers, become
            float32 and stay as they are; images (rank 4) must lie in [-1, 1] already. A pandas
            DataFrame is an array of its columns.
        labels: Int array `[n]`, or None (default). A conditional model needs them to be
            0, 1, ...
        class_names: Names of the classes 0, 1, ..., or None (default).
        flip: See `IndexedSource`.
        seed: Int. Decides the order. Default: 0.
        name: String for errors and reports. Default: `"array"`.

    Raises:
        ValueError: If the array is empty, of another type, not finite, or out of range, or when
            the labels do not fit it.
    """

    _parallel = tf.data.AUTOTUNE

    def __init__(
        self,
        array: Any,
        *,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        flip: bool = False,
        seed: int = 0,
        name: str = "array",
    ) -> None:
        values = check_values(to_numbers(array), name)
        check_pixels(values)
        self.dtype = values.dtype
        super().__init__(
            name=name,
            data_shape=values.shape[1:],
            num_examples=len(values),
            labels=labels,
            class_names=class_names,
            flip=flip,
            seed=seed,
        )
        # In host memory also where there is a GPU: batches are gathered on the host.
        with tf.device("CPU:0"):
            self._examples = tf.constant(values)

    @property
    def array(self) -> np.ndarray:
        """All examples as they are held: uint8 or float32 `[n, *data_shape]`, read-only."""
        return np.asarray(self._examples)

    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8 or float32."""
        return self.array[indices]

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1]."""
        return normalize(tf.gather(self._examples, indices))


def from_array(
    array: Any,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    flip: bool = False,
    seed: int = 0,
    name: str = "array",
) -> ArraySource:
    """Returns a source over an array of examples held in memory.

    Args:
        array: uint8 or float array `[n, ...]` of rank 2 or more. See `ArraySource`.
        labels: Int array `[n]`, or None (default).
        class_names: Names of the classes 0, 1, ..., or None (default).
        flip: Whether `batches` mirrors images left to right with probability 1/2. Defaults to
            False.
        seed: Int. Decides the order. Default: 0.
        name: String for errors and reports. Default: `"array"`.

    Raises:
        ValueError: See `ArraySource`.

    Example:

    >>> source = tfgans.data.from_array(np.zeros([100, 2], np.float32))
    >>> next(iter(source.batches(32))).shape
    TensorShape([32, 2])
    """
    return ArraySource(
        array, labels=labels, class_names=class_names, flip=flip, seed=seed, name=name
    )


def check_values(array: np.ndarray, name: str) -> np.ndarray:
    """Returns examples as uint8 or float32, or raises ValueError; see `ArraySource`."""
    if array.ndim < 2 or array.size == 0:
        raise ValueError(
            f"{name!r} must have examples along axis 0 and data along the others, none of them "
            f"empty. Received shape: {array.shape}. Reshape scalars to [n, 1]"
        )
    check_dtype(tf.as_dtype(array.dtype), array.shape[1:])
    return check_range(array, repr(name))
