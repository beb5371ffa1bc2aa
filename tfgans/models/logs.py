"""What the players log, kept back while a batch is worked on in parts: see `accumulation`."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

# By name float32 [2]: the sum of a value over examples, and their number.
Sums = dict[str, tf.Tensor]
# Each replica of `MirroredStrategy` runs in a thread, and so in a context, of its own.
_collected: contextvars.ContextVar[Sums | None] = contextvars.ContextVar("collected", default=None)


def log(running: keras.metrics.Mean, value: Any, num_examples: Any) -> None:
    """Moves a running mean by the value of so many examples, or adds it to what is collected."""
    # A replica may have no rows of the last batch: the mean of nothing is NaN.
    value = tf.where(num_examples > 0, tf.cast(value, tf.float32), 0.0)
    sums = _collected.get()
    if sums is None:
        running.update_state(value, sample_weight=num_examples)
        return
    number = tf.cast(num_examples, tf.float32)
    pair = tf.stack([value * number, number])
    name = running.name
    sums[name] = pair + sums[name] if name in sums else pair


@contextlib.contextmanager
def collect() -> Iterator[Sums]:
    """Gives a dict to which what is logged in the block is added, instead of to the means."""
    sums: Sums = {}
    token = _collected.set(sums)
    try:
        yield sums
    finally:
        _collected.reset(token)


def move(means: Mapping[str, keras.metrics.Mean], sums: Sums) -> None:
    """Moves running means by sums over examples."""
    for name, pair in sums.items():
        means[name].update_state(mean(pair), sample_weight=pair[1])


def mean(pair: tf.Tensor) -> tf.Tensor:
    """Returns the mean of which a pair in `Sums` is the sum and the count; 0 of nothing."""
    return tf.math.divide_no_nan(pair[0], pair[1])
