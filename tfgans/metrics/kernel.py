"""The kernel distance: squared maximum mean discrepancy with a polynomial kernel."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks
from tfgans.metrics import arrays
from tfgans.metrics.distances import blocks
from tfgans.metrics.metric import Context, Estimate, Metric, Quantity

ESTIMATORS = ("full", "blocks", "subsets")
# The largest exponent of 10 of squared values of the kernel: sums of them must not overflow.
_LARGEST_EXPONENT = 300

_Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


class KernelDistance(NamedTuple):
    """A kernel distance and its standard error.

    Attributes:
        value: Float. An unbiased estimate of a number that is at least 0: it may be negative.
        standard_error: Float of at least 0, over draws of the examples.
    """

    value: float
    standard_error: float


def kernel_distance(
    real: Any,
    fake: Any,
    *,
    estimator: str = "full",
    num_subsets: int = 100,
    subset_size: int = 1000,
    degree: int = 3,
    gamma: float | None = None,
    coefficient: float = 1.0,
    seed: int = 0,
) -> KernelDistance:
    """Returns the unbiased squared MMD between two sets of features, with its standard error.

    Formula: `mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean k(x_i, y_j)`, with
    `k(x, y) = (gamma x.y + coefficient)^degree`. Unlike the Frechet distance, it is unbiased for
    any number of examples, as long as the sets are independent: examples in both make it smaller,
    so that a set against itself is clearly below 0. Call it KID only if the features are those of
    the Inception network of 2015.

    Estimators:
        - "full": all pairs. The error is that of the U-statistic's first-order (Hoeffding) terms,
          from the means of rows. Where the two distributions are the same it is too large on the
          average (1.2 to 1.5 times in simulations), and the value is skewed: mostly a little below
          0, and rarely far above.
        - "blocks": the mean over disjoint blocks, whose spread gives the error. The fastest. There
          are as many blocks as `subset_size` fits into the smaller set, and all examples are in a
          block: block i of b holds those from `i * num // b` up to `(i + 1) * num // b`. A single
          block gives the result of "full".
        - "subsets": the mean over `num_subsets` random subsets of `subset_size`, as KID is usually
          computed. The spread over subsets, divided by the root of their number, understates the
          error, since subsets overlap.

    Args:
        real: Array [num_real, dim] of features; at least two.
        fake: Array [num_fake, dim].
        estimator: "full" (default), "blocks" or "subsets".
        num_subsets: Int of at least 2, for "subsets". Default: 100.
        subset_size: Int of at least 2 and at most the examples of each set, for "blocks" (the
            smallest block) and "subsets". Default: 1000.
        degree: Int of at least 1. Default: 3.
        gamma: Float above 0. Default: 1 / dim.
        coefficient: Float of at least 0. Default: 1.
        seed: Int, of the subsets. Default: 0.

    Raises:
        ValueError: If the features are not finite, not points of the same dimension, or too few, or
            an argument is out of range.

    Example:

    >>> tfgans.metrics.kernel_distance([[0.0], [0.0]], [[1.0], [1.0]])
    KernelDistance(value=7.0, standard_error=0.0)

    Reference: Binkowski et al. 2018, "Demystifying MMD GANs", section 4; Gretton et al. 2012,
    equation 3.

    Checked against: scikit-learn's polynomial kernel, TensorFlow-GAN.
    """
    checks.choice("estimator", estimator, ESTIMATORS)
    size = checks.int_at_least("subset_size", subset_size, 2)
    checks.int_at_least("num_subsets", num_subsets, 2)
    fewest = 2 if estimator == "full" else size
    first, second = arrays.pair(real, fake, at_least=fewest, needed_by="pairs are averaged")
    largest = max(float(np.abs(rows).max()) for rows in (first, second))
    kernel = _polynomial(first.shape[1], degree, gamma, coefficient, largest=largest)
    if estimator == "full":
        return _full(first, second, kernel)
    if estimator == "blocks":
        count = min(len(first), len(second)) // size
        parts = list(zip(_parts(first, count), _parts(second, count), strict=True))
    else:
        rng = np.random.default_rng(checks.integer("seed", seed) % 2**64)
        parts = [
            (_subset(first, size, rng), _subset(second, size, rng)) for _ in range(num_subsets)
        ]
    estimates = [_full(part, other, kernel) for part, other in parts]
    if len(estimates) == 1:
        return estimates[0]
    values = np.array([estimate.value for estimate in estimates])
    return KernelDistance(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


@dataclasses.dataclass(frozen=True)
class KernelMetric(Metric):
    """`kernel_distance` over all pairs of at most 10 000 features of each set."""

    name = "kernel_distance"
    quantities = (Quantity("kernel_distance", low=-math.inf, official_name="KID"),)
    max_examples = 10_000
    by_default = True

    def compute(self, real: np.ndarray, fake: np.ndarray, context: Context) -> dict[str, Estimate]:
        """Returns the distance with the error of a U-statistic."""
        del context
        value, error = kernel_distance(real, fake)
        return {"kernel_distance": Estimate(value, error, "variance of the U-statistic")}


def _polynomial(
    dim: int, degree: int, gamma: float | None, coefficient: float, *, largest: float
) -> _Kernel:
    """Returns the kernel, or raises ValueError if it may overflow for numbers up to `largest`."""
    power = checks.positive_int("degree", degree)
    scale = 1 / dim if gamma is None else checks.positive("gamma", gamma)
    offset = checks.non_negative("coefficient", coefficient)
    terms = [math.log10(offset)] if offset else []
    terms += [math.log10(scale) + math.log10(dim) + 2 * math.log10(largest)] if largest else []
    if 2 * power * (max(terms, default=0.0) + math.log10(2)) > _LARGEST_EXPONENT:
        raise ValueError(
            "The kernel must not overflow. Received: features of up to "
            f"{largest:g} with degree={power}, gamma={scale:g} and coefficient={offset:g}. Divide "
            "the features by a common number"
        )
    return lambda first, second: (scale * (first @ second.T) + offset) ** power


def _parts(rows: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns all rows in `count` consecutive parts."""
    cuts = [index * len(rows) // count for index in range(count + 1)]
    return [rows[start:stop] for start, stop in itertools.pairwise(cuts)]


def _subset(rows: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rows[rng.choice(len(rows), size, replace=False)]


def _full(first: np.ndarray, second: np.ndarray, kernel: _Kernel) -> KernelDistance:
    """Returns the U-statistic of all pairs."""
    among = [_among(rows, kernel) for rows in (first, second)]
    between = [np.zeros(len(first)), np.zeros(len(second))]
    for block in blocks(len(first)):
        part = kernel(first[block], second)
        between[0][block] = part.mean(axis=1)
        between[1] += part.sum(axis=0) / len(first)
    value = among[0].mean() + among[1].mean() - 2 * between[0].mean()
    variances = [
        np.var(2 * (within - across), ddof=1) / len(within)
        for within, across in zip(among, between, strict=True)
    ]
    return KernelDistance(float(value), float(np.sqrt(sum(variances))))


def _among(rows: np.ndarray, kernel: _Kernel) -> np.ndarray:
    """Returns float64 [num]: the mean kernel of each row with all other rows."""
    sums = np.empty(len(rows))
    for block in blocks(len(rows)):
        part = kernel(rows[block], rows)
        diagonal = np.arange(len(part))
        part[diagonal, block.start + diagonal] = 0  # Not subtracted afterwards: no digits cancel.
        sums[block] = part.sum(axis=1)
    return sums / (len(rows) - 1)
