"""KL-WGAN: its weights, its limits, and the bound of Donsker and Varadhan."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgans import objectives
from tfgans.objectives import KLWasserstein, donsker_varadhan

FAKE = tf.constant([[0.0], [1.0], [2.0]], tf.float64)
REAL = tf.constant([[0.5], [-1.0], [3.0]], tf.float64)


def _random(rows, *, columns=1, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(0, 2, (rows, columns)))


def test_known_values():
    """The weights of f = (0, 1, 2), and the means of the terms."""
    game = KLWasserstein()
    np.testing.assert_allclose(
        game.importance_weights(FAKE)[:, 0], [0.2700917, 0.7341854, 1.9957228], atol=1e-7
    )
    assert np.mean(game.generator_loss(None, FAKE)) == pytest.approx(-1.5752104, abs=1e-7)
    _, on_fake = game.discriminator_loss(REAL, FAKE)
    assert np.mean(on_fake) == pytest.approx(2.5752104, abs=1e-7)
    _, on_fake = KLWasserstein(form="linear").discriminator_loss(REAL, FAKE)
    assert np.mean(on_fake) == pytest.approx(1.5752104, abs=1e-7)


def test_weights_have_mean_one_and_no_level():
    game = KLWasserstein(temperature=0.7)
    logits = _random(50, columns=3)
    ratios = game.importance_weights(logits)
    np.testing.assert_allclose(tf.reduce_mean(ratios, axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(game.importance_weights(logits + 123), ratios, rtol=1e-9)
    np.testing.assert_array_equal(game.importance_weights(tf.fill([5, 2], 7.0)), np.ones([5, 2]))
    np.testing.assert_array_equal(game.importance_weights(tf.constant([[1e4]])), [[1.0]])
    equal = game.importance_weights(logits, fake_weights=tf.ones([50, 1]))
    np.testing.assert_array_equal(equal, ratios)


@pytest.mark.parametrize(
    ("form", "limit"), [("hinge", objectives.Hinge()), ("linear", objectives.Wasserstein())]
)
def test_high_temperature_is_the_unweighted_game(form, limit):
    game = KLWasserstein(form=form, temperature=1e9)
    real, fake = _random(20), _random(20, seed=1)
    for term, expected in zip(
        (*game.discriminator_loss(real, fake), game.generator_loss(None, fake)),
        (*limit.discriminator_loss(real, fake), limit.generator_loss(None, fake)),
        strict=True,
    ):
        np.testing.assert_allclose(term, expected, atol=1e-7)


@pytest.mark.parametrize("form", ["hinge", "linear"])
def test_weights_that_repeat_a_row_are_rows_repeated(form):
    game = KLWasserstein(form=form, temperature=2.0)
    logits, times = _random(4, columns=2), [1, 3, 2, 1]
    repeated = tf.repeat(logits, times, axis=0)
    weights = tf.constant(times, tf.float32)[:, tf.newaxis]
    for scale in (1.0, 0.01):  # only shares count
        options = {"fake_weights": weights * scale}
        for term, expected in (
            (game.importance_weights(logits, **options), game.importance_weights(repeated)),
            (game.generator_loss(None, logits, **options), game.generator_loss(None, repeated)),
            (
                game.discriminator_loss(logits, logits, **options)[1],
                game.discriminator_loss(repeated, repeated)[1],
            ),
        ):
            np.testing.assert_allclose(tf.repeat(term, times, axis=0), expected, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "size"), [(tf.float32, 1e4), (tf.float16, 50.0)])
@pytest.mark.parametrize("weights", [[0.0, 1.0, 2.0], [1e-3, 1.0, 0.0], [2.0, 0.0, 0.0]])
def test_finite_with_weights_of_zero(dtype, size, weights):
    """A fake that counts nothing has no say, however high its logit, and gives no NaN."""
    logits = tf.constant([[size], [0.0], [-size]], dtype)
    weights = tf.constant(weights, dtype)[:, tf.newaxis]
    game = KLWasserstein()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((logits, weights))
        ratios = game.importance_weights(logits, fake_weights=weights)
        generator = weights * game.generator_loss(None, logits, fake_weights=weights)
        on_real, on_fake = game.discriminator_loss(logits, logits, fake_weights=weights)
        discriminator = on_real + weights * on_fake
    counts = tf.reduce_sum(weights * ratios) / tf.reduce_sum(weights)
    assert float(counts) == pytest.approx(1, abs=5e-3)
    for loss in (generator, discriminator):
        assert np.isfinite(loss).all()
        for gradient in tape.gradient(loss, (logits, weights)):
            assert np.isfinite(gradient).all()


def test_gradient_reaches_the_weights():
    """The weighted mean of r f is sum w f e^f / sum w e^f; its slope by central differences."""
    game, weights = KLWasserstein(), np.array([[0.2], [0.5], [0.3]])

    def loss(weights):
        weights = tf.convert_to_tensor(weights)
        terms = weights * game.generator_loss(None, FAKE, fake_weights=weights)
        return tf.reduce_sum(terms) / tf.reduce_sum(weights)

    with tf.GradientTape() as tape:
        tensor = tf.constant(weights)
        tape.watch(tensor)
        value = loss(tensor)
    powers = weights * np.exp(FAKE)
    assert float(value) == pytest.approx(-(powers * FAKE).numpy().sum() / powers.sum(), rel=1e-12)
    steps = 1e-6 * np.eye(3)[..., np.newaxis]
    expected = [[float(loss(weights + h) - loss(weights - h)) / 2e-6] for h in steps]
    np.testing.assert_allclose(tape.gradient(value, tensor), expected, rtol=1e-7)


def test_stopped_weights_climb_the_donsker_varadhan_bound():
    """With r held fixed, E r grad f is the gradient of log E exp f: the negated bound's."""
    real, fake, weights = _random(9), _random(7, seed=1), tf.ones([7, 1], tf.float64)
    game = KLWasserstein(form="linear", weight_gradient=False)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake, weights))
        on_real, on_fake = game.discriminator_loss(real, fake, fake_weights=weights)
        loss = tf.reduce_mean(on_real) + tf.reduce_mean(on_fake)
        bound = -donsker_varadhan(real, fake)
    for ours, theirs in zip(
        tape.gradient(loss, (real, fake)), tape.gradient(bound, (real, fake)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert tape.gradient(loss, weights) is None
    # Flowing or stopped, the losses are the same numbers.
    flowing = KLWasserstein(form="linear").discriminator_loss(real, fake)
    np.testing.assert_array_equal(flowing[1], on_fake)


def test_donsker_varadhan_between_gaussians():
    """P = N(1, 1), Q = N(0, 1): f = x - 1/2 gives KL = 1/2, another less."""
    quantiles = scipy.stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, np.newaxis]

    def bound(critic):
        return float(
            donsker_varadhan(critic(tf.constant(quantiles + 1)), critic(tf.constant(quantiles)))
        )

    best = bound(lambda x: x - 0.5)
    assert best == pytest.approx(0.5, abs=1e-3)
    assert bound(lambda x: x + 100) == pytest.approx(best, abs=1e-9)
    # f = a x gives a - a^2 / 2.
    assert bound(lambda x: 0.5 * x) == pytest.approx(0.375, abs=1e-3)
    assert bound(lambda x: 1.5 * x) == pytest.approx(0.375, abs=1e-3)


def test_donsker_varadhan_shapes_and_size():
    real, fake = _random(9, columns=2), _random(7, columns=2, seed=1)
    columns = [float(donsker_varadhan(real[:, i : i + 1], fake[:, i : i + 1])) for i in range(2)]
    both = donsker_varadhan(real, fake)
    assert both.shape == ()
    assert float(both) == pytest.approx(np.mean(columns), rel=1e-12)
    logits = tf.constant([[-1e4], [1e4]])
    assert float(donsker_varadhan(logits, logits)) == pytest.approx(-1e4 + np.log(2))
