"""Scores the samples of the labs: points of known modes, and digits."""

import math
from typing import Any

import numpy as np
from scipy import optimize

from tfgans import evaluation, metrics
from tfgans.data import GaussianMixture

POINTS = {
    "modes": "modes that hold at least 5 % of their fair share of the samples within 3 std",
    "high_quality": "share of the samples within 3 std of a mode (real data: .989)",
    "sliced": "sliced Wasserstein-1 distance to real draws, over 128 directions",
    "variation": "total variation between the samples' shares of the modes and the proportions",
}
FRECHET = "Frechet distance to real images, in the features of a classifier of digits"


def of_points(samples: np.ndarray, source: GaussianMixture) -> dict[str, float]:
    """Returns the measures `POINTS` of samples [num, dim], beside as many real draws.

    The real draws have the same seed in all runs. Samples that are not finite, of a game that
    diverged, get the worst scores instead of NaN.
    """
    if not np.isfinite(samples).all():
        return {"modes": 0.0, "high_quality": 0.0, "sliced": math.inf, "variation": 1.0}
    fair = source.proportions
    coverage = metrics.mode_coverage(samples, source.modes, source.std, proportions=fair)
    real = source.sample(len(samples), seed=-1)
    return {
        "modes": float(coverage.modes),
        "high_quality": coverage.high_quality,
        "sliced": metrics.sliced_wasserstein_distance(samples, real),
        "variation": total_variation(coverage.shares, fair),
    }


def of_digits(samples: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Returns the distances of images [num, 8, 8, channels]; infinite if samples are not finite.

    They are "frechet", which is `FRECHET`, and "sliced": sliced Wasserstein-1, of pixels.
    """
    if not np.isfinite(samples).all():
        return {"frechet": math.inf, "sliced": math.inf}
    classifier = evaluation.DigitsClassifier()
    flat = (images.reshape(len(images), -1) for images in (samples, real))
    features = (classifier(images).features for images in (real, samples))
    return {
        "frechet": metrics.frechet_distance(*features),
        "sliced": metrics.sliced_wasserstein_distance(*flat),
    }


def least_of_parts(samples: np.ndarray, parts: np.ndarray, source: GaussianMixture) -> float:
    """Returns `least_variation` of the parts [num] that samples [num, dim] belong to.

    It is 1, the worst, if samples are not finite.
    """
    if not np.isfinite(samples).all():
        return 1.0
    shares = [
        metrics.mode_coverage(samples[parts == part], source.modes, source.std).shares
        for part in np.unique(parts)
    ]
    return least_variation(np.array(shares), source.proportions)


def total_variation(p: Any, q: Any) -> float:
    """Returns half the sum of |p_i - q_i|."""
    return float(np.abs(np.asarray(p) - np.asarray(q)).sum() / 2)


def least_variation(made: np.ndarray, truth: np.ndarray) -> float:
    """Returns min over w >= 0, sum w = 1, of the total variation between w @ made and truth.

    Args:
        made: [parts, modes], the shares of the modes that each part makes.
        truth: [modes].
    """
    parts, modes = made.shape
    # Variables: w, then the excess e >= |w @ made - truth| of each mode; half their sum is least.
    cost = np.concatenate([np.zeros(parts), np.full(modes, 0.5)])
    eye = np.eye(modes)
    above = np.block([[made.T, -eye], [-made.T, -eye]])
    sums = np.concatenate([np.ones(parts), np.zeros(modes)])[np.newaxis]
    bounds = np.concatenate([truth, -truth])
    return float(optimize.linprog(cost, above, bounds, sums, [1.0]).fun)
