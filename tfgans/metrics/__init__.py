"""Measures of a trained game: what its players earn, and how far they are from an equilibrium."""

from tfgans.metrics.matrix_game import (
    BestReplyGains,
    MatrixGame,
    best_reply_gains,
    exploitability,
    matrix_game,
)
from tfgans.metrics.noise_bound import wasserstein_noise_bound
from tfgans.metrics.payoff import Equilibrium, Payoff, equilibrium, payoff_matrix

__all__ = [
    "BestReplyGains",
    "Equilibrium",
    "MatrixGame",
    "Payoff",
    "best_reply_gains",
    "equilibrium",
    "exploitability",
    "matrix_game",
    "payoff_matrix",
    "wasserstein_noise_bound",
]
