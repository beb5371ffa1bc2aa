"""The distance between distributions that a class of discriminators sees."""

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
    """A neural net distance, measured where it was not trained.

    Attributes:
        distance: Float, on the held-out examples. It may be under 0: what was learnt by heart does
            not hold there.
        standard_error: Float, over the held-out examples, of the trained discriminator.
        train_distance: Float, on the examples that the discriminator was trained on. Under 0 it is
            beaten by a constant: train longer, or rescale examples of large numbers.
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
    """Returns how well a class of discriminators tells two samples apart on held-out examples.

    Formula: `sup_{D in F} E_real phi(D(x)) + E_fake phi(1 - D(x)) - 2 phi(1/2)`, with
    `D = sigmoid(logit)`. With phi = log and all functions it is twice the Jensen-Shannon
    divergence, at most 2 log 2; with phi(t) = t it is at most 1. The supremum is what training on
    one part reaches: a lower bound, but for the noise of the held-out part. It is a pseudo-metric:
    0 does not mean equal distributions, only that this class of networks does not tell them apart;
    but unlike the Wasserstein distance it generalizes from samples that are few for the dimension.

    Args:
        real: Array [num_real, ...] of floats, images in [-1, 1] or uint8; four examples at least.
        fake: Array [num_fake, ...]; the same.
        discriminator: Function without arguments that builds a fresh Keras network, examples ->
            logits [num, 1]. It is called twice, to see that nothing of yours is trained. The first
            weights are the builder's: with seeded initializers the same `seed` gives the same
            number.
        phi: "log" (default) or "linear".
        steps: Int of at least 1, of Adam. Default: 1000.
        batch_size: Int of at least 1, of each side. Default: 256.
        learning_rate: Float above 0, which falls linearly to 0. Default: 1e-3.
        weight_clip: Float above 0, which bounds the class: all its parameters are kept within
            [-weight_clip, weight_clip]. Default: None.
        held_out: Float in (0, 1), the share of each side that is held out. Default: 0.5.
        seed: Int, of the parts and the batches. Default: 0.

    Returns:
        A `NeuralNetDistance`.

    Raises:
        ValueError: If the examples are not finite or too few or do not fit the network, the
            builder makes no fresh network, or an argument is out of range.

    Example:

    ```python
    build = lambda: tfgans.networks.mlp_discriminator((2,), width=32)
    print(tfgans.games.neural_net_distance(real, fake, discriminator=build))
    ```

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    Definition 2, and Theorem 3.1 for the gap.

    Checked against: scikit-learn's LogisticRegression, numerical integration.
    """
    checks.choice("phi", phi, ("log", "linear"))
    if weight_clip is not None:
        checks.positive("weight_clip", weight_clip)
    pair = shuffled_pair(real, fake, at_least=4, seed=seed)
    real_parts, fake_parts = (
        split(name, side, held_out) for name, side in zip(("real", "fake"), pair, strict=True)
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
    sides = [
        (_gain(logits(network, one), phi), _gain(-logits(network, other), phi))
        for one, other in zip(real_parts, fake_parts, strict=True)
    ]
    trained, measured = (float(one.mean() + other.mean()) for one, other in sides)
    return NeuralNetDistance(
        distance=measured,
        standard_error=standard_error(*sides[1]),
        train_distance=trained,
        generalization_gap=trained - measured,
        num_train=len(real_parts[0]),
        num_held_out=len(real_parts[1]),
    )


def _loss(phi: str, network: Any, real: tf.Tensor, fake: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    on_real, on_fake = network(real, training=True), -network(fake, training=True)
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
