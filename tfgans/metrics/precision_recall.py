"""Precision, recall, density and coverage: nearest neighbors of features."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.metrics import arrays, distances
from tfgans.metrics.metric import Context, Metric, Quantity

# A squared distance has an error of about 1e-7 of the squared norms in float32. Balls with squared
# radii above this part of the squared norm are then known to 1e-4; smaller ones need float64.
_SMALL = 1e-3
# Numbers in a chunk of differences: 32 MB.
_CHUNK = 2**22
_NEAREST = 5


def precision_recall(real: Any, fake: Any, *, nearest_k: int = _NEAREST) -> dict[str, float]:
    """Returns precision, recall, density and coverage of features.

    The manifold of a set is the union of balls about its examples, each as wide as the distance to
    the `nearest_k`-th closest other example. `precision` is the share of fakes on the real
    manifold, and `recall` that of real examples on the fakes' manifold. `density` is the mean
    number of real balls that a fake lies in, divided by `nearest_k`: 1 for a perfect generator, and
    outliers among the real examples weigh less than in precision. `coverage` is the share of real
    balls that hold a fake. All depend on the counts.

    If distances tie, as for integers or repeated rows, it matters whether an example on the surface
    of a ball lies in the ball. This function follows the authors of each pair of numbers: for
    precision and recall it does (`<=`), so that a set against itself scores 1; for density and
    coverage it does not (`<`). The package `prdc` uses `<` for all four, so its precision and
    recall are lower if distances tie. Ties are decided by exact differences, not rounded products.

    Args:
        real: Array [num_real, dim] of features; more than `nearest_k`.
        fake: Array [num_fake, dim].
        nearest_k: Int of at least 1. Default: 5.

    Returns:
        Dict of floats: "precision", "recall", "density", "coverage"; all at least 0 and, but for
        density, at most 1.

    Raises:
        ValueError: If the features are not finite, not points of the same dimension, or too few.

    Example:

    >>> points = np.random.default_rng(0).normal(size=(100, 2))
    >>> tfgans.metrics.precision_recall(points, points[:50])["precision"]
    1.0

    Reference: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
    Generative Models", equation 2; Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for
    Generative Models", equations 5 and 6.

    Checked against: the package prdc of Naeem et al.
    """
    k = checks.positive_int("nearest_k", nearest_k)
    pair = arrays.pair(real, fake, at_least=k + 1, needed_by=f"each needs {k} others (`nearest_k`)")
    first, second, _ = arrays.scaled(*pair)
    # Float32 takes half the time, but cannot tell which examples lie in balls that are small beside
    # their distance from the middle: balls of narrow modes, of duplicates, beside an outlier.
    for dtype in (np.float32, np.float64):
        middle = distances.centered(first, second)
        real_balls, fake_balls = (
            _Balls(exact, rounded.astype(dtype, copy=False), k)
            for exact, rounded in zip((first, second), middle, strict=True)
        )
        if real_balls.are_large and fake_balls.are_large:
            break
    return _counted(real_balls, fake_balls, k)


@dataclasses.dataclass(frozen=True)
class PrecisionRecallMetric(Metric):
    """`precision_recall` with `nearest_k=5` of at most 10 000 examples of each set."""

    name = "precision_recall"
    quantities = (
        Quantity("precision", high=1.0, higher_is_better=True, is_share=True),
        Quantity("recall", high=1.0, higher_is_better=True, is_share=True),
        # 1 is the best: a generator that collapses onto the densest examples has far more.
        Quantity("density", higher_is_better=None),
        Quantity("coverage", high=1.0, higher_is_better=True, is_share=True),
    )
    max_examples = 10_000
    min_examples = _NEAREST + 1
    by_default = True

    def compute(self, real: np.ndarray, fake: np.ndarray, context: Context) -> dict[str, float]:
        """Returns precision, recall, density and coverage."""
        del context
        return precision_recall(real, fake)


class _Balls:
    """Balls about examples, with bounds of the rounding of their squared radii.

    Args:
        exact: float64 [num, dim], the examples.
        rounded: float32 or float64 [num, dim], the same moved and scaled.
        k: Int: the k-th closest other example lies on the surface.
    """

    def __init__(self, exact: np.ndarray, rounded: np.ndarray, k: int) -> None:
        self.exact, self.rounded, self._k = exact, rounded, k
        self.norms = distances.squared_norms(rounded)
        self.radii = _radii(rounded, self.norms, k)
        # Of the radius and of a distance near it, which is to an example whose squared norm is at
        # most twice the sum of the center's and the radius.
        eps = float(np.finfo(rounded.dtype).eps)
        errors = 4 * eps * np.sqrt(rounded.shape[1]) * (6 * self.norms + 4 * self.radii)
        self.errors = errors.astype(rounded.dtype)
        self._known_radii = np.full(len(exact), np.nan)

    @functools.cached_property
    def _ids(self) -> np.ndarray:
        """Int [num]: equal rows have equal numbers, so that their distances are computed once."""
        return np.unique(self.exact, axis=0, return_inverse=True)[1].reshape(-1)

    @property
    def are_large(self) -> bool:
        """Whether the type of `rounded` tells which examples lie in the balls."""
        return bool((self.radii > _SMALL * self.norms).all())

    def ties(
        self, centers: np.ndarray, others: np.ndarray, other: "_Balls"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns, for pairs of a ball and an example, whether it is inside or on the surface.

        Args:
            centers: int [num], the balls.
            others: int [num], examples of `other`.
            other: The balls about the other examples.

        Returns:
            Bool [num]: inside; and bool [num]: inside or on the surface.
        """
        squares = self._exact_squares(centers, other, others)
        wanted = np.unique(centers)
        self._find_radii(wanted[np.isnan(self._known_radii[wanted])])
        radii = self._known_radii[centers]
        return squares < radii, squares <= radii

    def _find_radii(self, wanted: np.ndarray) -> None:
        """Computes the squared radii of some balls by differences of the examples."""
        for block in distances.blocks(len(wanted)):
            chosen = wanted[block]
            squares = distances.squared_distances(self.rounded[chosen], self.rounded, self.norms)
            squares[np.arange(len(chosen)), chosen] = np.inf
            # All that may be among the k closest.
            within = squares <= (self.radii + 2 * self.errors)[chosen, np.newaxis]
            rows, columns = np.nonzero(within)
            candidates = self._exact_squares(chosen[rows], self, columns)
            order = np.lexsort((candidates, rows))
            starts = np.searchsorted(rows, np.arange(len(chosen)))
            self._known_radii[chosen] = candidates[order][starts + self._k - 1]

    def _exact_squares(
        self, centers: np.ndarray, other: "_Balls", others: np.ndarray
    ) -> np.ndarray:
        """Returns the squared distances of pairs by differences: equal pairs tie exactly."""
        pairs = self._ids[centers] * np.int64(len(other.exact)) + other._ids[others]
        _, first, places = np.unique(pairs, return_index=True, return_inverse=True)
        squares = np.empty(len(first))
        size = max(1, _CHUNK // self.exact.shape[1])
        for start in range(0, len(first), size):
            part = first[start : start + size]
            differences = self.exact[centers[part]] - other.exact[others[part]]
            squares[start : start + size] = np.square(differences).sum(axis=1)
        return squares[places.reshape(-1)]


def _counted(real: _Balls, fake: _Balls, k: int) -> dict[str, float]:
    """Returns the four numbers from the balls of both sets."""
    num_real, num_fake = len(real.exact), len(fake.exact)
    inside = np.zeros(num_fake, np.int64)
    precise, recalled = np.zeros(num_fake, bool), np.zeros(num_real, bool)
    covered = np.zeros(num_real, bool)
    for block in distances.blocks(num_real):
        squares = distances.squared_distances(real.rounded[block], fake.rounded, fake.norms)
        surely = squares < (real.radii - real.errors)[block, np.newaxis]
        inside += surely.sum(axis=0)
        covered[block] |= surely.any(axis=1)
        rows, columns = np.nonzero(
            ~surely & (squares <= (real.radii + real.errors)[block, np.newaxis])
        )
        rows += block.start
        within, touching = real.ties(rows, columns, fake)
        np.add.at(inside, columns[within], 1)
        covered[rows[within]] = True
        precise[columns[touching]] = True
        surely = squares < fake.radii - fake.errors
        recalled[block] |= surely.any(axis=1)
        rows, columns = np.nonzero(~surely & (squares <= fake.radii + fake.errors))
        # Examples that another ball holds need no exact distance.
        undecided = ~recalled[block][rows]
        rows, columns = rows[undecided] + block.start, columns[undecided]
        _, touching = fake.ties(columns, rows, real)
        recalled[rows[touching]] = True
    precise |= inside > 0
    return {
        "precision": float(precise.mean()),
        "recall": float(recalled.mean()),
        "density": float(inside.mean() / k),
        "coverage": float(covered.mean()),
    }


def _radii(rows: np.ndarray, norms: np.ndarray, k: int) -> np.ndarray:
    """Returns [num]: the squared distance from each row to its k-th closest other."""
    least = np.full([len(rows), k + 1], np.inf, rows.dtype)

    def take(block: slice, squares: np.ndarray) -> None:
        both = np.concatenate([least[block], squares], axis=1)
        both.partition(k, axis=1)
        least[block] = both[:, : k + 1]

    blocks = distances.blocks(len(rows))
    for index, block in enumerate(blocks):
        # Distances are symmetric: a pair of blocks serves both.
        for other in blocks[index:]:
            squares = distances.squared_distances(rows[block], rows[other], norms[other])
            if other is block:
                np.fill_diagonal(squares, -1)  # Itself is the closest, whatever the rounding.
            else:
                take(other, squares.T)
            take(block, squares)
    return least[:, k]
