"""Games with known solutions, and what holds of every game."""

import numpy as np
import pytest

from tfgans import games

PENNIES = [[1, -1], [-1, 1]]
ROCK_PAPER_SCISSORS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]


def random_matrix(shape):
    return np.random.default_rng(0).normal(size=shape)


def assert_solves(game, payoff, *, unit=1.0):
    matrix = np.asarray(payoff, np.float64)
    for weights, size in zip(game[1:], matrix.shape, strict=True):
        assert (weights.dtype, weights.shape) == (np.float64, (size,))
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert games.exploitability(matrix, *game[1:]) < 1e-8 * unit
    assert game.value == pytest.approx(game.generator @ matrix @ game.discriminator)


@pytest.mark.parametrize(
    ("payoff", "value", "generator", "discriminator"),
    [
        (np.eye(5), 0.2, [0.2] * 5, [0.2] * 5),
        (np.diag([1.0, 2.0]), 2 / 3, [2 / 3, 1 / 3], [2 / 3, 1 / 3]),
        (PENNIES, 0.0, [0.5, 0.5], [0.5, 0.5]),
        (ROCK_PAPER_SCISSORS, 0.0, [1 / 3] * 3, [1 / 3] * 3),
        # The last row costs its player more whatever the other does, the last column earns less.
        ([[1, -1, -2], [-1, 1, -2], [3, 4, 2]], 0.0, [0.5, 0.5, 0], [0.5, 0.5, 0]),
        ([[3, 5], [2, 9]], 5.0, [1, 0], [0, 1]),  # A saddle point: pure strategies.
        ([[3, -1], [-2, 1]], 1 / 7, [3 / 7, 4 / 7], [2 / 7, 5 / 7]),
        ([[4.0]], 4.0, [1.0], [1.0]),
    ],
)
def test_known_games(payoff, value, generator, discriminator):
    game = games.matrix_game(payoff)
    assert_solves(game, payoff)
    assert game.value == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(game.generator, generator, atol=1e-9)
    np.testing.assert_allclose(game.discriminator, discriminator, atol=1e-9)


DEGENERATE = np.random.default_rng(2)
PAYOFFS = [
    *map(random_matrix, [(1, 4), (4, 1), (7, 3), (12, 20)]),
    # Ties, equal and dominated rows and columns, several equilibria.
    *(DEGENERATE.integers(-1, 2, size=shape).astype(float) for shape in [(3, 3), (8, 8), (4, 6)]),
    *(np.zeros([3, 2]), np.full([2, 3], -1.386), np.repeat(np.eye(2), 3, axis=1)),
]


@pytest.mark.parametrize("payoff", PAYOFFS, ids=lambda payoff: str(payoff.shape))
def test_every_game(payoff):
    shape = payoff.shape
    game, swapped = games.matrix_game(payoff), games.matrix_game(-payoff.T)
    assert_solves(game, payoff)
    pure_maximin, pure_minimax = payoff.min(axis=0).max(), payoff.max(axis=1).min()
    assert pure_maximin - 1e-9 <= game.value <= pure_minimax + 1e-9
    # Who minimizes F as rows maximizes -F^T as columns.
    assert swapped.value == pytest.approx(-game.value, abs=1e-9)
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(shape[0])), rng.dirichlet(np.ones(shape[1]))
    gains = games.best_reply_gains(payoff, p, q)
    assert games.best_reply_gains(-payoff.T, q, p) == pytest.approx(gains[::-1])
    value = sum(p[i] * q[j] * payoff[i, j] for i in range(shape[0]) for j in range(shape[1]))
    by_row = [sum(q * payoff[i]) for i in range(shape[0])]
    by_column = [sum(p * payoff[:, j]) for j in range(shape[1])]
    assert gains == pytest.approx((value - min(by_row), max(by_column) - value), abs=1e-12)
    assert games.exploitability(payoff, p, q) == pytest.approx(sum(gains), abs=1e-15)
    assert value - gains.generator - 1e-9 <= game.value <= value + gains.discriminator + 1e-9


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e300])
@pytest.mark.parametrize("offset", [0.0, -1e4])
def test_unit_and_offset_do_not_matter(scale, offset):
    payoff, uniform = random_matrix((4, 6)), (np.full(4, 1 / 4), np.full(6, 1 / 6))
    original, moved = games.matrix_game(payoff), scale * (payoff + offset)
    game = games.matrix_game(moved)
    assert_solves(game, moved, unit=scale)
    assert game.value / scale == pytest.approx(original.value + offset, abs=1e-8)
    np.testing.assert_allclose(game.generator, original.generator, atol=1e-7)
    np.testing.assert_allclose(game.discriminator, original.discriminator, atol=1e-7)
    gains = np.array(games.best_reply_gains(moved, *uniform)) / scale
    expected = games.best_reply_gains(payoff, *uniform)
    np.testing.assert_allclose(gains, expected, rtol=1e-9, atol=1e-11)


def test_sums_in_float32_pass_and_are_made_exact():
    p = np.full(7, 1 / 7, np.float32) * np.float32(1 + 5e-5)
    payoff = np.full([7, 1], 3.0)
    assert games.exploitability(payoff, p, np.float32([1])) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize(
    ("payoff", "expected"),
    [
        ([1.0, 2.0], r"matrix \[generators, discriminators\].*shape: \(2,\)"),
        (np.zeros([0, 3]), r"at least one entry.*shape: \(0, 3\)"),
        ([[1.0, np.nan], [np.inf, 0.0]], "must be finite. Received: 2 NaN"),
        ("dcgan", "`payoff` must be an array of numbers"),
    ],
)
def test_bad_payoffs(payoff, expected):
    with pytest.raises(ValueError, match=expected):
        games.matrix_game(payoff)
    with pytest.raises(ValueError, match=expected):
        games.exploitability(payoff, [1.0], [1.0])


@pytest.mark.parametrize("name", ["p", "q"])
def test_bad_probabilities(name):
    for weights in ([1.0], [1.5, -0.5]):
        strategies = {"p": [0.5, 0.5], "q": [0.5, 0.5], name: weights}
        with pytest.raises(ValueError, match=f"`{name}` must"):
            games.best_reply_gains(PENNIES, **strategies)
