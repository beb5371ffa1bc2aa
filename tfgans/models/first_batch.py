"""What a dataset holds, seen before training: its types, and the values of its first batch."""

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans.models.labels import refuse_strangers


def check_first_batch(
    dataset: tf.data.Dataset, data_shape: tuple[int | None, ...], num_classes: int | None
) -> int:
    """Returns the number of rows in the first batch of a dataset.

    Args:
        dataset: Of batches of examples; for a conditional model of pairs (examples, labels).
        data_shape: What the discriminator takes, without the batch axis.
        num_classes: Of a conditional model; else None.

    Raises:
        ValueError: If the dataset does not fit the model, is empty, or begins with a batch that is
            not finite, out of range, or of other classes.
    """
    spec = _examples_spec(dataset, num_classes)
    if not spec.dtype.is_floating:
        raise ValueError(
            f"Examples must be floats, images in [-1, 1]. Received: {spec.dtype.name}. "
            "For 8-bit images, use `tf.cast(x, tf.float32) / 127.5 - 1`"
        )
    if not tf.TensorShape([None, *data_shape]).is_compatible_with(spec.shape):
        raise ValueError(
            f"Batches must have the discriminator's input shape {(None, *data_shape)}. "
            f"Received: {tuple(spec.shape)}"
        )
    first = next(iter(dataset.take(1).as_numpy_iterator()), None)
    examples, labels = (first, None) if num_classes is None or first is None else first
    if examples is None or not len(examples):
        raise ValueError("The dataset is empty: expected at least one batch. Received: none")
    check_values(examples, data_shape)
    if labels is not None:
        refuse_strangers(labels, num_classes)
    return len(examples)


def check_values(batch: np.ndarray, data_shape: tuple[int | None, ...]) -> None:
    """Raises ValueError if examples do not fit, are not finite, or are images out of range."""
    if not tf.TensorShape([None, *data_shape]).is_compatible_with(batch.shape):
        raise ValueError(
            f"Batches must have the discriminator's input shape {(None, *data_shape)}. "
            f"Received: {batch.shape}"
        )
    bad = int(np.sum(~np.isfinite(batch)))
    if bad:
        raise ValueError(
            f"The data must be finite. Received: {bad} NaN or infinite values in the first batch"
        )
    low, high = float(batch.min()), float(batch.max())
    if len(data_shape) == 3 and (low < -1.001 or high > 1.001):
        raise ValueError(
            "Images must lie in [-1, 1]. "
            f"Received: [{low:.4g}, {high:.4g}] in the first batch. Rescale them: `x / 127.5 - 1`"
        )
    if len(data_shape) == 3 and low >= 0:
        warnings.warn(
            "Images are expected in [-1, 1], black at -1; the first batch lies in "
            f"[{low:.4g}, {high:.4g}]. If they were scaled to [0, 1], use `2 * x - 1`",
            stacklevel=5,
        )


def _examples_spec(dataset: tf.data.Dataset, num_classes: int | None) -> tf.TensorSpec:
    spec: Any = dataset.element_spec
    if num_classes is None:
        if not isinstance(spec, tf.TensorSpec):
            raise ValueError(
                "Each element of the dataset must be one batch of examples; labels are not taken. "
                f"Received elements: {spec}. Drop what is not an example with `dataset.map(...)`, "
                "or build the networks and the model with `num_classes`"
            )
        return spec
    fits = isinstance(spec, tuple) and len(spec) == 2
    fits = fits and all(isinstance(one, tf.TensorSpec) for one in spec)
    if not (fits and spec[1].dtype.is_integer and spec[1].shape.rank == 1):
        raise ValueError(
            "This model is conditional: each element of the dataset must be a pair of examples and "
            f"integer labels of shape [batch]. Received elements: {spec}. Say "
            "`source.batches(batch_size, labels=True)`"
        )
    return spec[0]
