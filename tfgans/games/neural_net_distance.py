"""The neural net distance: how well a class of discriminators separates two distributions."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy import special

from tfgans import checks
from tfgans.games.held_out import build, logits, shuffled_pair, split, standard_error, train

_LOG_TWO = float(np.log(2))


class NeuralNetDistance(NamedTuple):
    """A neural net distance on held-out examples.

    Attributes:
        distance: Float, on the held-out examples. It may be below 0 if the discriminator overfits.
        standard_error: Float, over the held-out examples, of the trained discriminator.
        train_distance: Float, on the training examples. Below 0 a constant discriminator is better:
            train longer, or rescale examples of large numbers.
        generalization_gap: Float, `train_distance - distance`.
        num_train: Int, real examples trained on.
        num_held_out: Int, real examples held out.
    """

    distance: float
    standard_error: float
    train_distance: float
    generalization_gap: float
    num_train: int
    num_held_out: int


def neural_net_distance(
    real: Any,
    fake: Any,
    *,
    discriminator: Callable[[], Any],
    phi: str = "log",
    steps: int = 1000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_clip: float | None = None,
    held_out: float = 0.5,
    seed: int = 0,
) -> NeuralNetDistance:
    """Returns how well a class of discriminators separates two samples on held-out examples.

    Formula: `sup_{D in F} E_real phi(D(x)) + E_fake phi(1 - D(x)) - 2 phi(1/2)`, with
    `D = sigmoid(logit)`. With phi = log and F the set of all functions, it is twice the
    Jensen-Shannon divergence, at most 2 log 2; with phi(t) = t it is at most 1. The supremum is
    approximated by training on the other examples, so the result is a lower bound, up to the noise
    of the held-out examples. It is a pseudo-metric: 0 means that this class of networks does not
    separate the distributions, not that they are equal. Unlike the Wasserstein distance, it
    generalizes from few samples in many dimensions.

    Args:
        real: Array [num_real, ...] of floats, images in [-1, 1] or uint8; four examples at least.
        fake: Array [num_fake, ...]; the same.
        discriminator: Function without arguments that builds a fresh Keras network, examples ->
            logits [num, 1]. It is called twice, to check that each call makes new weights. With
            seeded initializers the same `seed` gives the same number.
        phi: "log" (default) or "linear".
        steps: Int of at least 1, of Adam. Default: 1000.
        batch_size: Int of at least 1, examples of each set. Default: 256.
        learning_rate: Float above 0, which falls linearly to 0. Default: 1e-3.
        weight_clip: Float above 0, which bounds the class: all its parameters are kept within
            [-weight_clip, weight_clip]. Default: None.
        held_out: Float in (0, 1), the share of each set that is held out. Default: 0.5.
        seed: Int, of the parts and the batches. Default: 0.

    Returns:
        A `NeuralNetDistance`.

    Raises:
        ValueError: If the examples are not finite, too few, or not inputs of the network, the
            builder does not make a new network, or an argument is out of range.

    Example:

    ```python
    real, fake = np.random.default_rng(0).normal([[[1.0]], [[0.0]]], size=(2, 500, 2))
    build = lambda: tfgans.networks.mlp_discriminator((2,), width=32, seed=0)
    print(tfgans.games.neural_net_distance(real, fake, discriminator=build, steps=50))
    ```

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    Definition 2, and Theorem 3.1 for the gap.

    Checked against: scikit-learn's LogisticRegression.
    """
    checks.choice("phi", phi, ("log", "linear"))
    if weight_clip is not None:
        checks.positive("weight_clip", weight_clip)
    pair = shuffled_pair(real, fake, at_least=4, seed=seed)
    real_parts, fake_parts = (
        split(name, rows, held_out) for name, rows in zip(("real", "fake"), pair, strict=True)
    )
    network = build("discriminator", discriminator, pair[0].shape[1:])
    train(
        network,
        real_parts[0],
        fake_parts[0],
        functools.partial(_loss, phi),
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        betas=(0.9, 0.999),
        seed=seed,
        weight_clip=weight_clip,
    )
    gains = [
        (_gain(logits(network, real_part), phi), _gain(-logits(network, fake_part), phi))
        for real_part, fake_part in zip(real_parts, fake_parts, strict=True)
    ]
    trained, measured = (float(on_real.mean() + on_fake.mean()) for on_real, on_fake in gains)
    return NeuralNetDistance(
        distance=measured,
        standard_error=standard_error(*gains[1]),
        train_distance=trained,
        generalization_gap=trained - measured,
        num_train=len(real_parts[0]),
        num_held_out=len(real_parts[1]),
    )


def _loss(phi: str, network: Any, real: tf.Tensor, fake: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    on_real = tf.cast(network(real, training=True), tf.float32)
    on_fake = -tf.cast(network(fake, training=True), tf.float32)
    if phi == "log":
        on_real, on_fake = tf.math.log_sigmoid(on_real), tf.math.log_sigmoid(on_fake)
    else:
        on_real, on_fake = tf.sigmoid(on_real), tf.sigmoid(on_fake)
    return -tf.reduce_mean(on_real) - tf.reduce_mean(on_fake)


def _gain(values: np.ndarray, phi: str) -> np.ndarray:
    """Returns phi(D) - phi(1/2) at logits."""
    if phi == "log":
        return special.log_expit(values) + _LOG_TWO
    return special.expit(values) - 0.5
