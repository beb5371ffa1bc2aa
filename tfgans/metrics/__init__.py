"""Measures of samples, and of a trained game: arrays in, numbers out.

`evaluate` brings them together in a record that says how each number came about.
"""

from tfgans.metrics.birthday import BirthdayParadox, birthday_paradox
from tfgans.metrics.comparison import Difference, compare
from tfgans.metrics.density_ratio import density_ratio
from tfgans.metrics.digits_classifier import DigitsClassifier
from tfgans.metrics.evaluation import Evaluator, evaluate
from tfgans.metrics.extractors import Extractor, Features, FunctionExtractor, Identity
from tfgans.metrics.frechet import frechet_distance, frechet_distance_from_statistics
from tfgans.metrics.gradient_norms import GradientNorms, generator_gradient_norms
from tfgans.metrics.inception import inception_2015
from tfgans.metrics.inception_score import InceptionScore, inception_score
from tfgans.metrics.keras_extractor import keras_model
from tfgans.metrics.kernel import KernelDistance, MeanKernelDistance, kernel_distance
from tfgans.metrics.matrix_game import (
    BestReplyGains,
    MatrixGame,
    best_reply_gains,
    exploitability,
    matrix_game,
)
from tfgans.metrics.modes import (
    ClassCoverage,
    ModeCoverage,
    classifier_mode_coverage,
    mode_coverage,
)
from tfgans.metrics.ms_ssim import ms_ssim
from tfgans.metrics.neighbours import NearestNeighbours, nearest_neighbours, precision_recall
from tfgans.metrics.neighbours_picture import neighbours_picture
from tfgans.metrics.neural_net_distance import NeuralNetDistance, neural_net_distance
from tfgans.metrics.noise_bound import wasserstein_noise_bound
from tfgans.metrics.payoff import Equilibrium, Payoff, equilibrium, payoff_matrix
from tfgans.metrics.record import read, table
from tfgans.metrics.sides import model_checksum
from tfgans.metrics.statistics import FeatureStatistics
from tfgans.metrics.table import METRICS, higher_is_better
from tfgans.metrics.wasserstein import sliced_wasserstein_distance, wasserstein_distance
from tfgans.metrics.wasserstein_critic import WassersteinCritic, wasserstein_critic

__all__ = [
    "METRICS",
    "BestReplyGains",
    "BirthdayParadox",
    "ClassCoverage",
    "Difference",
    "DigitsClassifier",
    "Equilibrium",
    "Evaluator",
    "Extractor",
    "FeatureStatistics",
    "Features",
    "FunctionExtractor",
    "GradientNorms",
    "Identity",
    "InceptionScore",
    "KernelDistance",
    "MatrixGame",
    "MeanKernelDistance",
    "ModeCoverage",
    "NearestNeighbours",
    "NeuralNetDistance",
    "Payoff",
    "WassersteinCritic",
    "best_reply_gains",
    "birthday_paradox",
    "classifier_mode_coverage",
    "compare",
    "density_ratio",
    "equilibrium",
    "evaluate",
    "exploitability",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "generator_gradient_norms",
    "higher_is_better",
    "inception_2015",
    "inception_score",
    "keras_model",
    "kernel_distance",
    "matrix_game",
    "mode_coverage",
    "model_checksum",
    "ms_ssim",
    "nearest_neighbours",
    "neighbours_picture",
    "neural_net_distance",
    "payoff_matrix",
    "precision_recall",
    "read",
    "sliced_wasserstein_distance",
    "table",
    "wasserstein_critic",
    "wasserstein_distance",
    "wasserstein_noise_bound",
]
