"""Checks of class labels: whether a model takes them, and whether they are in range."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

Labels: TypeAlias = np.ndarray | tf.Tensor | Sequence[int]


def check_labels(labels: Labels | int, num_examples: int, num_classes: int | None) -> np.ndarray:
    """Returns labels as an int32 array [num_examples].

    Args:
        labels: Integers [num_examples] or [num_examples, 1] in [0, num_classes); or a scalar, the
            class of all examples.
        num_examples: Int, the number of labels that are expected.
        num_classes: Int, or None for a model that is not conditional.

    Raises:
        ValueError: If the model takes no labels, or the labels are not integers, not of that
            shape, or out of range.
    """
    check_presence(labels, num_classes)
    values = check_integers(np.asarray(labels), [(num_examples,), (num_examples, 1), ()])
    outside = values[(values < 0) | (values >= num_classes)]
    if outside.size:
        raise ValueError(
            f"`labels` must be classes from 0 to {(num_classes or 0) - 1}. Received: "
            f"{outside.size} out of this range, such as {outside.flat[0]}. Number the classes "
            "0, 1, ..., or build the networks and the model with a larger `num_classes`"
        )
    flat = values.astype(np.int32).reshape(values.shape[:1])
    return np.broadcast_to(flat, (num_examples,))


def check_integers(labels: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Returns labels, or raises ValueError unless they are integers of one of the shapes."""
    if np.issubdtype(labels.dtype, np.integer) and labels.shape in shapes:
        return labels
    raise ValueError(
        f"`labels` must be integers of shape {shapes[0]}, one for each example. Received: "
        f"{labels.dtype} of shape {labels.shape}{_advice(labels)}"
    )


def _advice(labels: np.ndarray) -> str:
    """Returns how to number classes that are given in another form, if it is a known one."""
    if labels.dtype.kind in "OSU":
        return (
            ". Number the classes with `pd.factorize(y)[0]` or "
            "`np.unique(y, return_inverse=True)[1]`"
        )
    is_whole = labels.dtype.kind in "biuf" and bool(np.all(labels == np.rint(labels)))
    if is_whole and labels.ndim == 2 and labels.shape[1] > 1:
        return ". Convert one-hot labels with `y.argmax(axis=1)`"
    if is_whole and labels.dtype.kind in "bf":
        return ". Convert them with `y.astype('int32')`"
    return ""


def check_presence(labels: Labels | int | None, num_classes: int | None) -> None:
    """Raises ValueError if a conditional model has no labels, or another model has some."""
    if num_classes is None and labels is not None:
        raise ValueError(
            "This model is not conditional: labels are not taken. "
            f"Received labels: {type(labels).__name__}. Leave them out (of a dataset with "
            "`dataset.map(lambda x, y: x)`), or build the networks and the model with "
            "`num_classes`"
        )
    if num_classes is not None and labels is None:
        raise ValueError(
            f"This model is conditional: each example needs a label from 0 to {num_classes - 1}. "
            "Received: no labels. Pass them as `y`, or a dataset of pairs (examples, labels), such "
            "as `source.batches(batch_size, labels=True)`"
        )


def checked_labels(labels: Labels | tf.Tensor, num_classes: int, *, flat: bool = True) -> tf.Tensor:
    """Returns labels as int32, in a graph that checks their range when it runs.

    Args:
        labels: Integers [batch] or [batch, 1].
        num_classes: Int, the classes are 0 to `num_classes` - 1.
        flat: Whether to return [batch], or labels of any shape as they are. Default: True.

    Raises:
        ValueError: If the labels are not integers.
        tf.errors.InvalidArgumentError: If the graph runs on a label out of range.
    """
    labels = tf.convert_to_tensor(labels)
    if not labels.dtype.is_integer:
        raise ValueError(
            f"`labels` must be integers. Received: {labels.dtype.name}. Convert them, for example "
            "with `tf.cast(labels, tf.int32)`, or one-hot labels with `tf.argmax(labels, axis=1)`"
        )
    labels = tf.cast(tf.reshape(labels, [-1]) if flat else labels, tf.int32)
    message = f"`labels` must be classes from 0 to {num_classes - 1}"
    assertions = [
        tf.debugging.assert_non_negative(labels, message),
        tf.debugging.assert_less(labels, num_classes, message),
    ]
    # Executed eagerly, an assertion returns None.
    with tf.control_dependencies([check for check in assertions if check is not None]):
        return tf.identity(labels)
