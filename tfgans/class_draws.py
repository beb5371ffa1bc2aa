"""The classes of a conditional model's samples, drawn by the shares of real data."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfgans import checks, random

_KEYS = tf.TensorSpec([None, 2], tf.int64)


def draw_labels(n: int, seed: int, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns int32 [n]: a class for each of the examples that `gan.sample(n, seed)` makes.

    They are drawn from the bits from which `gan.sample_labels` draws, which takes all classes
    alike. The first ones do not depend on `n`.

    Args:
        n: Int of at least 1.
        seed: Int in the int64 range.
        shares: Floats [num_classes] of at least 0 that sum to 1: how likely each class is, say
            `source.class_shares`.

    Raises:
        ValueError: If an argument is not as above.

    Example:

    ```python
    labels = draw_labels(64, seed=1, shares=source.class_shares)
    images = gan.sample(64, seed=1, labels=labels)
    ```
    """
    n, seed = checks.positive_int("n", n), checks.integer("seed", seed)
    keys = np.stack([np.full(n, seed, np.int64), np.arange(n, dtype=np.int64)], axis=1)
    return _drawing(tuple(float(share) for share in shares))(keys).numpy()


@functools.lru_cache(maxsize=16)
def _drawing(shares: tuple[float, ...]) -> tf.types.experimental.PolymorphicFunction:
    """Returns a compiled function of keys: eager draws, row by row, take a hundred times longer."""
    return tf.function(
        lambda keys: random.class_rows(keys, len(shares), shares),
        input_signature=[_KEYS],
        autograph=False,
    )
