"""Arrays as `fit` and `evaluate` take them: NumPy, tensors, pandas, h5py, nested lists."""

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data.arrays import ArraySource
from tfgans.data.example_checks import check_dtype, check_shape
from tfgans.data.label_checks import check_labels, check_presence
from tfgans.data.tables import ArrayLike, to_array, to_numbers


class OrderedArraySource(ArraySource):
    """An array in its order: batch t holds the rows t * batch_size, ..., passes joined end to end.

    The arguments are those of `ArraySource`; the seed has no effect.
    """

    def _indices(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        return (step * batch_size + tf.range(batch_size, dtype=tf.int64)) % self.num_examples


def is_array_like(x: object) -> TypeGuard[ArrayLike]:
    """Returns whether `x` is an array, or a list or tuple that may be made one."""
    return isinstance(x, list | tuple) or hasattr(x, "__array__")


def to_examples(x: ArrayLike, data_shape: tuple[int | None, ...]) -> np.ndarray:
    """Returns examples as a NumPy array [num_examples, *data_shape], of their type.

    Args:
        x: NumPy array, `tf.Tensor`, pandas DataFrame or Series, nested list of numbers, list of
            arrays of equal shape (one for each example), or any of these arrays alone in a tuple
            or list, `(x,)`. An h5py dataset is read into memory as a whole, in the type that it
            has; pass a larger dataset as a `tf.data.Dataset`.
        data_shape: Shape of one example. Scalars get an axis for the shape (1,).

    Raises:
        ValueError: If it is no array of numbers, masked, of another shape, or of a type without a
            scale.
    """
    if isinstance(x, tuple | list):
        x = _from_sequence(x, data_shape)
    values = to_numbers(x)
    if values.ndim == 1 and data_shape == (1,):
        values = values[:, np.newaxis]
    check_dtype(tf.as_dtype(values.dtype), data_shape)
    if values.ndim == 0 or not values.size:
        raise ValueError(f"The data must hold at least one example. Received: shape {values.shape}")
    check_shape(tf.TensorShape([None, *values.shape[1:]]), data_shape)
    return values


def array_source(
    x: ArrayLike,
    y: ArrayLike | None,
    *,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
    shuffle: bool,
    seed: int,
) -> ArraySource:
    """Returns a source over arrays of examples and labels, which `shuffle` permutes in each pass.

    Raises:
        ValueError: If the examples or the labels do not fit the model; see `to_examples`.
    """
    examples = to_examples(x, data_shape)
    check_presence(y, num_classes)
    labels = None
    if y is not None:
        labels = check_labels(np.atleast_1d(to_array(y, "`y`")), len(examples), num_classes)
    source = ArraySource if shuffle else OrderedArraySource
    return source(examples, labels=labels, seed=seed)


def split_validation(
    x: ArrayLike,
    y: ArrayLike | None,
    fraction: float,
    *,
    data_shape: tuple[int | None, ...],
) -> tuple[tuple[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]:
    """Returns `(x, y)` to train on and `(x, y)` to validate on: the last rows, as in Keras.

    Args:
        x: Array of examples; see `to_examples`.
        y: Array of labels, or None.
        fraction: Float in (0, 1), the part of the array for validation.
        data_shape: Shape of one example.

    Raises:
        ValueError: If `x` is no array, `fraction` is out of range, or one of the parts would be
            empty.

    Example:

    >>> train, held_out = split_validation(np.zeros([10, 2]), None, 0.2, data_shape=(2,))
    >>> len(train[0]), len(held_out[0])
    (8, 2)
    """
    if not 0 < checks.positive("validation_split", fraction) < 1:
        raise ValueError(
            f"`validation_split` must be a fraction between 0 and 1. Received: {fraction}"
        )
    if not is_array_like(x):
        raise ValueError(
            f"`validation_split` is for arrays only. Received: x of type {type(x).__name__}. Pass "
            "`validation_data`"
        )
    examples = to_examples(x, data_shape)
    labels = None if y is None else to_array(y, "`y`")
    if labels is not None and len(labels) != len(examples):
        raise ValueError(
            f"`y` must hold one label for each example. Received: {len(examples)} examples and "
            f"{len(labels)} labels"
        )
    first = math.floor(len(examples) * (1.0 - fraction))
    if first in (0, len(examples)):
        raise ValueError(
            "`validation_split` must leave examples for training and for validation. Received: "
            f"{fraction} of {len(examples)} examples. Pass more data, or another fraction"
        )
    return (
        (examples[:first], None if labels is None else labels[:first]),
        (examples[first:], None if labels is None else labels[first:]),
    )


def _from_sequence(x: Sequence, data_shape: tuple[int | None, ...]) -> ArrayLike:
    """Returns the array in `(x,)`, or the array of a list of examples."""
    kind = type(x).__name__
    if not x:
        raise ValueError(f"The data must hold at least one example. Received: an empty {kind}")
    try:
        rank = np.ndim(x[0])
        if rank == len(data_shape) + 1:
            if len(x) == 1:
                return x[0]
            raise ValueError(
                f"`x` must be one array of examples. Received: a {kind} of {len(x)} arrays of rank "
                f"{rank}. Pass labels as `y`, or join the arrays with `np.concatenate`"
            )
        return np.stack([to_numbers(example) for example in x])
    except ValueError as error:
        if "shape" not in str(error):
            raise
        raise ValueError(
            f"The examples in a {kind} must be arrays of equal shape. Received: {len(x)} entries, "
            "some of which differ"
        ) from None
