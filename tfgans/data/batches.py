"""The parts of a batch, and the layout of the batches of a training step.

A batch is examples, or a pair (examples, labels) for a conditional model. The element that a train
step takes holds `discriminator_steps` batches along axis 1: axis 0 stays the batch, so that
`tf.distribute` shares it out among replicas by examples.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data.example_checks import check_dtype, to_float
from tfgans.data.label_checks import check_presence, checked_labels

Array: TypeAlias = np.ndarray | tf.Tensor
Batch: TypeAlias = tf.Tensor | tuple[tf.Tensor, tf.Tensor]


def split_element(element: Array | Sequence[Array | None]) -> tuple[Array, Array | None]:
    """Returns the examples and the labels (or None) of what a user's dataset yields.

    Args:
        element: `x`, `(x,)`, `(x, y)` or `(x, y, None)`; also their `tf.TensorSpec`s.

    Raises:
        ValueError: If it is none of these, or holds sample weights.
    """
    if isinstance(element, Mapping):
        raise ValueError(
            "A batch must be examples, or a pair (examples, labels). Received: a dictionary with "
            f"the keys {sorted(map(str, element))}. Select the entries with `dataset.map(...)`"
        )
    parts = tuple(element) if isinstance(element, tuple | list) else (element,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            f"A batch must be examples, or a pair (examples, labels). Received: {len(parts)} parts"
        )
    examples, labels, weights = (*parts, None, None)[:3]
    refuse_weights(sample_weight=weights)
    return examples, labels


def refuse_weights(**weights: Array | Mapping[int, float] | None) -> None:
    """Raises ValueError if `sample_weight` or `class_weight` is not None."""
    for name, value in weights.items():
        if value is not None:
            raise ValueError(
                f"`{name}` is not supported: the players' losses are means over real and generated "
                f"examples, with no weight for each real one. Received: {name} of type "
                f"{type(value).__name__}. Draw examples with a larger weight more often, "
                "for example with `tf.data.Dataset.sample_from_datasets`"
            )


def unpack_batch(
    batch: Array | Sequence[Array | None],
    *,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the examples and labels of what Keras passes to `test_step`; see `split_element`.

    They are float32 [batch, *data_shape], uint8 scaled to [-1, 1], and int32 [batch], or None
    without `num_classes`.

    Raises:
        ValueError: If there are sample weights, or labels against `num_classes`, or the examples
            are of another type or shape.
    """
    examples, labels = _unpack(batch, data_shape, num_classes)
    return to_float(examples, data_shape), labels


def batches_of_step(
    element: Array | Sequence[Array | None],
    *,
    discriminator_steps: int,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> Callable[[int | tf.Tensor], tuple[tf.Tensor, tf.Tensor | None]]:
    """Returns a function of a discriminator update's index to its examples and labels.

    Args:
        element: What Keras passes to `train_step`: [batch, discriminator_steps, *data_shape], or
            a pair of it and labels [batch, discriminator_steps]. With one discriminator step also
            a plain batch, as `train_on_batch` passes it.
        discriminator_steps: Int of at least 1.
        data_shape: See `unpack_batch`, as for `num_classes` and the results of the function.
        num_classes: See `unpack_batch`.

    Raises:
        ValueError: If the element does not hold `discriminator_steps` batches, or see
            `unpack_batch`.

    Example:

    ```python
    with after_data(data):
        batch = batches_of_step(data, discriminator_steps=5, data_shape=(8, 8, 1), num_classes=None)
        real, labels = batch(0)
    ```
    """
    # Checked again, and converted to float: `train_on_batch` does not pass through `fit`.
    examples, labels = _unpack(element, data_shape, num_classes)
    if len(examples.shape) == len(data_shape) + 1 and discriminator_steps == 1:
        examples = to_float(examples, data_shape)
        return lambda _: (examples, labels)
    if len(examples.shape) != len(data_shape) + 2 or examples.shape[1] != discriminator_steps:
        raise ValueError(
            "A training step takes real examples of shape [batch, discriminator_steps, ...] = "
            f"[batch, {discriminator_steps}, ...]. Received: {tuple(examples.shape)}. "
            "`fit` makes them from plain batches"
        )

    def batch(index: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        labels_of_update = None if labels is None else labels[:, index]
        return to_float(examples[:, index], data_shape), labels_of_update

    return batch


def after_data(element: Batch) -> AbstractContextManager[None]:
    """Returns a context in which no operation runs before the data are available.

    For the whole body of `train_step` and `test_step`. Keras learns that a dataset of unknown
    length has ended when `iterator.get_next()` fails inside the compiled step. Without this context
    TensorFlow still runs the operations of that step that do not depend on the data: the step
    count, the optimizers' iterations and metrics would move once more at the end of each epoch.

    Example:

    ```python
    def train_step(self, data):
        with after_data(data):
            ...
    ```
    """
    return tf.control_dependencies(
        [part for part in tf.nest.flatten(element) if tf.is_tensor(part)]
    )


def group_updates(
    dataset: tf.data.Dataset, discriminator_steps: int, *, batch_size: int
) -> tf.data.Dataset:
    """Groups batches, and their labels if any, into elements [batch, discriminator_steps, ...].

    Args:
        dataset: Batches of examples, or pairs with labels.
        discriminator_steps: Int, k: an element holds k batches.
        batch_size: Int, rows of a batch. For k > 1 the rows are batched again: a smaller last batch
            of a pass is filled up from the next pass, and incomplete elements at the end of the
            dataset are dropped. For k = 1 the batches stay as they are.
    """
    checks.positive_int("discriminator_steps", discriminator_steps)

    def split(rows: tf.Tensor) -> tf.Tensor:
        if discriminator_steps == 1:
            return rows[:, tf.newaxis]
        shape = [discriminator_steps, batch_size]
        updates = tf.reshape(rows, tf.concat([shape, tf.shape(rows)[1:]], axis=0))
        updates = tf.ensure_shape(updates, [*shape, *rows.shape[1:]])
        return tf.transpose(updates, [1, 0, *range(2, len(updates.shape))])

    def split_all(*parts: tf.Tensor) -> Batch:
        return tuple(map(split, parts)) if len(parts) > 1 else split(parts[0])

    if discriminator_steps == 1:
        return dataset.map(split_all)
    rows = dataset.rebatch(batch_size * discriminator_steps, drop_remainder=True)
    return rows.map(split_all).prefetch(tf.data.AUTOTUNE)


def _unpack(
    element: Array | Sequence[Array | None],
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    examples, labels = split_element(element)
    examples = tf.convert_to_tensor(examples)
    check_dtype(examples.dtype, data_shape)
    check_presence(labels, num_classes)
    if num_classes is None:
        return examples, None
    is_batch = len(examples.shape) == len(data_shape) + 1
    return examples, checked_labels(labels, num_classes, flat=is_batch)
