"""Measures of a game: payoffs, equilibria, learned distances, gradient norms, density ratios."""

from tfgans.games.density_ratio import density_ratio
from tfgans.games.gradient_norms import GradientNorms, generator_gradient_norms
from tfgans.games.matrix_game import (
    BestReplyGains,
    MatrixGame,
    best_reply_gains,
    exploitability,
    matrix_game,
)
from tfgans.games.neural_net_distance import NeuralNetDistance, neural_net_distance
from tfgans.games.payoff import Equilibrium, Payoff, equilibrium, payoff_matrix
from tfgans.games.wasserstein_critic import WassersteinCritic, wasserstein_critic

__all__ = [
    "BestReplyGains",
    "Equilibrium",
    "GradientNorms",
    "MatrixGame",
    "NeuralNetDistance",
    "Payoff",
    "WassersteinCritic",
    "best_reply_gains",
    "density_ratio",
    "equilibrium",
    "exploitability",
    "generator_gradient_norms",
    "matrix_game",
    "neural_net_distance",
    "payoff_matrix",
    "wasserstein_critic",
]
