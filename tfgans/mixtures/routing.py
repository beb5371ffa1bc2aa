"""How the examples of a batch find their components."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

Components = Sequence[Callable[..., tf.Tensor]]


def batch_size(batch: Any) -> Any:
    """Returns the length of axis 0: an int if it is known, else a scalar tensor.

    A batch is what a network takes: a tensor, or the list [tensor, labels].
    """
    first = tf.nest.flatten(batch)[0]
    return tf.shape(first)[0] if first.shape[0] is None else first.shape[0]


def slice_sizes(rows: Any, num_slices: int) -> list[Any]:
    """Returns the lengths of `num_slices` slices of `rows` rows, which differ by one at most.

    Args:
        rows: Int, or a scalar int32 tensor, of at least `num_slices`.
        num_slices: Int of at least 1.

    Raises:
        ValueError: If there are fewer rows than slices: one would be empty, and its
            BatchNormalization statistics NaN for good. Of a tensor, `InvalidArgumentError`.
    """
    message = (
        f"With routing 'slices' a batch needs at least one example for each of the {num_slices} "
        "components. Use a larger batch, or fewer components"
    )
    if not isinstance(rows, int):
        tf.debugging.assert_greater_equal(rows, num_slices, message)
    elif rows < num_slices:
        raise ValueError(f"{message}. Received: a batch of {rows}")
    return [(rows + num_slices - 1 - index) // num_slices for index in range(num_slices)]


def cut(batch: Any, num_slices: int) -> list[Any]:
    """Returns `num_slices` slices of a batch, or of a nest of tensors with as many rows each."""
    if num_slices == 1:
        return [batch]
    sizes = slice_sizes(batch_size(batch), num_slices)
    parts = [tf.split(one, sizes, num=num_slices) for one in tf.nest.flatten(batch)]
    return [tf.nest.pack_sequence_as(batch, part) for part in zip(*parts, strict=True)]


def run_slices(components: Components, batch: Any, *, training: bool) -> list[tf.Tensor]:
    """Returns the outputs of component i on slice i: branches of a graph that run side by side."""
    slices = cut(batch, len(components))
    return [one(rows, training=training) for one, rows in zip(components, slices, strict=True)]


def dealing_order(rows: Any, num_slices: int, shift: tf.Tensor) -> tf.Tensor:
    """Returns int32 [rows]: row numbers in the order in which dealing puts them into slices.

    Like cards: slice j gets rows j, j + num_slices, ... counted from row `shift`. Rows that belong
    together, say of one generator, are spread evenly over the slices; and over a uniform shift in
    [0, rows) each row is in slice j with a probability of exactly its share of the rows, whether
    `num_slices` divides `rows` or not.
    """
    order = tf.concat([tf.range(first, rows, num_slices) for first in range(num_slices)], axis=0)
    return (order + shift) % rows


def dispatch(
    components: Components,
    batch: Any,
    chosen: tf.Tensor,
    *,
    example_shape: Sequence[int | None],
    training: bool,
) -> tf.Tensor:
    """Returns what component `chosen[i]` makes of row i: float32 [rows, *example_shape].

    Each component sees its own rows only, and is left alone if it has none. Such batches change in
    size, which XLA cannot compile: there every component sees every row, and one is kept.

    Args:
        components: k callables `(batch, training) -> [rows, *example_shape]`.
        batch: Tensor [rows, ...], or the list [tensor, labels].
        chosen: int32 [rows] in [0, k).
        example_shape: The shape of one output.
        training: Bool, passed on.

    Raises:
        ValueError: In training under XLA, where rows of others would count in batch statistics.
    """
    if len(components) == 1:
        return tf.cast(components[0](batch, training=training), tf.float32)
    if control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        if training:
            raise ValueError(
                "Routing by drawn components changes batch sizes, which XLA cannot compile. "
                "Received: jit_compile=True. Train with routing='slices', or without XLA"
            )
        outputs = [tf.cast(one(batch, training=False), tf.float32) for one in components]
        return tf.gather(tf.stack(outputs, axis=1), chosen, axis=1, batch_dims=1)
    rows = [tf.where(tf.equal(chosen, index))[:, 0] for index in range(len(components))]
    parts = [
        _run_if_any(one, batch, own, example_shape, training)
        for one, own in zip(components, rows, strict=True)
    ]
    back = tf.argsort(tf.concat(rows, axis=0))
    return tf.ensure_shape(tf.gather(tf.concat(parts, axis=0), back), [None, *example_shape])


def _run_if_any(
    component: Callable[..., tf.Tensor],
    batch: Any,
    rows: tf.Tensor,
    example_shape: Sequence[int | None],
    training: bool,
) -> tf.Tensor:
    def run() -> tf.Tensor:
        own = tf.nest.map_structure(lambda one: tf.gather(one, rows), batch)
        return tf.cast(component(own, training=training), tf.float32)

    return tf.cond(tf.size(rows) > 0, run, lambda: tf.zeros([0, *example_shape]))
