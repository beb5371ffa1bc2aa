"""Measures of samples: arrays in, numbers out."""

from tfgans.metrics.birthday import BirthdayParadox, birthday_paradox
from tfgans.metrics.frechet import frechet_distance, frechet_distance_from_statistics
from tfgans.metrics.inception_score import InceptionScore, inception_score
from tfgans.metrics.kernel import KernelDistance, MeanKernelDistance, kernel_distance
from tfgans.metrics.modes import (
    ClassCoverage,
    ModeCoverage,
    classifier_mode_coverage,
    mode_coverage,
)
from tfgans.metrics.ms_ssim import ms_ssim
from tfgans.metrics.neighbours import NearestNeighbours, nearest_neighbours, precision_recall
from tfgans.metrics.noise_bound import wasserstein_noise_bound
from tfgans.metrics.statistics import FeatureStatistics
from tfgans.metrics.wasserstein import sliced_wasserstein_distance, wasserstein_distance

__all__ = [
    "BirthdayParadox",
    "ClassCoverage",
    "FeatureStatistics",
    "InceptionScore",
    "KernelDistance",
    "MeanKernelDistance",
    "ModeCoverage",
    "NearestNeighbours",
    "birthday_paradox",
    "classifier_mode_coverage",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "inception_score",
    "kernel_distance",
    "mode_coverage",
    "ms_ssim",
    "nearest_neighbours",
    "precision_recall",
    "sliced_wasserstein_distance",
    "wasserstein_distance",
    "wasserstein_noise_bound",
]
