"""Measures of samples: functions from arrays to numbers, and the metrics of evaluations."""

from tfgans.metrics.birthday import BirthdayParadox, birthday_paradox
from tfgans.metrics.frechet import (
    FrechetMetric,
    frechet_distance,
    frechet_distance_from_statistics,
)
from tfgans.metrics.inception_score import InceptionScore, InceptionScoreMetric, inception_score
from tfgans.metrics.kernel import KernelDistance, KernelMetric, kernel_distance
from tfgans.metrics.metric import Context, Estimate, GaussianModes, Metric, Quantity
from tfgans.metrics.modes import (
    ClassCoverage,
    ClassCoverageMetric,
    ModeCoverage,
    ModeCoverageMetric,
    classifier_mode_coverage,
    mode_coverage,
)
from tfgans.metrics.ms_ssim import MSSSIMMetric, ms_ssim
from tfgans.metrics.neighbors import NearCopiesMetric, NearestNeighbors, nearest_neighbors
from tfgans.metrics.noise_bound import wasserstein_noise_bound
from tfgans.metrics.precision_recall import PrecisionRecallMetric, precision_recall
from tfgans.metrics.statistics import FeatureStatistics
from tfgans.metrics.wasserstein import (
    SlicedWassersteinMetric,
    WassersteinMetric,
    sliced_wasserstein_distance,
    wasserstein_distance,
)

__all__ = [
    "BirthdayParadox",
    "ClassCoverage",
    "ClassCoverageMetric",
    "Context",
    "Estimate",
    "FeatureStatistics",
    "FrechetMetric",
    "GaussianModes",
    "InceptionScore",
    "InceptionScoreMetric",
    "KernelDistance",
    "KernelMetric",
    "MSSSIMMetric",
    "Metric",
    "ModeCoverage",
    "ModeCoverageMetric",
    "NearCopiesMetric",
    "NearestNeighbors",
    "PrecisionRecallMetric",
    "Quantity",
    "SlicedWassersteinMetric",
    "WassersteinMetric",
    "birthday_paradox",
    "classifier_mode_coverage",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "inception_score",
    "kernel_distance",
    "mode_coverage",
    "ms_ssim",
    "nearest_neighbors",
    "precision_recall",
    "sliced_wasserstein_distance",
    "wasserstein_distance",
    "wasserstein_noise_bound",
]
