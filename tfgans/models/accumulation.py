"""One update from a batch that is larger than memory: its gradient is summed over parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgans import random
from tfgans.models import logs, optimizers


def descend(
    loss: Callable[..., tf.Tensor],
    examples: Sequence[Any],
    *,
    optimizer: Any,
    network: Any,
    parts: int,
    means: Mapping[str, keras.metrics.Mean],
) -> logs.Sums:
    """Takes one step of `optimizer` down the mean of a loss over a batch; returns what it logged.

    With several parts they come one after the other, and only one is in memory at a time. Each
    draws the noise of its own examples (`random.part`), so where no example's term depends on
    the others the update is that of the whole batch, up to the order of summation.

    Args:
        loss: Callable `(tape, *examples)` -> scalar, the mean over the examples that it is given;
            what it logs is a mean over them too.
        examples: Tensors of equal length on axis 0; None stays None.
        optimizer: From `optimizers.prepare`.
        network: The player.
        parts: Int of at least 1.
        means: The means that `loss` logs to, by name.
    """
    if parts == 1:
        with logs.collect() as logged:
            found = optimizers.gradients(lambda tape: loss(tape, *examples), optimizer, network)
    else:
        found, logged = _summed(loss, examples, optimizer, network, parts, list(means))
    logs.move(means, logged)
    optimizers.apply(found, optimizer, network)
    return logged


def _summed(
    loss: Callable[..., tf.Tensor],
    examples: Sequence[Any],
    optimizer: Any,
    network: Any,
    parts: int,
    names: Sequence[str],
) -> tuple[list[tf.Tensor], logs.Sums]:
    cut = [None if one is None else _in_parts(one, parts) for one in examples]

    def add_part(index: tf.Tensor, sums: list[Any], logged: tf.Tensor) -> tuple[Any, ...]:
        rows = [None if one is None else one[index] for one in cut]
        with random.part(index, parts), logs.collect() as found:
            new = optimizers.gradients(lambda tape: loss(tape, *rows) / parts, optimizer, network)
        # What a loss does not depend on has no gradient: it is zero.
        sums = [total if one is None else total + one for total, one in zip(sums, new, strict=True)]
        return index + 1, sums, logged + tf.stack([found.get(name, tf.zeros(2)) for name in names])

    start = [tf.zeros_like(source) for source in optimizers.sources(network)]
    _, sums, logged = tf.while_loop(
        lambda index, *_: index < parts,
        add_part,
        (tf.constant(0), start, tf.zeros([len(names), 2])),
        parallel_iterations=1,
        maximum_iterations=parts,
    )
    return sums, dict(zip(names, tf.unstack(logged), strict=True))


def map_parts(
    function: Callable[..., tf.Tensor], examples: Sequence[Any], *, parts: int
) -> tf.Tensor:
    """Returns `function(*examples)` [batch, ...], made part by part; see `descend`."""
    if parts == 1:
        return function(*examples)
    cut = [None if one is None else _in_parts(one, parts) for one in examples]

    def make(index: tf.Tensor) -> tf.Tensor:
        with random.part(index, parts):
            return function(*[None if one is None else one[index] for one in cut])

    made = tf.map_fn(make, tf.range(parts), fn_output_signature=tf.float32, parallel_iterations=1)
    return tf.concat(tf.unstack(made, num=parts), axis=0)


def _in_parts(batch: tf.Tensor, parts: int) -> tf.Tensor:
    """Returns [parts, rows, ...]; the length of the batch is a multiple."""
    rows = batch.shape[0]
    size = -1 if rows is None else rows // parts
    return tf.reshape(batch, [parts, size, *batch.shape[1:]])
