"""What samples say of a mixture of Gaussians whose modes are known: coverage, quality, shares."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize

NUM_SAMPLES = 10_000
# A mode counts when it holds this part of its fair share, within this many standard deviations.
PART_OF_FAIR_SHARE = 0.05
RADIUS = 3.0
NUM_DIRECTIONS = 128
_DIRECTION_SEED = 0
MEASURES = (
    f"  modes      modes with at least {PART_OF_FAIR_SHARE:.0%} of their fair share of the samples "
    f"within {RADIUS:g} std\n"
    f"  hq         share of the samples within {RADIUS:g} std of a mode (real data: .989)\n"
    "  sliced W1  mean of exact 1-D W1 to as many real draws, over "
    f"{NUM_DIRECTIONS} fixed random directions"
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
    nearest, near = assign(samples, modes, std)
    counts = np.bincount(nearest[near], minlength=len(modes))
    needed = PART_OF_FAIR_SHARE * proportions * len(samples)
    shares = np.bincount(nearest, minlength=len(modes)) / len(samples)
    return Scores(
        modes=int((counts >= needed).sum()),
        high_quality=float(near.mean()),
        kl_near=divergence(counts, proportions),
        kl_all=divergence(shares, proportions),
        distance=total_variation(shares, proportions),
        sliced=sliced_wasserstein(samples, real),
        shares=tuple(shares.tolist()),
    )


def assign(samples: np.ndarray, modes: np.ndarray, std: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nearest mode of each sample, and whether it is within `RADIUS` std of it."""
    offsets = samples[:, np.newaxis].astype(np.float64) - modes.astype(np.float64)
    squares = np.square(offsets).sum(axis=-1)
    nearest = squares.argmin(axis=1)
    return nearest, squares.min(axis=1) <= (RADIUS * std) ** 2


def divergence(counts: np.ndarray, proportions: np.ndarray) -> float:
    """Returns sum_i p_i log(p_i / q_i), with p the normalized counts and 0 log 0 = 0.

    Without a single count it is what one mode alone would give at most: -log min q.
    """
    if not counts.sum():
        return float(-np.log(proportions.min()))
    p = counts / counts.sum()
    held = p > 0
    return max(0.0, float((p[held] * np.log(p[held] / proportions[held])).sum()))


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


def sliced_wasserstein(samples: np.ndarray, real: np.ndarray) -> float:
    """Returns the mean over directions of the exact 1-D W1 between two sets of equal size."""
    if samples.shape != real.shape:
        raise ValueError(f"Shapes must be equal. Received: {samples.shape} and {real.shape}")
    lines = directions(samples.shape[1])
    ours, theirs = (
        np.sort(points.astype(np.float64) @ lines, axis=0) for points in (samples, real)
    )
    return float(np.abs(ours - theirs).mean())


@functools.cache
def directions(dim: int) -> np.ndarray:
    """Returns float64 [dim, NUM_DIRECTIONS], unit columns, always the same."""
    drawn = np.random.default_rng(_DIRECTION_SEED).normal(size=(dim, NUM_DIRECTIONS))
    return drawn / np.sqrt(np.square(drawn).sum(axis=0))


def p_text(p: float) -> str:
    """Returns a p-value as text."""
    return "p = nan" if math.isnan(p) else f"p = {p:.4f}" if p >= 1e-4 else f"p = {p:.0e}"
