"""What samples say of a mixture of Gaussians whose modes are known: coverage, quality, shares."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from tfgans import metrics

NUM_SAMPLES = 10_000
MEASURES = (
    "  modes      modes with at least 5% of their fair share of the samples within 3 std\n"
    "  hq         share of the samples within 3 std of a mode (real data: .989)\n"
    "  sliced W1  mean of exact 1-D W1 to as many real draws, over 128 fixed random directions"
)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of one set of samples.

    Attributes:
        modes: Modes covered.
        high_quality: Share of the samples near a mode.
        kl_near: KL(shares of the samples near a mode || proportions), in nats.
        kl_all: The same of all samples, each counted at its nearest mode.
        distance: Total variation between the shares of all samples and the proportions.
        sliced: Sliced Wasserstein-1 distance to real draws.
        shares: Share of all samples at each mode.
    """

    modes: int
    high_quality: float
    kl_near: float
    kl_all: float
    distance: float
    sliced: float
    shares: tuple[float, ...]


def score(
    samples: np.ndarray, real: np.ndarray, *, modes: np.ndarray, std: float, proportions: np.ndarray
) -> Scores:
    """Returns the scores of `samples` [n, dim], beside `real` draws [n, dim]."""
    found = metrics.mode_coverage(samples, modes, std, proportions=proportions)
    return Scores(
        modes=found.modes,
        high_quality=found.high_quality,
        kl_near=found.kl,
        kl_all=float(stats.entropy(found.shares, proportions)),
        distance=total_variation(found.shares, proportions),
        sliced=metrics.sliced_wasserstein_distance(samples, real),
        shares=tuple(found.shares.tolist()),
    )


def total_variation(p: Sequence[float] | np.ndarray, q: Sequence[float] | np.ndarray) -> float:
    """Returns half the sum of |p_i - q_i|."""
    return float(np.abs(np.asarray(p) - np.asarray(q)).sum() / 2)


def least_variation(made: np.ndarray, truth: np.ndarray) -> float:
    """Returns min over w >= 0, sum w = 1, of the total variation between w @ made and truth."""
    parts, modes = made.shape
    # Variables: w, then the excess e >= |w @ made - truth| of each mode; half their sum is least.
    cost = np.concatenate([np.zeros(parts), np.full(modes, 0.5)])
    eye = np.eye(modes)
    above = np.block([[made.T, -eye], [-made.T, -eye]])
    sums = np.concatenate([np.ones(parts), np.zeros(modes)])[np.newaxis]
    bounds = np.concatenate([truth, -truth])
    return float(optimize.linprog(cost, above, bounds, sums, [1.0]).fun)


def p_text(p: float) -> str:
    """Returns a p-value as text."""
    return "p = nan" if math.isnan(p) else f"p = {p:.4f}" if p >= 1e-4 else f"p = {p:.0e}"
