"""Zero-sum games of a payoff matrix: value, equilibria, and the gains of best replies.

In this module `payoff[i, j]` is the payoff of discriminator j against generator i: rows, the
generators, minimize it; columns, the discriminators, maximize it.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from tfgans import checks
from tfgans.metrics import arrays

# The smallest tolerance of HiGHS; a payoff is solved on the scale of [0, 1].
_TOLERANCE = 1e-10


class MatrixGame(NamedTuple):
    """The solution of a zero-sum game.

    Attributes:
        value: Float, the payoff of the discriminators at an equilibrium, in the payoff's unit.
        generator: float64 [kg], probabilities of the rows at an equilibrium.
        discriminator: float64 [kd], probabilities of the columns at an equilibrium.
    """

    value: float
    generator: np.ndarray
    discriminator: np.ndarray


class BestReplyGains(NamedTuple):
    """The gain of each player by its best pure reply to the other's mixed strategy.

    Attributes:
        generator: Float of at least 0, by which the generators could lower the payoff.
        discriminator: Float of at least 0, by which the discriminators could raise it.
    """

    generator: float
    discriminator: float


def matrix_game(payoff: Any) -> MatrixGame:
    """Returns the value of a zero-sum game and an equilibrium in mixed strategies.

    Formula: `V = min_p max_j (p^T F)_j = max_q min_i (F q)_i`, p and q probabilities: the minimax
    theorem. The strategy of each player solves a linear program, on the payoff's scale, so that
    neither its unit nor its offset matters. The value is unique; if the equilibrium is not, the
    result is any of them.

    Args:
        payoff: Array [kg, kd] of finite numbers. Rows minimize, columns maximize.

    Returns:
        A `MatrixGame`: `value`, `generator` and `discriminator`.

    Raises:
        ValueError: If the payoff is not a matrix of finite numbers, or is empty.
        RuntimeError: If a linear program is not solved.

    Example:

    >>> tfgans.games.matrix_game([[1, -1], [-1, 1]])  # matching pennies
    MatrixGame(value=0.0, generator=array([0.5, 0.5]), discriminator=array([0.5, 0.5]))

    Reference: von Neumann 1928, "Zur Theorie der Gesellschaftsspiele".
    """
    matrix = _matrix(payoff)
    generator = _cautious_strategy(matrix)
    discriminator = _cautious_strategy(-matrix.T)
    return MatrixGame(float(generator @ matrix @ discriminator), generator, discriminator)


def best_reply_gains(payoff: Any, p: Any, q: Any) -> BestReplyGains:
    """Returns the gain of each player by its best pure reply to the other.

    Formula: `p^T F q - min_i (F q)_i` for the generators, `max_j (p^T F)_j - p^T F q` for the
    discriminators. With epsilon the larger of the two, (p, q) is an epsilon-approximate
    equilibrium in the sense of Arora et al. about the value `p^T F q`: no discriminator earns more
    than that value plus epsilon against p, no generator gives less than it minus epsilon against q.

    Args:
        payoff: Array [kg, kd] of finite numbers. Rows minimize, columns maximize.
        p: Array [kg], probabilities of the generators; sums to 1 within 1e-4.
        q: Array [kd], probabilities of the discriminators; the same.

    Returns:
        A `BestReplyGains`: `generator` and `discriminator`, both at least 0, in the payoff's unit.

    Raises:
        ValueError: If the payoff is not a matrix of finite numbers, or p or q are not probabilities
            of its rows and columns.

    Example:

    >>> tfgans.games.best_reply_gains([[1, -1], [-1, 1]], [1, 0], [1, 0])
    BestReplyGains(generator=2.0, discriminator=0.0)

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    the definition of an epsilon-approximate equilibrium.
    """
    matrix = _matrix(payoff)
    rows = checks.probabilities("p", p, matrix.shape[0])
    columns = checks.probabilities("q", q, matrix.shape[1])
    against_rows, against_columns = rows @ matrix, matrix @ columns
    # A mean of numbers less the least of them: at least 0 but for rounding.
    return BestReplyGains(
        generator=max(0.0, float(rows @ against_columns - against_columns.min())),
        discriminator=max(0.0, float(against_rows.max() - against_rows @ columns)),
    )


def exploitability(payoff: Any, p: Any, q: Any) -> float:
    """Returns the sum of the gains of both players by their best pure replies.

    Formula: `max_j (p^T F)_j - min_i (F q)_i`, the duality gap: 0 exactly at an equilibrium, above
    0 elsewhere, in the payoff's unit.

    Args:
        payoff: Array [kg, kd] of finite numbers. Rows minimize, columns maximize.
        p: Array [kg], probabilities of the generators; sums to 1 within 1e-4.
        q: Array [kd], probabilities of the discriminators; the same.

    Raises:
        ValueError: If the payoff is not a matrix of finite numbers, or p or q are not probabilities
            of its rows and columns.

    Example:

    >>> tfgans.games.exploitability([[1, -1], [-1, 1]], [0.5, 0.5], [0.5, 0.5])
    0.0
    """
    return sum(best_reply_gains(payoff, p, q))


def _matrix(payoff: Any) -> np.ndarray:
    matrix = arrays.numbers("payoff", payoff)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(
            "`payoff` must be a matrix [generators, discriminators] with at least one entry. "
            f"Received shape: {matrix.shape}"
        )
    num_bad = int(np.sum(~np.isfinite(matrix)))
    if num_bad:
        raise ValueError(
            f"`payoff` must be finite. Received: {num_bad} NaN or infinite entries of "
            f"{matrix.size}. Leave out the components that diverged"
        )
    return matrix


def _cautious_strategy(matrix: np.ndarray) -> np.ndarray:
    """Returns the mixture of rows whose greatest entry is least: minimize v, p^T F <= v."""
    # First divided by the largest entry, so that the range does not overflow.
    scaled = matrix / (np.abs(matrix).max() or 1.0)
    scaled = (scaled - scaled.min()) / (np.ptp(scaled) or 1.0)
    num_rows, num_columns = scaled.shape
    solution = optimize.linprog(
        c=[*np.zeros(num_rows), 1.0],
        A_ub=np.hstack([scaled.T, -np.ones([num_columns, 1])]),
        b_ub=np.zeros(num_columns),
        A_eq=[[*np.ones(num_rows), 0.0]],
        b_eq=[1.0],
        bounds=[*[(0, None)] * num_rows, (None, None)],
        method="highs",
        options={
            "primal_feasibility_tolerance": _TOLERANCE,
            "dual_feasibility_tolerance": _TOLERANCE,
        },
    )
    if not solution.success:
        raise RuntimeError(f"The linear program was not solved: {solution.message}")
    strategy = np.clip(solution.x[:num_rows], 0.0, None)
    return strategy / strategy.sum()
