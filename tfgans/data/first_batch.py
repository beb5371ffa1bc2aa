"""Checks the types and the first batch of a dataset before training."""

import numpy as np
import tensorflow as tf

from tfgans.data.batches import Batch, split_element
from tfgans.data.example_checks import check_dtype, check_shape, check_values, to_float
from tfgans.data.label_checks import (
    check_label_range,
    checked_labels,
    refuse_labels,
    require_labels,
)


def check_first_batch(
    dataset: tf.data.Dataset, data_shape: tuple[int | None, ...], num_classes: int | None
) -> int:
    """Returns the number of rows in the first batch of a dataset, which it reads and checks.

    Args:
        dataset: Yields `x`, `(x,)` or `(x, y)`, of known or unknown shapes.
        data_shape: Shape of one example, as the discriminator takes it.
        num_classes: Int of a conditional model, else None.

    Raises:
        ValueError: If the dataset does not fit the model, is empty, or begins with a batch that is
            not finite, out of range, or of other classes.
    """
    check_spec(dataset, data_shape, num_classes)
    first = next(iter(dataset.take(1).as_numpy_iterator()), None)
    if first is None:
        raise ValueError("The dataset is empty: expected at least one batch. Received: none")
    return check_batch_values(first, data_shape, num_classes)


def check_batch_values(
    batch: np.ndarray | tuple[np.ndarray, ...],
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> int:
    """Returns the number of rows in a NumPy batch, `x` or `(x, y)`, after checking its values.

    Raises:
        ValueError: See `check_first_batch`.
    """
    examples, labels = split_element(batch)
    check_values(examples, data_shape)
    if not len(examples):
        raise ValueError(
            "The dataset is empty: expected at least one example. Received: a first batch of none"
        )
    if num_classes is not None and labels is not None:
        if labels.size != len(examples):
            raise ValueError(
                f"A batch must hold one label for each example. Received: {len(examples)} examples "
                f"and labels of shape {labels.shape}"
            )
        check_label_range(labels, num_classes)
    return len(examples)


def check_spec(
    dataset: tf.data.Dataset, data_shape: tuple[int | None, ...], num_classes: int | None
) -> None:
    """Raises ValueError if the elements of a dataset are not batches for the model."""
    examples, labels = split_element(dataset.element_spec)
    if not isinstance(examples, tf.TensorSpec):
        raise ValueError(
            "A batch must be a tensor of examples, or a pair of it and labels. Received: "
            f"{dataset.element_spec}. Convert the elements with `dataset.map(...)`"
        )
    check_dtype(examples.dtype, data_shape)
    check_shape(examples.shape, data_shape)
    if num_classes is None:
        refuse_labels(labels)
        return
    require_labels(labels, num_classes)
    column = tf.TensorShape([None, 1])
    is_of_classes = (
        isinstance(labels, tf.TensorSpec)
        and (labels.shape.rank in (None, 1) or column.is_compatible_with(labels.shape))
        and tf.as_dtype(labels.dtype).is_integer
    )
    if not is_of_classes:
        raise ValueError(
            "This model is conditional: each element of the dataset must be a pair of examples and "
            f"integer labels of shape [batch]. Received labels: {labels}"
        )


def standardize(
    dataset: tf.data.Dataset, data_shape: tuple[int | None, ...], num_classes: int | None
) -> tf.data.Dataset:
    """Returns the dataset as float32 [batch, *data_shape], or pairs of it and int32 labels [batch].

    uint8 is scaled to [-1, 1]. Unknown ranks and sizes are taken from `data_shape` by
    `tf.ensure_shape`; an element of another shape, and a label out of range, end in a
    `tf.errors.InvalidArgumentError` when they are read.

    Args:
        dataset: As `check_first_batch` accepts it.
        data_shape: Shape of one example.
        num_classes: Int of a conditional model, else None.
    """

    @tf.autograph.experimental.do_not_convert
    def convert(*parts: tf.Tensor) -> Batch:
        examples, labels = split_element(parts)
        examples = to_float(examples, data_shape)
        return examples if num_classes is None else (examples, checked_labels(labels, num_classes))

    return dataset.map(convert)
