"""Where the points of each penalty lie, against closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from toy import assert_mean

from tfgans import penalties, random

KEY = random.key(3)
NUM, SHAPE = 4000, (4, 4, 3)
NOISES = ("uniform", "symmetric", "gaussian")
noises = pytest.mark.parametrize("noise", NOISES)


def images(num, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(tf.constant(rng.normal(size=(num, *SHAPE)), tf.float32) for _ in range(2))


def half_square(x, training):
    """|x|^2 / 2, whose gradient norm is |x|."""
    return tf.reduce_sum(tf.reshape(x, [tf.shape(x)[0], -1]) ** 2, axis=1, keepdims=True) / 2


def offsets(noise, real, scale=0.5, key=KEY):
    """Float64 offsets from the real examples, in standard deviations of the batch."""
    penalty = penalties.DRAGANPenalty(noise=noise, scale=scale)
    points = penalty.points(real, tf.fill(real.shape, np.nan), key)
    assert points.dtype == tf.float32
    real = real.numpy().astype(np.float64)
    return (points.numpy().astype(np.float64) - real) / real.std()


def test_segments_with_one_alpha_an_example():
    real, fake = images(NUM)
    points = penalties.GradientPenalty().points(real, fake, KEY)
    assert points.dtype == tf.float32
    moved, whole = ((ends - real).numpy().astype(np.float64) for ends in (points, fake))
    moved, whole = moved.reshape(NUM, -1), whole.reshape(NUM, -1)
    alpha = (moved * whole).sum(axis=1) / (whole**2).sum(axis=1)
    # Rank one: nothing is left beside the segment but the rounding of numbers up to 5.
    np.testing.assert_allclose(moved, alpha[:, np.newaxis] * whole, atol=2e-6)
    assert alpha.min() > -1e-6
    assert alpha.max() < 1 + 1e-6
    assert_mean(alpha, 1 / 2)
    assert_mean(alpha**2, 1 / 3)
    assert_mean(alpha[:-1] * alpha[1:], 1 / 4)  # Neighbors share nothing.


def test_on_the_real_and_on_the_fake():
    real, fake = images(5)
    for penalty, examples in ((penalties.R1Penalty(), real), (penalties.R2Penalty(), fake)):
        np.testing.assert_array_equal(penalty.points(real, fake, KEY), examples)
        squared_norms = np.sum(examples.numpy() ** 2, axis=(1, 2, 3))
        np.testing.assert_allclose(
            penalty(half_square, real, fake, key=KEY), squared_norms, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("noise", "limit", "mean", "second", "of_two"),
    [
        # alpha U / 2: sd sqrt(1/9 - 1/16) / 2 = .110, one alpha an example: E alpha^2 (E U)^2 / 4.
        ("uniform", 0.5, 0.125, 0.125**2 + 0.1102396**2, 0.25 / 3 / 4),
        # U[-1, 1) / 2 and N(0, 1) / 2, each number by itself.
        ("symmetric", 0.5, 0.0, 1 / 12, 0.0),
        ("gaussian", np.inf, 0.0, 1 / 4, 0.0),
    ],
)
def test_moments_of_offsets(noise, limit, mean, second, of_two):
    moved = offsets(noise, images(NUM)[0]).reshape(NUM, -1)
    assert np.abs(moved).max() < limit + 1e-6
    # Numbers of one example may share an alpha: only their means are independent.
    assert_mean(moved.mean(axis=1), mean)
    assert_mean((moved**2).mean(axis=1), second)
    assert_mean(moved[:, 0] * moved[:, 1], of_two)
    assert_mean(moved[:-1].mean(axis=1) * moved[1:].mean(axis=1), mean**2)
    if noise == "uniform":
        assert moved.min() > -1e-6
        # The greatest of 48 numbers is alpha / 2 times 48 / 49; with an alpha a number it is 1/2.
        assert_mean(moved.max(axis=1), 0.25 * 48 / 49)
        # alpha and U are two draws: with one for both, the mean would be E U^2 / 2 = 1/6.
        assert_mean(offsets("uniform", tf.reshape(images(NUM)[0], [-1, 1])), 0.125)
    if noise == "gaussian":
        assert_mean(moved**4, 3 / 16)


@noises
def test_one_standard_deviation_of_the_whole_batch(noise):
    """Features and examples of any size are moved as far as the others."""
    rng = np.random.default_rng(1)
    sizes = np.array([0.01, 4.0]) * np.where(np.arange(NUM) % 2, 1.0, 0.1)[:, np.newaxis]
    real = tf.constant(100 + rng.normal(size=(NUM, 2)) * sizes, tf.float32)
    second_moment = {"uniform": 1 / 36, "symmetric": 1 / 12, "gaussian": 1 / 4}[noise]
    moved = offsets(noise, real)
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        for feature in (0, 1):
            assert_mean(moved[rows, feature] ** 2, second_moment)


@noises
def test_offsets_grow_with_the_batch_and_with_the_scale(noise):
    real = images(8)[0]
    moved = offsets(noise, real)
    # In standard deviations: float32 leaves 1e-7 of the largest numbers.
    np.testing.assert_allclose(offsets(noise, 4.0 * real + 3.0), moved, atol=2e-6)
    np.testing.assert_allclose(offsets(noise, real, scale=2.0), 4.0 * moved, atol=4e-6)
    assert not np.allclose(offsets(noise, real, key=random.key(4)), moved)


@noises
def test_without_noise_dragan_is_on_the_real(noise):
    real, fake = images(5)
    penalty = penalties.DRAGANPenalty(noise=noise, scale=0.0)
    np.testing.assert_array_equal(penalty.points(real, fake, KEY), real)
    # Equal examples have no standard deviation: |x|^2 / 2 at real = 0 costs (0 - 1)^2.
    values = penalties.DRAGANPenalty(noise=noise)(half_square, tf.zeros([4, 2]), tf.ones([4, 2]))
    np.testing.assert_allclose(values, 1.0, rtol=3e-6)


def test_terms_of_a_sum_draw_by_themselves():
    """Two equal terms lie at different points: the sum is not twice a term."""
    line, (real, fake) = penalties.GradientPenalty(weight=1.0), images(5)
    both = penalties.PenaltySum([line, line])(half_square, real, fake, key=KEY)
    assert not np.isclose(both, 2 * line(half_square, real, fake, key=KEY)).any()
