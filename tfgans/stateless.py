"""Random draws that are a pure function of a key: what makes runs repeatable and resuming exact.

A key is an int64 tensor of shape [2]. Nothing here holds state, so nothing needs to be saved: the
same key gives the same numbers before and after a restart, eagerly, in a `tf.function`, and under
XLA (the algorithm is always Philox; TensorFlow's default one differs under XLA).

Axis 0 is the example axis. Under `tf.distribute` every replica draws the numbers of the whole
global batch and keeps its own rows, so two replicas never share noise and the numbers an example
sees do not depend on how many replicas there are.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

ALGORITHM = "philox"


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
    return tf.random.fold_in(parent, tf.cast(index, tf.int64), alg=ALGORITHM)


def normal(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of N(0, 1); `shape[0]` counts this replica's examples."""
    return _own_rows(tf.random.stateless_normal, shape, key)


def uniform(shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of U[0, 1); `shape[0]` counts this replica's examples."""
    return _own_rows(tf.random.stateless_uniform, shape, key)


def normal_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    """Returns float32 [num_rows, *row_shape] draws of N(0, 1), row i from `keys[i]` alone.

    Args:
        keys: int64 [num_rows, 2]. Row i does not depend on the other rows or on their number.
        row_shape: The static shape of one row.
    """
    return tf.map_fn(
        lambda row_key: tf.random.stateless_normal(row_shape, seed=row_key, alg=ALGORITHM),
        keys,
        fn_output_signature=tf.TensorSpec(row_shape, tf.float32),
    )


def _own_rows(draw: Any, shape: Sequence[Any], key: tf.Tensor) -> tf.Tensor:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1:
        return draw(shape, seed=key, alg=ALGORITHM)
    context = tf.distribute.get_replica_context()
    if context is None:
        raise RuntimeError("Random draws must be made inside `strategy.run`, one replica at a time")
    rows = shape[0]
    first = rows * context.replica_id_in_sync_group
    return draw([rows * replicas, *shape[1:]], seed=key, alg=ALGORITHM)[first : first + rows]
