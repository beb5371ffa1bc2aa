"""The classes of examples: whether a model takes them, and whether they are classes at all."""

from typing import Any

import numpy as np
import tensorflow as tf


def checked_labels(labels: Any, num_examples: int, num_classes: int | None) -> np.ndarray:
    """Returns labels as int32 [num_examples], one class for all repeated.

    Raises:
        ValueError: If the model has no classes, or a label is no class of it, or their number is
            not that of the examples.
    """
    if num_classes is None:
        refuse_labels(labels)
    values = np.asarray(labels)
    if not np.issubdtype(values.dtype, np.integer) or values.shape not in ((), (num_examples,)):
        raise ValueError(
            f"`labels` must be integers of shape ({num_examples},), one an example. "
            f"Received: {values.dtype} of shape {values.shape}"
        )
    refuse_strangers(values, num_classes)
    return np.broadcast_to(values.astype(np.int32), (num_examples,))


def refuse_strangers(labels: np.ndarray, num_classes: int | None) -> None:
    """Raises ValueError if a label is not one of 0, 1, ..., num_classes - 1."""
    outside = labels[(labels < 0) | (labels >= num_classes)] if num_classes else labels
    if outside.size:
        raise ValueError(
            f"`labels` must be classes from 0 to {(num_classes or 0) - 1}. Received: "
            f"{outside.size} others, such as {np.ravel(outside)[0]}. Number the classes 0, 1, ..., "
            "or build the networks with more of them"
        )


def refuse_labels(labels: Any) -> None:
    """Raises ValueError if there are labels: the model is not conditional."""
    if labels is not None:
        raise ValueError(
            "This model is not conditional: labels are not taken. "
            f"Received labels: {type(labels).__name__}. Leave them out, or build the networks and "
            "the model with `num_classes`"
        )


def require_labels(labels: Any, num_classes: int) -> None:
    """Raises ValueError if there are no labels: the model is conditional."""
    if labels is None:
        raise ValueError(
            f"This model is conditional: each example needs a label from 0 to {num_classes - 1}. "
            "Received: no labels. Pass them as `y`, or a dataset of pairs (examples, labels), say "
            "`source.batches(batch_size, labels=True)`"
        )


def cast_checked(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns labels as int32, in a graph that fails on one that is no class."""
    labels = tf.cast(labels, tf.int32)
    message = f"`labels` must be classes from 0 to {num_classes - 1}"
    inside = [
        tf.debugging.assert_non_negative(labels, message),
        tf.debugging.assert_less(labels, num_classes, message),
    ]
    with tf.control_dependencies([one for one in inside if one is not None]):
        return tf.identity(labels)
