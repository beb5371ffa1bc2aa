"""Training of a discriminator on a part of the examples, and its logits on the rest."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, compat, random
from tfgans.images import from_uint8
from tfgans.layers import MinibatchStdDev
from tfgans.metrics import arrays
from tfgans.optimizers import FusedAdam
from tfgans.penalties import clip_weights
from tfgans.random import ReservedStep

_ORDER = 0
_CHUNK = 1024

Loss = Callable[[Any, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def examples(name: str, values: Any, *, at_least: int = 1) -> np.ndarray:
    """Returns examples as float32 [num, ...], uint8 mapped onto [-1, 1].

    Raises:
        ValueError: If they are not finite in float32, or too few.
    """
    if getattr(values, "dtype", None) == np.uint8:
        values = from_uint8(np.asarray(values), "float64")
    is_checked = getattr(values, "dtype", None) == np.float32 and np.isfinite(values).all()
    # Conversion to float64 takes twice the memory.
    array = np.asarray(values) if is_checked else arrays.finite(name, values)
    if array.ndim < 2 or len(array) < at_least:
        raise ValueError(
            f"`{name}` must have shape [num, ...] with at least {at_least} examples. Received "
            f"shape: {array.shape}"
        )
    largest = np.abs(array).max(initial=0)
    if largest > np.finfo(np.float32).max:
        raise ValueError(
            f"`{name}` must be within the range of float32. Received: {largest:g}. "
            "Rescale the examples"
        )
    return array.astype(np.float32)


def shuffled_pair(real: Any, fake: Any, *, at_least: int, seed: int) -> list[np.ndarray]:
    """Returns both sets of examples in random order, checked and of the same shape.

    Raises:
        ValueError: If they are not valid for `examples`, or their shapes differ.
    """
    pair = [
        examples(name, values, at_least=at_least)
        for name, values in (("real", real), ("fake", fake))
    ]
    if pair[0].shape[1:] != pair[1].shape[1:]:
        raise ValueError(
            "`real` and `fake` must have examples of the same shape. Received shapes: "
            f"{pair[0].shape} and {pair[1].shape}"
        )
    # Sets of the same size get the same order: if fake i is made from real i, both are trained on
    # or both are held out.
    entropy = [checks.integer("seed", seed) % 2**64, _ORDER]
    return [rows[np.random.default_rng(entropy).permutation(len(rows))] for rows in pair]


def split(name: str, values: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows to train on, and the last `share` of the rows, held out.

    Raises:
        ValueError: If the share is not in (0, 1), or leaves fewer than two rows in a part.
    """
    if checks.positive("held_out", share) >= 1:
        raise ValueError(f"`held_out` must be in (0, 1). Received: {checks.short(share)}")
    num_held_out = round(len(values) * share)
    num_train = len(values) - num_held_out
    if min(num_train, num_held_out) < 2:
        raise ValueError(
            "At least two examples are needed to train on and two to hold out. Received: "
            f"held_out={checks.short(share)} of {len(values)} in `{name}`. Pass more examples"
        )
    return values[:num_train], values[num_train:]


def build(name: str, builder: Any, data_shape: tuple[int, ...]) -> Any:
    """Returns a new network of a builder, or raises ValueError."""
    if isinstance(builder, keras.layers.Layer) or not callable(builder):
        raise ValueError(
            f"`{name}` must be a function that builds a new network for each measurement, for "
            f"example `lambda: tfgans.networks.mlp_discriminator({data_shape})`. "
            f"Received: {checks.short(builder)}"
        )
    network, other = builder(), builder()
    if not isinstance(network, keras.layers.Layer):
        raise ValueError(f"`{name}` must build a Keras network. Received: {checks.short(network)}")
    layers = list(compat.all_layers(network))
    if any(isinstance(layer, MinibatchStdDev) for layer in layers):
        raise ValueError(
            f"`{name}` must build a network that judges each example by itself. Received: "
            f"{network.name!r} with a `MinibatchStdDev`. Leave it out"
        )
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
        raise ValueError(
            f"`{name}` must build a network without BatchNormalization: it normalizes real and "
            "generated batches separately in training, and alike afterwards. Received: "
            f"{network.name!r}. Use normalization='layer', 'spectral' or 'none'"
        )
    outputs = network(np.zeros([2, *data_shape], np.float32), training=False)
    if tuple(outputs.shape) != (2, 1):
        raise ValueError(
            f"`{name}` must build a network with a logit per example, [num, 1]. Received: outputs "
            f"of shape {tuple(outputs.shape)} for two examples"
        )
    weights, others = (
        {id(variable) for variable in each.trainable_variables} for each in (network, other)
    )
    if weights & others:
        raise ValueError(
            f"`{name}` must build a new network at each call. Received: a function whose networks "
            "share trainable weights. Make the network within the function, or copy it there: "
            "`lambda: keras.models.clone_model(network)`"
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
    """Trains a network in place on random batches, with Adam at a rate that falls linearly to 0.

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
    pair = [tf.constant(real), tf.constant(fake)]

    @tf.function(autograph=False)
    def update(step: tf.Tensor) -> None:
        key = random.key(seed, ReservedStep.HELD_OUT, step)
        real, fake = (
            tf.gather(rows, draw_indices(size, len(rows), random.fold(key, index)))
            for index, rows in enumerate(pair)
        )
        with tf.GradientTape() as tape:
            value = loss(network, real, fake, random.fold(key, len(pair)))
        optimizer.apply(tape.gradient(value, variables), variables)
        if weight_clip is not None:
            clip_weights(variables, weight_clip)

    # Traced once: TensorFlow does not warn about the retracing of repeated measurements.
    compiled = update.get_concrete_function(tf.TensorSpec([], tf.int64))
    for step in range(steps):
        compiled(tf.constant(step, tf.int64))


def logits(network: Any, examples: np.ndarray) -> np.ndarray:
    """Returns float64 [num]: a network's logits, in inference mode.

    Raises:
        ValueError: If they are not finite, or not [num, 1].
    """
    chunks = [examples[start : start + _CHUNK] for start in range(0, len(examples), _CHUNK)]
    outputs = np.concatenate([np.asarray(network(chunk, training=False)) for chunk in chunks])
    if outputs.shape != (len(examples), 1):
        raise ValueError(
            "A network must give a logit per example, [num, 1]. Received: outputs of shape "
            f"{outputs.shape} for {len(examples)} examples"
        )
    return arrays.finite("the network's logits", outputs)[:, 0]


def standard_error(*samples: np.ndarray) -> float:
    """Returns the standard error of a sum of means of independent samples."""
    return float(np.sqrt(sum(np.var(values, ddof=1) / len(values) for values in samples)))


def draw_indices(count: int, size: int, key: tf.Tensor) -> tf.Tensor:
    """Returns int32 [count], drawn uniformly from {0, ..., size - 1} with replacement."""
    # Of more than 2^24 the product can round up to the size, and not every index is drawn.
    drawn = tf.cast(random.uniform([count], key) * float(size), tf.int32)
    return tf.minimum(drawn, size - 1)
