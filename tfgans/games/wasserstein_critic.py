"""An independent critic: trained after the generator, evaluated on held-out examples."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.games.held_out import (
    build,
    logits,
    shuffled_pair,
    split,
    standard_error,
    train,
)
from tfgans.penalties import GradientPenalty


class WassersteinCritic(NamedTuple):
    """The distance of an independent critic, and that of real examples to real examples.

    Attributes:
        distance: Float, mean logit of held-out real examples less that of held-out fakes.
        standard_error: Float, over the held-out examples.
        baseline: Float, the distance of two disjoint halves of the real examples.
        baseline_standard_error: Float, of the baseline.
        excess: Float, `distance - baseline`.
        excess_standard_error: Float, of the excess.
        train_distance: Float, on the training examples.
        generalization_gap: Float, `train_distance - distance`.
        num_train: Int, training examples of each set.
        num_held_out: Int, held-out examples of each set.
    """

    distance: float
    standard_error: float
    baseline: float
    baseline_standard_error: float
    excess: float
    excess_standard_error: float
    train_distance: float
    generalization_gap: float
    num_train: int
    num_held_out: int


def wasserstein_critic(
    real: Any,
    fake: Any,
    *,
    critic: Callable[[], Any],
    steps: int = 1000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    penalty_weight: float = 10.0,
    held_out: float = 0.5,
    seed: int = 0,
) -> WassersteinCritic:
    """Returns the distance of two samples by a new critic, trained by WGAN-GP on other examples.

    The real examples are halved. Two critics are trained: the first on the first half against as
    many fakes, the second on the first half against the other half. Each is evaluated on the share
    `held_out` of its examples. Both distances use the same numbers of examples. The second,
    `baseline`, has mean 0 for any critic, so its size shows how noisy the first is.

    It is not the Wasserstein distance. A network is not the set of all 1-Lipschitz functions, and
    the soft penalty lets gradients exceed 1: a linear critic of a shift mu ends at `s |mu|` with
    `s = 1 + |mu| / (2 penalty_weight)`, an excess of `|mu|^2 / (2 penalty_weight)`. In few
    dimensions compare `wasserstein_distance`.

    Args:
        real: Array [num_real, ...] of floats, images in [-1, 1] or uint8, that the generator was
            not trained on; eight at least.
        fake: Array [num_fake, ...], at least half as many; the rest is not used.
        critic: Function without arguments that builds a fresh Keras network, examples -> logits
            [num, 1], without BatchNormalization. It is called twice for each critic, to check that
            each call makes new weights. With seeded initializers the same `seed` gives the same
            number.
        steps: Int of at least 1, of Adam with betas (0, 0.9). Default: 1000.
        batch_size: Int of at least 1, examples of each set. Default: 256.
        learning_rate: Float above 0, which falls linearly to 0. Default: 1e-3.
        penalty_weight: Float above 0. Default: 10.
        held_out: Float in (0, 1), the share of each comparison that is held out. Default: 0.5.
        seed: Int, of halves, batches and points of the penalty. Default: 0.

    Returns:
        A `WassersteinCritic`.

    Raises:
        ValueError: If the examples are not finite, too few, or not inputs of the network, the
            builder does not make a new network, or an argument is out of range.

    Example:

    ```python
    real, fake = np.random.default_rng(0).normal([[[1.0]], [[0.0]]], size=(2, 500, 2))
    build = lambda: tfgans.networks.mlp_discriminator((2,), width=32, seed=0)
    print(tfgans.games.wasserstein_critic(real, fake, critic=build, steps=50).excess)
    ```

    Reference: Danihelka et al. 2017, "Comparison of Maximum Likelihood and GAN-Based Training of
    Real NVPs"; Fedus et al. 2018, "Many Paths to Equilibrium", section 5.3; Gulrajani et al. 2017
    for the penalty.

    Checked against: the closed form of a linear critic, POT in two dimensions.
    """
    reals, fakes = shuffled_pair(real, fake, at_least=1, seed=seed)
    size = len(reals) // 2
    if size < 4 or len(fakes) < size:
        raise ValueError(
            "`real` must have at least 8 examples, and `fake` at least half as many as `real`. "
            f"Received: {len(reals)} and {len(fakes)}. Sample more"
        )
    first, second = reals[:size], reals[size : 2 * size]
    penalty = GradientPenalty(weight=checks.positive("penalty_weight", penalty_weight))

    def loss(network: Any, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        on_real, on_fake = (
            tf.cast(network(rows, training=True), tf.float32) for rows in (real, fake)
        )
        gap = tf.reduce_mean(on_real - on_fake)
        cost = tf.reduce_mean(penalty(network, real, fake, key=key))
        return penalty.weight * cost - gap

    train_critic = functools.partial(
        train,
        loss=loss,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        betas=(0.0, 0.9),
        seed=seed,
    )
    trained, measured = _evaluate(critic, train_critic, first, fakes[:size], held_out)
    _, among_real = _evaluate(critic, train_critic, first, second, held_out)
    distance, baseline = (float(x.mean() - y.mean()) for x, y in (measured, among_real))
    train_distance = float(trained[0].mean() - trained[1].mean())
    return WassersteinCritic(
        distance=distance,
        standard_error=standard_error(*measured),
        baseline=baseline,
        baseline_standard_error=standard_error(*among_real),
        excess=distance - baseline,
        # Both numbers share the held-out examples of the first half.
        excess_standard_error=standard_error(
            measured[0] - among_real[0], measured[1], among_real[1]
        ),
        train_distance=train_distance,
        generalization_gap=train_distance - distance,
        num_train=len(trained[0]),
        num_held_out=len(measured[0]),
    )


def _evaluate(
    critic: Callable[[], Any],
    train_critic: Callable[[Any, np.ndarray, np.ndarray], None],
    real: np.ndarray,
    fake: np.ndarray,
    share: float,
) -> list[tuple[Any, ...]]:
    """Returns a new critic's logits of both sets: of the training part, and of the rest."""
    parts = list(zip(split("real", real, share), split("fake", fake, share), strict=True))
    network = build("critic", critic, real.shape[1:])
    train_critic(network, *parts[0])
    return [tuple(logits(network, rows) for rows in part) for part in parts]
