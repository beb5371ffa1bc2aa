"""Keys and draws of the data sources.

`tf.data` traces its functions wherever the dataset is built, inside `strategy.scope()` too, where
`random.normal` and `random.uniform` refuse to draw: they share a draw out among replicas.
Here the strategy shares out the finished batch instead, so a whole batch is drawn as a single row
and does not depend on the number of replicas.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfgans import random
from tfgans.random import ReservedStep, Role


def key(seed: int, role: Role, *path: random.Integer) -> tf.Tensor:
    """Returns the int64[2] key of the data of `seed` for a role, folded along `path`."""
    return random.key(seed, ReservedStep.DATA, role, *path)


def normal(shape: Sequence[int], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of N(0, 1)."""
    return random.normal_rows(key[tf.newaxis], shape)[0]


def uniform(shape: Sequence[int], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of U[0, 1)."""
    return random.uniform_rows(key[tf.newaxis], shape)[0]


def integers(shape: Sequence[int], key: tf.Tensor, limit: int) -> tf.Tensor:
    """Returns int64 draws, uniform on {0, ..., limit - 1}."""
    return tf.random.stateless_uniform(
        shape, seed=key, minval=0, maxval=limit, dtype=tf.int64, alg=random.ALGORITHM
    )
