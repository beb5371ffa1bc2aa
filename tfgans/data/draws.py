"""Keys and draws of the data sources.

`tf.data` traces its functions wherever the dataset is built, inside `strategy.scope()` too, where
`random.normal` and `random.uniform` refuse to draw: they share a draw out among replicas.
Here the strategy shares out the finished batch instead, so a whole batch is drawn as one row and
does not depend on the number of replicas.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfgans import random

ORDER, BATCH, SAMPLE, COLOR, BASIS = range(5)

# Keeps the draws of data apart from those that a model makes with the same seed: real examples
# must not be correlated with latents. A model folds its step here, which is never this number.
_ROOM = -0xDA7A


def key(seed: int, role: int, *path: Any) -> tf.Tensor:
    """Returns the int64[2] key of `seed` for one of the roles above, folded along `path`."""
    return random.key(seed, _ROOM, role, *path)


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
