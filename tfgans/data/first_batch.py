"""Checks the types and the first batch of a dataset before training."""

import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfgans.data.batches import Batch, split_element
from tfgans.data.example_checks import check_dtype, check_pixels, check_range, check_shape, to_float
from tfgans.data.label_checks import check_labels, check_presence, checked_labels


class BatchSpec(NamedTuple):
    """What a model takes as a batch.

    Attributes:
        data_shape: Shape of one example, as the discriminator takes it.
        num_classes: Int of a conditional model, else None.
    """

    data_shape: tuple[int | None, ...]
    num_classes: int | None


def check_first_batch(dataset: tf.data.Dataset, spec: BatchSpec) -> int:
    """Returns the number of rows in the first batch of a dataset, which it reads and checks.

    Raises:
        ValueError: If the dataset does not fit the model, is empty, or begins with a batch that is
            not finite, out of range, or of other classes.
    """
    _check_spec(dataset, spec)
    first = next(iter(dataset.take(1).as_numpy_iterator()), None)
    if first is None:
        raise ValueError("The dataset is empty: expected at least one batch. Received: none")
    return check_batch_values(first, spec)


def check_batch_values(batch: np.ndarray | tuple[np.ndarray, ...], spec: BatchSpec) -> int:
    """Returns the number of rows in a NumPy batch, `x` or `(x, y)`, after checking its values.

    Raises:
        ValueError: See `check_first_batch`.
    """
    examples, labels = split_element(batch)
    check_dtype(tf.as_dtype(examples.dtype), spec.data_shape)
    check_shape(tf.TensorShape(examples.shape), spec.data_shape)
    if not examples.size:
        raise ValueError(
            "The dataset is empty: expected at least one example. Received: a first batch of none"
        )
    values = check_range(examples, "The first batch")
    check_pixels(values)
    if values.dtype == np.float32 and values.ndim == 4 and values.min() >= 0:
        warnings.warn(
            "Images are expected in [-1, 1], black at -1; the first batch lies in "
            f"[{values.min():.4g}, {values.max():.4g}]. If they were scaled to [0, 1], use "
            "`2 * x - 1`",
            stacklevel=5,
        )
    if spec.num_classes is not None and labels is not None:
        check_labels(np.atleast_1d(labels), len(examples), spec.num_classes)
    return len(examples)


def _check_spec(dataset: tf.data.Dataset, spec: BatchSpec) -> None:
    """Raises ValueError if the elements of a dataset are not batches for the model."""
    examples, labels = split_element(dataset.element_spec)
    if not isinstance(examples, tf.TensorSpec):
        raise ValueError(
            "A batch must be a tensor of examples, or a pair of it and labels. Received: "
            f"{dataset.element_spec}. Convert the elements with `dataset.map(...)`"
        )
    check_dtype(examples.dtype, spec.data_shape)
    check_shape(examples.shape, spec.data_shape)
    check_presence(labels, spec.num_classes)
    column = tf.TensorShape([None, 1])
    is_of_classes = labels is None or (
        isinstance(labels, tf.TensorSpec)
        and (labels.shape.rank in (None, 1) or column.is_compatible_with(labels.shape))
        and tf.as_dtype(labels.dtype).is_integer
    )
    if not is_of_classes:
        raise ValueError(
            "This model is conditional: each element of the dataset must be a pair of examples and "
            f"integer labels of shape [batch]. Received labels: {labels}. Convert them by "
            "`dataset.map`, for example one-hot labels with `tf.argmax(labels, axis=1)`"
        )


def standardize(dataset: tf.data.Dataset, spec: BatchSpec) -> tf.data.Dataset:
    """Returns the dataset as float32 [batch, *data_shape], or pairs of it and int32 labels [batch].

    uint8 is scaled to [-1, 1]. Unknown ranks and sizes are taken from `data_shape` by
    `tf.ensure_shape`; an element of another shape, and a label out of range, end in a
    `tf.errors.InvalidArgumentError` when they are read.
    """

    @tf.autograph.experimental.do_not_convert
    def convert(*parts: tf.Tensor) -> Batch:
        examples, labels = split_element(parts)
        examples = to_float(examples, spec.data_shape)
        if spec.num_classes is None:
            return examples
        return examples, checked_labels(labels, spec.num_classes)

    return dataset.map(convert)
