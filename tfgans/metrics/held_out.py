"""Training a discriminator on one half of the examples, to measure it on the other."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, stateless
from tfgans.metrics import arrays
from tfgans.models.adam import FusedAdam
from tfgans.penalties import clip_weights

_HALVES, _BATCHES = 0, 1
_CHUNK = 1024

Loss = Callable[[Any, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def halves(name: str, examples: Any, *, seed: int, at_least: int = 4) -> list[np.ndarray]:
    """Returns two random halves of examples, float32, of equal size.

    Raises:
        ValueError: If the examples are not finite or too few.
    """
    values = arrays.finite(name, examples)
    if values.ndim < 2 or len(values) < at_least:
        raise ValueError(
            f"`{name}` must have shape [num, ...] with at least {at_least} examples, for half of "
            f"them are held out. Received shape: {values.shape}"
        )
    order = np.random.default_rng([checks.integer("seed", seed) % 2**64, _HALVES])
    rows = order.permutation(len(values))
    size = len(values) // 2
    return [values[rows[part : part + size]].astype(np.float32) for part in (0, size)]


def build(name: str, builder: Any, data_shape: tuple[int, ...]) -> Any:
    """Returns the fresh network of a builder, or raises ValueError if it makes none that fits."""
    if isinstance(builder, keras.Model) or not callable(builder):
        raise ValueError(
            f"`{name}` must be a function that builds a fresh network, since each measurement "
            f"trains its own: say `lambda: tfgans.networks.mlp_discriminator({data_shape})`. "
            f"Received: {builder!r:.100}"
        )
    network = builder()
    outputs = network(np.zeros([2, *data_shape], np.float32), training=False)
    if tuple(outputs.shape) != (2, 1):
        raise ValueError(
            f"`{name}` must build a network with one logit an example, [num, 1]. Received: outputs "
            f"of shape {tuple(outputs.shape)} for two examples"
        )
    return network


def train(
    network: Any,
    real: np.ndarray,
    fake: np.ndarray,
    loss: Loss,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    betas: tuple[float, float],
    seed: int,
    weight_clip: float | None = None,
) -> None:
    """Trains a network in place on random batches, Adam's rate falling linearly to 0.

    Args:
        network: Built Keras model.
        real: float32 [num, ...].
        fake: float32 [num, ...].
        loss: Function (network, real batch, fake batch, key) -> scalar to minimize.
        steps: Int of at least 1.
        batch_size: Int of at least 1, drawn with replacement.
        learning_rate: Float above 0.
        betas: Adam's.
        seed: Int, of the batches and the key.
        weight_clip: Float above 0: weights are moved into [-weight_clip, weight_clip]; or None.
    """
    checks.positive_int("steps", steps)
    size = checks.positive_int("batch_size", batch_size)
    rate = keras.optimizers.schedules.PolynomialDecay(
        checks.positive("learning_rate", learning_rate), steps, 0.0
    )
    optimizer = FusedAdam(rate, beta_1=betas[0], beta_2=betas[1])
    variables = network.trainable_variables
    optimizer.build(variables)
    sides = [tf.constant(real), tf.constant(fake)]

    @tf.function(autograph=False)
    def update(step: tf.Tensor) -> None:
        key = stateless.key(seed, _BATCHES, step)
        real, fake = (
            tf.gather(side, _indices(size, len(side), stateless.fold(key, index)))
            for index, side in enumerate(sides)
        )
        with tf.GradientTape() as tape:
            value = loss(network, real, fake, stateless.fold(key, len(sides)))
        optimizer.apply(tape.gradient(value, variables), variables)
        if weight_clip is not None:
            clip_weights(variables, weight_clip)

    for step in range(steps):
        update(tf.constant(step, tf.int64))


def logits(network: Any, examples: np.ndarray) -> np.ndarray:
    """Returns float64 [num]: a network's logits, at inference.

    Raises:
        ValueError: If they are not finite.
    """
    chunks = [examples[start : start + _CHUNK] for start in range(0, len(examples), _CHUNK)]
    found = [np.asarray(network(chunk, training=False), np.float64) for chunk in chunks]
    return arrays.finite("the network's logits", np.concatenate(found).ravel())


def standard_error(*samples: np.ndarray) -> float:
    """Returns the standard error of a sum of means of independent samples."""
    return float(np.sqrt(sum(np.var(one, ddof=1) / len(one) for one in samples)))


def _indices(count: int, size: int, key: tf.Tensor) -> tf.Tensor:
    # In float32 the product can round up to the size.
    drawn = tf.cast(stateless.uniform([count], key) * float(size), tf.int32)
    return tf.minimum(drawn, size - 1)
