"""Routes the examples of a batch to the components of a mixture."""

from collections.abc import Sequence
from typing import TypeVar

import keras
import tensorflow as tf

from tfgans import compat, shapes
from tfgans.types import Inputs

# A tensor, or a nest of tensors with as many rows each.
Rows = TypeVar("Rows")


def slice_sizes(num_rows: int | tf.Tensor, num_slices: int) -> list[int | tf.Tensor]:
    """Returns the lengths of `num_slices` slices of `num_rows` rows, which differ by at most 1.

    Args:
        num_rows: Int, or a scalar int32 tensor, of at least `num_slices`.
        num_slices: Int of at least 1.

    Raises:
        ValueError: If there are fewer rows than slices: a slice would be empty, and its
            BatchNormalization statistics NaN for good. Of a tensor, `InvalidArgumentError`.
    """
    message = (
        f"With routing 'slices' a batch needs at least one example for each of the {num_slices} "
        "components. Use a larger batch, or fewer components"
    )
    if not isinstance(num_rows, int):
        tf.debugging.assert_greater_equal(num_rows, num_slices, message)
    elif num_rows < num_slices:
        raise ValueError(f"{message}. Received: a batch of {num_rows}")
    return [(num_rows + num_slices - 1 - index) // num_slices for index in range(num_slices)]


def cut(batch: Rows, num_slices: int) -> list[Rows]:
    """Returns `num_slices` slices of a batch, or of a nest of tensors with as many rows each."""
    if num_slices == 1:
        return [batch]
    sizes = slice_sizes(shapes.batch_size(batch), num_slices)
    parts = [tf.split(tensor, sizes, num=num_slices) for tensor in tf.nest.flatten(batch)]
    return [tf.nest.pack_sequence_as(batch, part) for part in zip(*parts, strict=True)]


def assignment_order(num_rows: int | tf.Tensor, num_slices: int, shift: tf.Tensor) -> tf.Tensor:
    """Returns int32 [num_rows]: row numbers in the order of the slices that they are assigned to.

    In turn: slice j gets rows j, j + num_slices, ... counted from row `shift`. Rows that belong
    together, say of the same generator, are spread evenly over the slices; and over a uniform shift
    in [0, num_rows) each row is in slice j with a probability of exactly its share of the rows,
    whether `num_slices` divides `num_rows` or not.
    """
    slices = [tf.range(first, num_rows, num_slices) for first in range(num_slices)]
    return (tf.concat(slices, axis=0) + shift) % num_rows


def dispatch(
    components: Sequence[keras.Model],
    batch: Inputs,
    chosen: tf.Tensor,
    *,
    example_shape: Sequence[int | None],
    training: bool,
) -> tf.Tensor:
    """Returns what component `chosen[i]` makes of row i: float32 [rows, *example_shape].

    Each component sees only its rows, and does not run if it has none. Such batches change in size,
    which XLA cannot compile: there every component sees every row, and the chosen output is kept.

    Args:
        components: k networks, `(batch, training) -> [rows, *example_shape]`.
        batch: Tensor [rows, ...], or the list [tensor, labels].
        chosen: int32 [rows] in [0, k).
        example_shape: The shape of an output.
        training: Bool, passed on.

    Raises:
        ValueError: In training under XLA, where the rows of other components would count in batch
            statistics.
    """
    if len(components) == 1:
        return tf.cast(components[0](batch, training=training), tf.float32)
    if compat.inside_xla():
        if training:
            raise ValueError(
                "Each row goes to a drawn component, so batch sizes vary, which XLA cannot "
                "compile. Received: jit_compile=True. Train without XLA, or pass the mixture "
                "to a `tfgans.GAN` with routing='slices'"
            )
        outputs = [
            tf.cast(component(batch, training=False), tf.float32) for component in components
        ]
        return tf.gather(tf.stack(outputs, axis=1), chosen, axis=1, batch_dims=1)
    rows = [tf.where(tf.equal(chosen, index))[:, 0] for index in range(len(components))]
    parts = [
        _run_if_any(component, batch, rows_of_component, example_shape, training)
        for component, rows_of_component in zip(components, rows, strict=True)
    ]
    original_order = tf.argsort(tf.concat(rows, axis=0))
    outputs = tf.gather(tf.concat(parts, axis=0), original_order)
    return tf.ensure_shape(outputs, [None, *example_shape])


def _run_if_any(
    component: keras.Model,
    batch: Inputs,
    rows: tf.Tensor,
    example_shape: Sequence[int | None],
    training: bool,
) -> tf.Tensor:
    def run() -> tf.Tensor:
        selected = tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), batch)
        return tf.cast(component(selected, training=training), tf.float32)

    return tf.cond(tf.size(rows) > 0, run, lambda: tf.zeros([0, *example_shape]))
