"""Random draws that are a pure function of a key: what makes runs repeatable and resuming exact.

A key is an int64 tensor of shape [2]. Nothing here holds state, so nothing needs to be saved: the
same key gives the same numbers before and after a restart, eagerly and in a `tf.function`. Under
XLA too, up to the rounding of a logarithm: TensorFlow's own float draws differ there (measured with
2.21, Philox as well), its integer bits do not, so floats are made from the bits here.

Axis 0 is the example axis. A replica under `tf.distribute`, and a part of a batch (`part`), draws
the rows of its own examples in the global batch: no two share noise, and the numbers that an
example sees do not depend on how many replicas or parts there are.
"""

import contextlib
import contextvars
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

ALGORITHM = "philox"
_PHILOX = 1  # Its number among `tf.random.Algorithm`.
# The branch below the key of a sample from which its class is drawn; 1 draws the component of a
# mixture, 3 the noise of refinement.
_CLASS = 2
# The key with which `tf.random.stateless_uniform` makes Philox's key and counter of a seed.
_SCRAMBLE_KEY = 0x02461E293EC8F720
# The largest number that `uniform` draws.
_LARGEST_UNIFORM = 1.0 - 2.0**-24
# Words of 32 bits that Philox makes of one value of its counter.
_BLOCK = 4
# Which part of this replica's examples is being worked on, of how many.
_part: contextvars.ContextVar[tuple[Any, int]] = contextvars.ContextVar("part", default=(0, 1))


def key(seed: int, *path: Any) -> tf.Tensor:
    """Returns the int64[2] key of `seed`, folded along `path`.

    Args:
        seed: Integer in the int64 range.
        *path: Integers or scalar integer tensors (say role, step, index); each different path
            gives an independent key.
    """
    result = tf.constant([seed, 0], dtype=tf.int64)
    for index in path:
        result = fold(result, index)
    return result


def fold(parent: tf.Tensor, index: Any) -> tf.Tensor:
    """Returns the key of child `index` (an integer or a scalar integer tensor) of a key."""
    # What `tf.random.fold_in` gives, in a third of its operations: a step has dozens of keys.
    first = _philox([], *_philox_state(parent), dtype=tf.int64)
    return tf.stack([first, tf.cast(index, tf.int64)])


def fold_rows(parents: tf.Tensor, index: Any) -> tf.Tensor:
    """Returns int64 [num_rows, 2]: child `index` of each of the keys `parents` [num_rows, 2]."""
    return tf.map_fn(lambda parent: fold(parent, index), tf.convert_to_tensor(parents, tf.int64))


def keys_of_rows(rows: tf.Tensor, parent: tf.Tensor) -> tf.Tensor:
    """Returns int64 [num_rows, 2]: a key for each row, made from the bits of its values alone.

    So a latent that is given, not drawn, decides a draw all the same: equal rows get equal keys,
    and rows that differ in a bit get independent ones (a multilinear hash with random coefficients,
    then Philox where the key is used).

    Args:
        rows: Floats [num_rows, ...], of a static shape but for axis 0; read as float32.
        parent: The int64[2] key of the hash.
    """
    size = math.prod(rows.shape[1:])
    values = tf.reshape(tf.cast(rows, tf.float32), [-1, size, 1])
    coefficients = tf.random.stateless_uniform(
        [size, 2], seed=parent, minval=None, maxval=None, dtype=tf.int64, alg=ALGORITHM
    )
    # Integers wrap around, so the order of the sum does not matter.
    return tf.reduce_sum(tf.cast(tf.bitcast(values, tf.int32), tf.int64) * coefficients, axis=1)


@contextlib.contextmanager
def part(index: Any, count: int) -> Iterator[None]:
    """Has `normal` and `uniform` draw for part `index` of this replica's examples.

    Args:
        index: Scalar integer or integer tensor, from 0.
        count: Int, the parts of equal size that the examples are cut into.
    """
    token = _part.set((index, count))
    try:
        yield
    finally:
        _part.reset(token)


