"""The independent critic: its bias in closed form, exact transport, and its baseline."""

import keras
import numpy as np
import pytest
from toy import linear

import tfgans
from tfgans.games import wasserstein_critic
from tfgans.metrics import wasserstein_distance


def mlp(dim):
    return lambda: tfgans.networks.mlp_discriminator((dim,), width=32, depth=2, seed=1)


@pytest.mark.parametrize(
    ("penalty_weight", "shift", "expected"), [(10.0, (0.0, 3.0), 3.45), (0.1, (0.6, 0.8), 6.0)]
)
def test_bias_of_a_linear_critic(penalty_weight, shift, expected):
    """Two points, so nothing is random: s |mu| with s = 1 + |mu| / (2 lambda)."""
    real, fake = np.tile(shift, [16, 1]), np.zeros([8, 2])
    options = {"penalty_weight": penalty_weight, "steps": 150, "learning_rate": 0.2}
    result = wasserstein_critic(real, fake, critic=linear((2,)), batch_size=2, **options)
    # Adam's rate falls to 0, so what is left is far below its last steps; float32 logits.
    assert result.distance == pytest.approx(expected, rel=1e-3)
    assert result.excess == pytest.approx(expected, rel=1e-3)
    zeros = result.standard_error, result.baseline, result.baseline_standard_error
    zeros += (result.excess_standard_error,)
    assert zeros == pytest.approx((0, 0, 0, 0), abs=1e-6)
    assert result.generalization_gap == pytest.approx(0, abs=1e-5)


def test_a_critic_in_half_precision():
    """Its logits are differences of float16, its loss and penalty are not."""

    def critic():
        layer = keras.layers.Dense(1, dtype="mixed_float16", kernel_initializer="ones")
        return keras.Sequential([keras.Input((2,)), layer])

    points = np.random.default_rng(0).normal(size=(40, 2))
    result = wasserstein_critic(points + 1, points, critic=critic, steps=2, batch_size=8)
    assert result.distance == pytest.approx(2, abs=0.05)


def test_exact_distance_its_bias_and_the_baseline():
    rng = np.random.default_rng(0)
    real, fake = rng.normal([1.5, 0], size=(3000, 2)), rng.normal(size=(1500, 2))
    result = wasserstein_critic(real, fake, critic=mlp(2), steps=300, learning_rate=2e-3)
    exact = wasserstein_distance(real[:1500], fake)
    # W + W^2 / (2 lambda) for a shift, and four standard errors of the held-out parts.
    overshoot = exact**2 / 20
    assert result.distance == pytest.approx(exact + overshoot, abs=4 * result.standard_error)
    assert result.standard_error < 0.08
    assert (result.num_train, result.num_held_out) == (750, 750)
    assert result.excess == result.distance - result.baseline
    # The first half is in both numbers; so the error is not that of two independent numbers.
    apart = np.hypot(result.standard_error, result.baseline_standard_error)
    assert 0 < result.excess_standard_error < 1.5 * apart
    # Two halves of the real examples are not at distance 0, as a half against itself would be.
    assert 0 < abs(result.baseline) < 4 * result.baseline_standard_error


def test_images_and_spare_fakes():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, size=(40, 4, 4, 1))
    fakes = rng.uniform(-1, 1, size=(90, 4, 4, 1))
    options = {"critic": linear((4, 4, 1)), "steps": 1}
    more = wasserstein_critic(real, fakes, **options)
    assert (more.num_train, more.num_held_out) == (10, 10)
    # Half as many fakes as reals are enough, also if that half is odd.
    fewer = wasserstein_critic(real[:22], fakes[:11], **options, held_out=0.2, seed=1)
    assert (fewer.num_train, fewer.num_held_out) == (9, 2)


POINTS = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fake": POINTS[:9]}, "at least half as many as `real`. Received: 20 and 9"),
        ({"real": POINTS[:7]}, "at least 8 examples.*Received: 7 and 20"),
        ({"critic": "mlp"}, "`critic` must be a function that builds"),
        ({"penalty_weight": 0.0}, "`penalty_weight` must be above 0"),
    ],
)
def test_bad_input(changed, expected):
    arguments = {"real": POINTS, "fake": POINTS, "critic": linear((2,)), **changed}
    with pytest.raises(ValueError, match=expected):
        wasserstein_critic(arguments.pop("real"), arguments.pop("fake"), **arguments)
