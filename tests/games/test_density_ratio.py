"""Ratios of densities: each game's loss, minimized numerically, says what its logit means."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats

from tfgans import objectives
from tfgans.games import density_ratio

# P = N(1, 1) against Q = N(0, 1): log p / q = x - 1/2.
POINTS = np.linspace(-2, 3, 6)[:, np.newaxis]
P, Q = stats.norm(1, 1).pdf(POINTS[:, 0]), stats.norm(0, 1).pdf(POINTS[:, 0])
GAMES = [
    objectives.Minimax(),
    objectives.Minimax(label_smoothing=0.2),
    objectives.NonSaturating(label_smoothing=0.05),
    objectives.LeastSquares(),
    objectives.LeastSquares(label_smoothing=0.1),
    # The others are in objectives/test_divergences.py.
    objectives.FDivergence("kl"),
]


def fixed(logits):
    """A discriminator that returns `logits` for the first examples, whatever it sees."""
    return lambda x, training: tf.reshape(tf.constant(logits, tf.float64), [-1, 1])[: len(x)]


def best_logit(game, p, q):
    """Returns the v that minimizes p on_real(v) + q on_fake(v), by search."""

    def loss(v):
        logit = tf.constant([[v]], tf.float64)
        on_real, on_fake = game.discriminator_loss(logit, logit)
        return float(p * on_real[0, 0] + q * on_fake[0, 0])

    bracket = game.decision_threshold + np.array([-0.1, 0.1])
    return optimize.minimize_scalar(loss, bracket=tuple(bracket), tol=1e-12).x


@pytest.mark.parametrize("game", GAMES, ids=str)
def test_ratio_at_the_minimum_of_the_loss(game):
    logits = [best_logit(game, p, q) for p, q in zip(P, Q, strict=True)]
    ratios = density_ratio(fixed(logits), POINTS, objective=game)
    assert ratios.dtype == np.float64
    # A search by values finds a minimum to the root of float64's precision, 1e-8, and smoothed
    # logits near their bound multiply that by up to some hundreds.
    np.testing.assert_allclose(ratios, P / Q, rtol=1e-4)
    threshold = density_ratio(fixed([game.decision_threshold]), POINTS[:1], objective=game)
    assert threshold == pytest.approx(1, rel=1e-9)


def test_ratio_of_the_relativistic_game_at_the_minimum_of_its_loss():
    p, q = np.array([1, 2, 3, 4]) / 10, np.array([4, 1, 2, 3]) / 10

    def loss(v):
        return (p[:, np.newaxis] * q * np.logaddexp(0, -(v[:, np.newaxis] - v))).sum()

    logits = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    atoms = np.arange(4.0)[:, np.newaxis]
    network = lambda x, training: tf.gather(logits + 50, tf.cast(x, tf.int32))  # noqa: E731
    fake = np.repeat(atoms, [4, 1, 2, 3], axis=0)
    ratios = density_ratio(network, atoms, objective=objectives.Relativistic(), fake=fake)
    # The search's gradients are finite differences: 1e-8 of a loss whose curvature is about 0.1.
    np.testing.assert_allclose(ratios, p / q, rtol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_ratio_of_kl_wgan_is_normalized_by_the_fakes(temperature):
    fake = np.random.default_rng(0).normal(size=(1000, 1))
    objective = objectives.KLWasserstein(
        form="linear", weight_gradient=False, temperature=temperature
    )
    # Known up to a constant, whatever its size.
    network = lambda x, training: temperature * x + 1e4  # noqa: E731
    ratios = density_ratio(network, fake, objective=objective, fake=fake)
    assert ratios.mean() == pytest.approx(1)
    np.testing.assert_allclose(ratios, np.exp(fake[:, 0]) / np.exp(fake).mean(), rtol=5e-3)


@pytest.mark.parametrize("form", ["linear", "hinge"])
@pytest.mark.parametrize("weight_gradient", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_a_single_form_of_kl_wgan_is_stationary_at_the_ratio(form, weight_gradient, temperature):
    """On four points, P = (1, 2, 3, 4) / 10 and Q = (4, 1, 2, 3) / 10."""
    real, fake = (np.repeat(np.arange(4), counts) for counts in ([1, 2, 3, 4], [4, 1, 2, 3]))
    ratio = np.array([1 / 4, 2, 3 / 2, 4 / 3])
    objective = objectives.KLWasserstein(
        form=form, weight_gradient=weight_gradient, temperature=temperature
    )
    # Up to a constant, with which the hinge of some points is flat.
    logits = tf.Variable(temperature * np.log(ratio) + 1)
    with tf.GradientTape() as tape:
        terms = objective.discriminator_loss(
            *(tf.gather(logits, points)[:, tf.newaxis] for points in (real, fake))
        )
        loss = tf.add_n([tf.reduce_mean(term) for term in terms])
    slope = np.abs(tf.convert_to_tensor(tape.gradient(loss, logits))).max()
    if objective.estimates_ratio:
        assert slope < 1e-12
        return
    assert slope > 0.01
    with pytest.raises(ValueError, match=f"form='{form}', weight_gradient={weight_gradient}"):
        density_ratio(fixed(logits), POINTS[:4], objective=objective, fake=POINTS[:4])


def test_uint8_is_images_and_nothing_is_below_zero():
    pixels = np.arange(256, dtype=np.uint8).repeat(10)[:, np.newaxis]  # More than a batch.
    network = lambda x, training: 3 * x  # noqa: E731
    expected = np.exp(3 * (pixels[:, 0] / 127.5 - 1))
    for examples in (pixels, tf.constant(pixels), (pixels / 127.5 - 1).astype(np.float64)):
        ratios = density_ratio(network, examples, objective=objectives.Minimax())
        np.testing.assert_allclose(ratios, expected, rtol=1e-6)
    for game in (objectives.Minimax(), objectives.FDivergence("reverse_kl")):
        certain = density_ratio(fixed([-1e4] * 6), POINTS, objective=game)
        assert ((certain >= 0) & (certain < 1e-300)).all()


@pytest.mark.parametrize(
    ("game", "logits", "expected"),
    [
        (objectives.FDivergence("pearson"), [-2.5], r"logits in \(-2, inf\).*1 of 1 outside"),
        (objectives.LeastSquares(), [0.5, 1.0, 0.0], r"logits in \(0, 1\).*2 of 3 outside"),
        (objectives.Minimax(label_smoothing=0.2), [1.4], r"in \(-inf, 1.38629\).*\[1.4, 1.4\]"),
        (objectives.FDivergence("total_variation"), [0.0], "only tells on which side of 1"),
        (objectives.Wasserstein(), [0.0], "implies no density ratio"),
        (objectives.Hinge(), [0.0], "implies no density ratio"),
        (objectives.Relativistic(), [0.0], "`Relativistic` need `fake`"),
        (objectives.KLWasserstein(), [0.0], "`KLWasserstein` and"),
        (objectives.NonSaturating(), [30.0], r"below exp\(30\)"),
        (objectives.FDivergence("kl"), [100.0], r"below exp\(30\)"),
        (objectives.NonSaturating(), [np.nan], "must be finite"),
        ("minimax", [0.0], "Objective"),
    ],
    ids=str,
)
def test_no_ratio(game, logits, expected):
    with pytest.raises(ValueError, match=expected):
        density_ratio(fixed(logits), POINTS[: len(logits)], objective=game)


@pytest.mark.parametrize(
    ("examples", "options", "expected"),
    [
        (np.zeros([6, 3]), {}, r"a logit per example.*\(6, 3\) for 6"),
        (POINTS[:0], {}, "at least 1 examples"),
        (POINTS[:, 0], {}, r"shape \[num, ...\]"),
        ("digits", {}, "must be an array of numbers"),
        (POINTS, {"fake": POINTS}, "other objectives do not take it"),
    ],
)
def test_bad_input(examples, options, expected):
    with pytest.raises(ValueError, match=expected):
        density_ratio(lambda x, training: x, examples, objective=objectives.Minimax(), **options)