def normal(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of N(0, 1); `shape[0]` counts the examples of this replica or part."""
    return _box_muller(_own_rows([*shape, 2], key))


def uniform(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of U[0, 1); `shape[0]` counts the examples of this replica or part."""
    return _unit_interval(_own_rows(shape, key))


def normal_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    """Returns float32 [num_rows, *row_shape] draws of N(0, 1), row i from `keys[i]` alone.

    Unlike `normal`, rows are not shared out among replicas.

    Args:
        keys: int64 [num_rows, 2]. Row i does not depend on the other rows or on their number.
        row_shape: The static shape of one row.
    """
    return _box_muller(_bits_of_rows(keys, [*row_shape, 2]))


def uniform_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    """Returns float32 [num_rows, *row_shape] draws of U[0, 1); see `normal_rows`."""
    return _unit_interval(_bits_of_rows(keys, row_shape))


def class_rows(
    keys: tf.Tensor, num_classes: int, probabilities: Sequence[float] | None = None
) -> tf.Tensor:
    """Returns int32 [num_rows]: a class from 0 to `num_classes` - 1 for each sample.

    Args:
        keys: int64 [num_rows, 2], the keys of the samples; the class is drawn below them.
        num_classes: Int of at least 1.
        probabilities: Floats [num_classes] of at least 0 that sum to 1, how likely each class is:
            to 2^-24, the resolution of the draws. A class of probability 0 is never drawn. Default:
            None, all classes alike.

    Raises:
        ValueError: If the probabilities are not as above.
    """
    edges = None if probabilities is None else _class_edges(probabilities, num_classes)
    uniforms = uniform_rows(fold_rows(keys, _CLASS), [])
    if edges is not None:
        return tf.searchsorted(edges, uniforms, side="right")
    # In float32 the product can round up to the number of classes.
    return tf.minimum(tf.cast(uniforms * num_classes, tf.int32), num_classes - 1)


def _class_edges(probabilities: Sequence[float], num_classes: int) -> np.ndarray:
    """Returns float32 [num_classes - 1]: class k is drawn from edge k - 1 to below edge k."""
    values = np.asarray(probabilities, dtype=np.float64)
    # Written so that NaN fails.
    if (
        values.shape != (num_classes,)
        or not (values >= 0).all()
        or not abs(values.sum() - 1) < 1e-6
    ):
        raise ValueError(
            f"`probabilities` must be {num_classes} numbers of at least 0, one for each class, "
            f"that sum to 1. Received: {probabilities!r}"
        )
    edges = np.cumsum(values)[:-1].astype(np.float32)
    # In float32 the last classes can round to nothing, or the last edge to less than 1.
    last = int(np.flatnonzero(values)[-1])
    edges[:last] = np.minimum(edges[:last], _LARGEST_UNIFORM)
    edges[last:] = 1.0
    return edges


def _bits_of_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    return tf.map_fn(
        lambda row_key: _bits(row_shape, row_key),
        tf.convert_to_tensor(keys, tf.int64),
        fn_output_signature=tf.TensorSpec(row_shape, tf.uint32),
    )


def _bits(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns uint32: what `tf.random.stateless_uniform` gives over the whole range."""
    return _philox(shape, *_philox_state(key))


def _own_rows(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns the rows of `_bits` of the global batch that belong to this replica and part."""
    index, parts = _part.get()
    replica = 0
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        context = tf.distribute.get_replica_context()
        if context is None:
            raise RuntimeError(
                "Random draws must be made inside `strategy.run`, one replica at a time"
            )
        replica = context.replica_id_in_sync_group
    elif parts == 1:
        return _bits(shape, key)
    size = tf.reduce_prod(tf.cast(tf.stack(shape), tf.int64))
    first = tf.cast(replica * parts + index, tf.int64) * size
    # The counter moves to the block in which the first row begins: what others draw is skipped.
    philox_key, counter = _philox_state(key)
    counter += tf.stack([tf.cast(first // _BLOCK, tf.uint64), tf.constant(0, tf.uint64)])
    bits = _philox([size + _BLOCK], philox_key, counter)
    return tf.reshape(tf.slice(bits, [first % _BLOCK], [size]), shape)


def _philox_state(key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns Philox's uint64 key [1] and counter [2] for a key of ours, as TensorFlow does."""
    scrambled = _philox([2], [_SCRAMBLE_KEY], tf.cast(key, tf.uint64), dtype=tf.uint64)
    philox_key, high = tf.split(scrambled, 2)
    return philox_key, tf.concat([tf.zeros([1], tf.uint64), high], axis=0)


def _philox(shape: Any, key: Any, counter: tf.Tensor, *, dtype: tf.DType = tf.uint32) -> tf.Tensor:
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype
    )


def _unit_interval(bits: tf.Tensor) -> tf.Tensor:
    # The 24 high bits, which float32 holds exactly: never rounded up to 1.
    high = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(high, tf.float32) * 2.0**-24


def _box_muller(bits: tf.Tensor) -> tf.Tensor:
    pairs = _unit_interval(bits)
    # 1 - u lies in (0, 1]: the logarithm is finite.
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - pairs[..., 0]))
    return radius * tf.cos(2.0 * math.pi * pairs[..., 1])
