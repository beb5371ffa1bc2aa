"""The Frechet distance between Gaussians fitted to features."""

import dataclasses
from typing import Any

import numpy as np
from scipy import linalg
from scipy.linalg import blas

from tfgans.metrics import arrays
from tfgans.metrics.distances import blocks
from tfgans.metrics.metric import Context, Metric, Quantity
from tfgans.metrics.statistics import FeatureStatistics, check_moments

# Eigenvalues below this part of the largest are rounding.
_ROUNDING = 1e-10
# Products of products of larger numbers would overflow.
_MOST = 1e50
_MAX_DEFAULT_DIM = 4096
_MAX_PIXELS = 1024


def frechet_distance(real: Any, fake: Any) -> float:
    """Returns the squared Frechet distance between Gaussians fitted to two sets of features.

    Formula: `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`, means and unbiased covariances. With few
    examples it is biased upward, more so in higher dimensions: compare only values from equal
    numbers of examples. Call it FID only if the features are those of the Inception network of
    2015; otherwise name the extractor.

    Args:
        real: Array [num_real, dim] of features; at least two.
        fake: Array [num_fake, dim].

    Returns:
        Float of at least 0, in the square of the features' unit.

    Raises:
        ValueError: If the features are not finite, not points of the same dimension, or too few.

    Example:

    >>> tfgans.metrics.frechet_distance([[0.0], [2.0]], [[3.0], [5.0]])
    9.0

    Reference: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local
    Nash Equilibrium", equation 6; Dowson & Landau 1982.

    Checked against: scipy.linalg.sqrtm, TensorFlow-GAN.
    """
    first, second = arrays.pair(
        real, fake, at_least=2, needed_by="a covariance is estimated", most=_MOST
    )
    if min(len(first), len(second)) > first.shape[1]:
        moments = [_moments(rows) for rows in (first, second)]
        shift = float(np.square(moments[0][0] - moments[1][0]).sum())
        return _distance(shift, moments[0][1], moments[1][1])
    return _distance_of_low_rank(first, second)


def frechet_distance_from_statistics(real: tuple[Any, Any], fake: tuple[Any, Any]) -> float:
    """Returns `frechet_distance` from means and covariances.

    Args:
        real: Pair (mean [dim], covariance [dim, dim]), say those of a `FeatureStatistics`.
        fake: Another.

    Raises:
        ValueError: If they are not finite, or not of the same dimension, or a covariance is not
            symmetric or has a negative variance.

    Example:

    >>> unit, wide = (np.zeros(4), np.eye(4)), (np.ones(4), 4 * np.eye(4))
    >>> tfgans.metrics.frechet_distance_from_statistics(unit, wide)
    8.0
    """
    mean1, covariance1 = _statistics("real", real)
    mean2, covariance2 = _statistics("fake", fake)
    if len(mean1) != len(mean2):
        raise ValueError(
            "`real` and `fake` must have the same dimension. Received: "
            f"{len(mean1)} and {len(mean2)}"
        )
    return _distance(float(np.square(mean1 - mean2).sum()), covariance1, covariance2)


@dataclasses.dataclass(frozen=True)
class FrechetMetric(Metric):
    """`frechet_distance` of the features of all examples.

    Its sums have dim^2 entries, so beyond 4096 dimensions it is measured only on request. For
    pixels, it takes minutes and says little beyond 1024 dimensions, so it is refused there.
    """

    name = "frechet_distance"
    quantities = (Quantity("frechet_distance", official_name="FID"),)
    reads = "statistics"
    by_default = True
    requirement = (
        f"features of images with more than {_MAX_PIXELS} values: an extractor such as "
        "ImageClassifier.train(source) (--extractor=classifier, of images with labels), or smaller "
        "images"
    )

    def suits(self, context: Context) -> bool:
        """Returns whether the features have at most 1024 dimensions, if they are pixels."""
        return not context.is_pixels or context.feature_dim <= _MAX_PIXELS

    def is_default(self, context: Context) -> bool:
        """Returns whether the features have at most 4096 dimensions."""
        return super().is_default(context) and context.feature_dim <= _MAX_DEFAULT_DIM

    def compute(
        self, real: FeatureStatistics, fake: FeatureStatistics, context: Context
    ) -> dict[str, float]:
        """Returns the distance."""
        del context
        pairs = [(each.mean, each.covariance) for each in (real, fake)]
        return {"frechet_distance": frechet_distance_from_statistics(*pairs)}


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    statistics = FeatureStatistics()
    for block in blocks(len(rows)):
        statistics.update(rows[block])
    return statistics.mean, statistics.covariance


def _distance_of_low_rank(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the distance if a covariance is singular, without computing covariances."""
    means = first.mean(axis=0), second.mean(axis=0)
    centered = [rows - mean for rows, mean in zip((first, second), means, strict=True)]
    counts = [len(rows) - 1 for rows in centered]
    traces = sum(
        float(np.square(rows).sum()) / count for rows, count in zip(centered, counts, strict=True)
    )
    # The trace of the root is the sum of the singular values of X1 X2^T.
    root = float(linalg.svdvals(_cross_gram(*centered)).sum()) / np.sqrt(counts[0] * counts[1])
    return _positive(float(np.square(means[0] - means[1]).sum()) + traces - 2 * root)


def _distance(shift: float, first: np.ndarray, second: np.ndarray) -> float:
    """Returns the distance from |m1 - m2|^2 and the covariances."""
    first, second, unit = arrays.scaled(first, second)
    values = linalg.eigvalsh(_product(first, second))
    trace = float(np.sqrt(np.maximum(values, 0)).sum())
    return _positive(shift + unit * float(np.trace(first) + np.trace(second)) - 2 * unit * trace)


def _product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns L^T S2 L for some L with L L^T = S1: symmetric, with the eigenvalues of S1 S2."""
    try:
        factor = linalg.cholesky(first, lower=True)
        # A smaller pivot is rounding error alone.
        if np.diag(factor).min() > np.sqrt(_ROUNDING) * np.diag(factor).max():
            return blas.dtrmm(1.0, factor, second @ factor, lower=1, trans_a=1)
    except linalg.LinAlgError:
        pass  # Singular, or indefinite by rounding: the eigenvalues tell.
    values, vectors = linalg.eigh(first)
    # Values that are rounding are left out: their roots, 1e-8 of the largest each, would add up.
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    root = vectors[:, kept] * np.sqrt(values[kept])
    return root.T @ second @ root


def _cross_gram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns a matrix with the singular values of `first @ second.T`, no larger than dim."""
    if len(first) > first.shape[1]:
        first = linalg.qr(first, mode="r")[0][: first.shape[1]]
    if len(second) > second.shape[1]:
        second = linalg.qr(second, mode="r")[0][: second.shape[1]]
    return first @ second.T


def _positive(distance: float) -> float:
    # It is a square, but rounding may leave it a little below 0.
    return max(0.0, distance)


def _statistics(name: str, pair: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"`{name}` must be a pair (mean, covariance). Received: {type(pair)}")
    mean = arrays.finite(f"mean of {name}", pair[0])
    covariance = arrays.finite(f"covariance of {name}", pair[1])
    check_moments(f"`{name}`", mean, covariance)
    return mean, covariance
