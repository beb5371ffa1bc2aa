"""Objectives against theory: at the best discriminator a loss is a divergence, by integration."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfgans import objectives
from tfgans.objectives import FDivergence

GRID = np.arange(-20, 30, 1e-3)


@dataclasses.dataclass(frozen=True)
class Divergence:
    """What the paper's tables say of one f, apart from the code."""

    f: Callable
    slope: Callable  # f'
    logit: Callable  # the v with g(v) = f'(u)


DIVERGENCES = {
    "kl": Divergence(lambda u: u * np.log(u), lambda u: np.log(u) + 1, lambda u: 1 + np.log(u)),
    "reverse_kl": Divergence(lambda u: -np.log(u), lambda u: -1 / u, np.log),
    "pearson": Divergence(lambda u: (u - 1) ** 2, lambda u: 2 * (u - 1), lambda u: 2 * (u - 1)),
    "squared_hellinger": Divergence(
        lambda u: (np.sqrt(u) - 1) ** 2, lambda u: 1 - u**-0.5, lambda u: np.log(u) / 2
    ),
    "jensen_shannon": Divergence(
        lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
        lambda u: np.log(2 * u / (u + 1)),
        np.log,
    ),
    "gan": Divergence(
        lambda u: u * np.log(u) - (u + 1) * np.log(u + 1), lambda u: np.log(u / (u + 1)), np.log
    ),
    # Its optimum is at infinite logits; tanh(20) is 1 in float64.
    "total_variation": Divergence(
        lambda u: abs(u - 1) / 2, lambda u: np.sign(u - 1) / 2, lambda u: 20 * np.sign(u - 1)
    ),
}
each = pytest.mark.parametrize("name", DIVERGENCES)


@each
def test_conjugate_is_the_supremum(name):
    """f*(t) = sup over u > 0 of t u - f(u), for the t that the activation gives."""
    game = FDivergence(name)
    # Below v = -2 Pearson's f goes on to u < 0.
    values = game.activation(tf.constant(np.linspace(-2, 3, 26))).numpy()
    ratios = np.append(np.geomspace(1e-6, 1e3, 200_001), 1.0)  # total variation's kink
    lines = ratios * values[:, np.newaxis] - DIVERGENCES[name].f(ratios)
    np.testing.assert_allclose(game.conjugate(tf.constant(values)), lines.max(axis=1), atol=3e-6)


@each
def test_loss_on_fakes_is_the_conjugate_of_the_activation(name):
    game = FDivergence(name)
    logits = tf.constant(np.linspace(-8, 8, 65))
    on_real, on_fake = game.discriminator_loss(logits, logits)
    expected = game.conjugate(game.activation(logits))
    np.testing.assert_allclose(on_fake, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(on_real, -game.activation(logits))
    np.testing.assert_array_equal(game.generator_loss(None, logits), -on_fake)
    other = FDivergence(name, non_saturating=True).generator_loss(None, logits)
    np.testing.assert_array_equal(other, on_real)


@each
def test_bound_is_tight_at_the_best_discriminator(name):
    """P = N(1, 1) real, Q = N(0, 1) fake: p / q = exp(x - 1/2), T* = f'(p / q)."""
    game, theory = FDivergence(name), DIVERGENCES[name]
    ratio = np.exp(GRID - 0.5)
    logits = tf.constant(theory.logit(ratio))
    np.testing.assert_allclose(game.activation(logits), theory.slope(ratio), rtol=1e-9, atol=1e-12)
    if name != "total_variation":
        np.testing.assert_allclose(game.density_ratio(logits), ratio, rtol=1e-9, atol=1e-12)


@each
def test_threshold_and_slope(name):
    """g at the threshold is f'(1), and d f*(g(v)) / dv = (p / q) dg / dv."""
    game = FDivergence(name)
    at_threshold = game.activation(tf.constant(game.decision_threshold, tf.float64))
    assert float(at_threshold) == pytest.approx(DIVERGENCES[name].slope(1.0), abs=1e-12)
    logits = tf.constant(np.linspace(-4, 4, 17))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        on_real, on_fake = game.discriminator_loss(logits, logits)
    rise = -tape.gradient(on_real, logits)
    ratio = 1.0 if name == "total_variation" else game.density_ratio(logits)
    np.testing.assert_allclose(tape.gradient(on_fake, logits), ratio * rise, rtol=1e-9)


@pytest.mark.parametrize("non_saturating", [False, True])
def test_gan_and_jensen_shannon_are_the_games_of_goodfellow(non_saturating):
    logits = tf.constant(np.linspace(-9, 9, 37))
    known = objectives.NonSaturating() if non_saturating else objectives.Minimax()
    expected = (*known.discriminator_loss(logits, logits), known.generator_loss(None, logits))
    # Jensen-Shannon shifts D's terms by -log 2 each; the generator's with its sign.
    shifts = np.log(2) * np.array([-1, -1, -1 if non_saturating else 1])
    for name, shift in (("gan", 0 * shifts), ("jensen_shannon", shifts)):
        game = FDivergence(name, non_saturating=non_saturating)
        terms = (*game.discriminator_loss(logits, logits), game.generator_loss(None, logits))
        for term, value, constant in zip(terms, expected, shift, strict=True):
            np.testing.assert_allclose(term, value + constant, atol=1e-12)


@pytest.mark.parametrize(("dtype", "limit"), [(tf.float32, 30.0), (tf.float16, 7.0)])
def test_exponentials_go_on_along_the_tangent(dtype, limit):
    game = FDivergence("reverse_kl", non_saturating=True)  # the generator's loss is exp(-v)
    logits = -tf.constant([limit - 1, limit, limit + 1, 2 * limit], dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = game.generator_loss(None, logits)
    top = np.exp(limit)
    rtol = 1e-5 if dtype == tf.float32 else 2e-2
    np.testing.assert_allclose(loss, top * np.array([1 / np.e, 1, 2, 1 + limit]), rtol=rtol)
    expected = -top * np.array([1 / np.e, 1, 1, 1])
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, rtol=rtol)


@pytest.mark.parametrize("name", sorted(set(DIVERGENCES) - {"total_variation"}))
def test_density_ratio_is_finite(name):
    for dtype, size in ((tf.float32, 1e4), (tf.float16, 50.0)):
        ratios = FDivergence(name).density_ratio(tf.constant([[-size], [size]], dtype))
        assert ratios.dtype == dtype
        assert np.isfinite(ratios).all()
