"""Ratios of densities: each game's own loss, minimized numerically, says what its logit means."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats
from sklearn.linear_model import LogisticRegression

from tfgans import objectives
from tfgans.games.density_ratio import density_ratio

POINTS = np.linspace(-2, 3, 11)[:, np.newaxis]
P, Q = stats.norm(1, 1).pdf(POINTS[:, 0]), stats.norm(0, 1).pdf(POINTS[:, 0])
DIVERGENCES = ("kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan")
GAMES = [
    objectives.Minimax(),
    objectives.Minimax(label_smoothing=0.2),
    objectives.NonSaturating(label_smoothing=0.05),
    objectives.LeastSquares(),
    objectives.LeastSquares(label_smoothing=0.1),
    *(objectives.FDivergence(name) for name in DIVERGENCES),
]


def says(logits):
    """A discriminator that gives one of `logits` after the other, whatever it sees."""
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
    found = density_ratio(says(logits), POINTS, objective=game)
    assert found.dtype == np.float64
    assert found.shape == (11,)
    # A search by values finds a minimum to the root of float64's precision, 1e-8, and smoothed
    # logits near their bound multiply that by up to some hundreds.
    np.testing.assert_allclose(found, P / Q, rtol=1e-4)
    threshold = density_ratio(says([game.decision_threshold]), POINTS[:1], objective=game)
    assert threshold == pytest.approx(1, rel=1e-9)


def test_ratio_of_the_relativistic_game_at_the_minimum_of_its_loss():
    p, q = np.array([1, 2, 3, 4]) / 10, np.array([4, 1, 2, 3]) / 10
    pairs = (p[:, np.newaxis] * q).astype(np.float64)

    def loss(v):
        return (pairs * np.logaddexp(0, -(v[:, np.newaxis] - v))).sum()

    logits = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    atoms = np.arange(4.0)[:, np.newaxis]
    judge = lambda x, training: tf.gather(logits + 50, tf.cast(x, tf.int32))  # noqa: E731
    fake = np.repeat(atoms, [4, 1, 2, 3], axis=0)
    found = density_ratio(judge, atoms, objective=objectives.Relativistic(), fake=fake)
    # The search's gradients are finite differences: 1e-8 of a loss whose curvature is about 0.1.
    np.testing.assert_allclose(found, p / q, rtol=1e-4)


def test_ratio_of_logistic_regression():
    rng = np.random.default_rng(0)
    real, fake = rng.normal([1, 0, -1], size=(300, 3)), rng.normal(size=(300, 3))
    examples = np.concatenate([real, fake])
    fitted = LogisticRegression().fit(examples, np.repeat([1, 0], 300))
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.set_weights([fitted.coef_.T, fitted.intercept_])
    odds = fitted.predict_proba(examples)
    # Logits are float32, of up to about 8: an error of 1e-6, which is the ratio's relative one.
    expected = pytest.approx(odds[:, 1] / odds[:, 0], rel=1e-5)
    many = np.tile(examples, [4, 1])  # More than go through the network at once.
    for given in (examples, examples.astype(np.float32)):
        assert density_ratio(network, given, objective=objectives.NonSaturating()) == expected
    found = density_ratio(network, many, objective=objectives.NonSaturating())
    # Sums of a batch of another size may round otherwise.
    np.testing.assert_allclose(found[600:1200], found[:600], rtol=1e-5)


def test_bytes_are_images_and_nothing_is_below_zero():
    pixels = np.arange(0, 256, 15, dtype=np.uint8)[:, np.newaxis]
    judge = lambda x, training: 3 * x  # noqa: E731
    found = density_ratio(judge, pixels, objective=objectives.Minimax())
    np.testing.assert_allclose(found, np.exp(3 * (pixels[:, 0] / 127.5 - 1)), rtol=1e-6)
    for game in (objectives.Minimax(), objectives.FDivergence("reverse_kl")):
        certain = density_ratio(says([-1e4] * 11), POINTS, objective=game)
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
        (objectives.Relativistic(), [0.0], "and for `Relativistic`"),
        (objectives.NonSaturating(), [30.0], r"below exp\(30\)"),
        (objectives.NonSaturating(), [np.nan], "must be finite"),
    ],
    ids=str,
)
def test_no_ratio(game, logits, expected):
    with pytest.raises(ValueError, match=expected):
        density_ratio(says(logits), POINTS[: len(logits)], objective=game)


@pytest.mark.parametrize(
    ("examples", "columns", "expected"),
    [
        (POINTS, 3, r"one logit an example.*\(11, 3\) for 11"),
        (POINTS[:0], 1, "at least 1 examples"),
        (POINTS[:, 0], 1, r"shape \[num, ...\]"),
        ("digits", 1, "must be an array of numbers"),
    ],
)
def test_bad_input(examples, columns, expected):
    judge = lambda x, training: tf.tile(x, [1, columns])  # noqa: E731
    with pytest.raises(ValueError, match=expected):
        density_ratio(judge, examples, objective=objectives.Minimax())
