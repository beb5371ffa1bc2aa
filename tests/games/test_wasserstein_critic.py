"""The independent critic: its bias in closed form, exact transport, and its baseline."""

import keras
import numpy as np
import ot
import pytest

import tfgans
from tfgans.games.wasserstein_critic import wasserstein_critic


def linear(dim):
    def build():
        initializer = keras.initializers.GlorotUniform(seed=1)
        head = keras.layers.Dense(1, kernel_initializer=initializer)
        return keras.Sequential([keras.Input((dim,)), head])

    return build


def mlp(dim):
    return lambda: tfgans.networks.mlp_discriminator((dim,), width=32, depth=2, seed=1)


@pytest.mark.parametrize(
    ("penalty_weight", "shift", "expected"),
    [(10.0, (1.0, 0.0), 1.05), (10.0, (0.0, 3.0), 3.45), (0.1, (0.6, 0.8), 6.0)],
)
def test_bias_of_a_linear_critic(penalty_weight, shift, expected):
    """Two points, so nothing is random: s |mu| with s = 1 + |mu| / (2 lambda)."""
    real, fake = np.tile(shift, [16, 1]), np.zeros([8, 2])
    found = wasserstein_critic(
        real,
        fake,
        critic=linear(2),
        penalty_weight=penalty_weight,
        steps=400,
        batch_size=2,
        learning_rate=0.1,
    )
    # Adam's rate falls to 0, so what is left is far below its last steps; float32 logits.
    assert found.distance == pytest.approx(expected, rel=1e-3)
    assert found.excess == pytest.approx(expected, rel=1e-3)
    zeros = found.standard_error, found.baseline, found.baseline_standard_error
    assert zeros == pytest.approx((0, 0, 0), abs=1e-6)
    assert found.generalization_gap == pytest.approx(0, abs=1e-5)


def test_exact_distance_and_its_bias_in_one_dimension():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1.5, 1, size=(3000, 1)), rng.normal(0, 1, size=(1500, 1))
    found = wasserstein_critic(real, fake, critic=mlp(1), steps=300, learning_rate=2e-3)
    exact = ot.wasserstein_1d(real[:1500, 0], fake[:, 0], p=1)
    # W + W^2 / (2 lambda) for a shift, here 1.61, and four standard errors of the held-out parts.
    overshoot = exact**2 / 20
    assert found.distance == pytest.approx(exact + overshoot, abs=4 * found.standard_error)
    assert found.standard_error < 0.08
    assert (found.num_train, found.num_held_out) == (750, 750)


def test_equal_distributions_have_no_excess():
    real, fake = np.random.default_rng(0).normal(size=(2, 2000, 2))
    found = wasserstein_critic(real, fake, critic=mlp(2), steps=100)
    errors = np.hypot(found.standard_error, found.baseline_standard_error)
    # Both critics learn their part by heart alike, and the held-out parts are independent but for
    # the reals they share.
    assert abs(found.excess) < 4 * errors
    assert found.excess == found.distance - found.baseline
    assert found.baseline != 0  # As it would be for one half against itself.


def test_farther_is_farther():
    real, fake = np.random.default_rng(0).normal(size=(2, 600, 2))
    how = {"critic": linear(2), "steps": 60, "learning_rate": 0.05}
    found = [wasserstein_critic(real + shift, fake, **how) for shift in (0.0, 2.0)]
    distances = [one.distance for one in found]
    assert distances == sorted(distances)
    # The baseline sees the real examples alone: a shift of both sides changes its bias, no more.
    assert max(abs(one.baseline) for one in found) < 0.4


def test_images_of_bytes_and_spare_fakes():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(40, 4, 4, 1)).astype(np.uint8)
    floats, fakes = pixels / 127.5 - 1, rng.uniform(-1, 1, size=(90, 4, 4, 1))

    def build():
        initializer = keras.initializers.GlorotUniform(seed=1)
        head = keras.layers.Dense(1, kernel_initializer=initializer)
        return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), head])

    first = wasserstein_critic(pixels, fakes, critic=build, steps=3)
    assert first == wasserstein_critic(floats, fakes, critic=build, steps=3)
    assert (first.num_train, first.num_held_out) == (10, 10)
    fewer = wasserstein_critic(floats, fakes[:20], critic=build, steps=3, held_out=0.2, seed=1)
    assert (fewer.num_train, fewer.num_held_out) == (16, 4)
    # Half as many fakes as reals are enough, also where that half is odd.
    assert wasserstein_critic(floats[:10], fakes[:5], critic=build, steps=1).num_train == 3


POINTS = np.random.default_rng(0).normal(size=(20, 2))


def with_batch_normalization():
    layers = [keras.Input((2,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def test_a_critic_that_is_not_fresh_is_refused_untouched():
    network = linear(2)()
    before = network.get_weights()
    with pytest.raises(ValueError, match="`critic` must build a fresh network at each call"):
        wasserstein_critic(POINTS, POINTS, critic=lambda: network)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fake": POINTS[:9]}, "at least half as many as `real`. Received: 20 and 9"),
        ({"real": POINTS[:7]}, "at least 8 examples.*Received: 7 and 20"),
        ({"fake": POINTS[:, :1]}, r"the same shape. Received shapes: \(20, 2\) and \(20, 1\)"),
        ({"fake": POINTS[:, :1] * np.nan}, "`fake` must be finite"),
        ({"critic": with_batch_normalization}, "BatchNormalization"),
        ({"penalty_weight": 0.0}, "`penalty_weight` must be above 0"),
        ({"held_out": 0.1}, "held_out=0.1 of 10"),
        ({"held_out": 2}, r"`held_out` must be in \(0, 1\)"),
        ({"seed": None}, "`seed` must be an integer"),
    ],
)
def test_bad_input(changed, expected):
    given = {"real": POINTS, "fake": POINTS, "critic": linear(2), **changed}
    with pytest.raises(ValueError, match=expected):
        wasserstein_critic(given.pop("real"), given.pop("fake"), **given)
