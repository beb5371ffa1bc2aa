"""What nearest neighbours say: fidelity, diversity, and copies of training examples."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks
from tfgans.metrics import arrays

_ROWS = 1024
# A squared distance has an error of about 1e-7 of the squared norms in float32. Balls with squared
# radii above this part of the squared norm are then known to 1e-4; smaller ones need float64.
_SMALL = 1e-3


class NearestNeighbours(NamedTuple):
    """The closest real example of each sample, and how many samples are near-copies.

    Attributes:
        indices: int64 [num], of the real examples.
        distances: float64 [num], Euclidean.
        copy_share: Float, the share of samples within `threshold` of a real example.
        threshold: Float, the quantile of the distances from real examples to their closest other.
    """

    indices: np.ndarray
    distances: np.ndarray
    copy_share: float
    threshold: float


def precision_recall(real: Any, fake: Any, *, nearest_k: int = 5) -> dict[str, float]:
    """Returns precision, recall, density and coverage of features.

    A set's manifold is the union of balls about its examples, each as wide as the distance to its
    `nearest_k`-th other. `precision` is the share of fakes on the real manifold, `recall` that of
    real ones on the fakes'; `density` counts in how many real balls a fake lies, divided by
    `nearest_k`: 1 for a perfect generator, and outliers among the real examples weigh less than in
    precision; `coverage` is the share of real balls that hold a fake. All depend on the counts.

    Args:
        real: Array [num_real, dim] of features; more than `nearest_k`.
        fake: Array [num_fake, dim].
        nearest_k: Int of at least 1. Default: 5.

    Returns:
        Dict of floats: "precision", "recall", "density", "coverage"; all at least 0 and, but for
        density, at most 1.

    Raises:
        ValueError: If the features are not finite or not points of one dimension, or are too few.

    Reference: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
    Generative Models", equation 2; Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for
    Generative Models", equations 5 and 6.

    Checked against: the authors' package prdc.
    """
    k = checks.positive_int("nearest_k", nearest_k)
    first, second = arrays.pair(
        real, fake, at_least=k + 1, needed_by=f"each needs {k} others (`nearest_k`)"
    )
    # Float32 takes half the time, but cannot tell what lies in balls that are small beside their
    # distance from the middle: those of narrow modes, of duplicates, of all where one is far off.
    for dtype in (np.float32, np.float64):
        left, right = (one.astype(dtype, copy=False) for one in _centred(first, second))
        real_radii, fake_radii = _radii(left, k), _radii(right, k)
        if _decided(left, real_radii) and _decided(right, fake_radii):
            break
    return _counted(left, right, real_radii, fake_radii, k)


def _decided(rows: np.ndarray, radii: np.ndarray) -> bool:
    """Returns whether float32 tells what lies in the balls of squared `radii` about `rows`."""
    return bool((radii > _SMALL * squared_norms(rows)).all())


def _counted(
    first: np.ndarray, second: np.ndarray, real_radii: np.ndarray, fake_radii: np.ndarray, k: int
) -> dict[str, float]:
    """Returns the four numbers from the squared radii of all balls."""
    inside = np.zeros(len(second), np.int64)
    on_fakes, covered = np.zeros(len(first), bool), np.zeros(len(first), bool)
    norms = squared_norms(second)
    for rows in _blocks(len(first)):
        squares = squared_distances(first[rows], second, norms)
        within = squares < real_radii[rows, np.newaxis]
        inside += within.sum(axis=0)
        covered[rows] = within.any(axis=1)
        on_fakes[rows] = (squares < fake_radii).any(axis=1)
    return {
        "precision": float((inside > 0).mean()),
        "recall": float(on_fakes.mean()),
        "density": float(inside.mean() / k),
        "coverage": float(covered.mean()),
    }


def nearest_neighbours(
    samples: Any, real: Any, *, copy_quantile: float = 0.01
) -> NearestNeighbours:
    """Returns the closest real example of each sample, and the share of near-copies.

    A sample is a near-copy when it is as close to a real example as only `copy_quantile` of the
    real examples are to another: of new draws of the same distribution about that share is. A
    larger one speaks of memorization, in the space in which distances are taken: pixels catch
    copies, features also near-duplicates.

    Args:
        samples: Array [num, ...]; all axes but the first are flattened.
        real: Array [num_real, ...] of the training examples; at least two.
        copy_quantile: Float in [0, 1]. Default: 0.01.

    Raises:
        ValueError: If the arrays are not finite, differ in shape, or are too few.

    Reference: Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative
    Models", whose distances to the training set these are; the threshold is ours.

    Checked against: scikit-learn's NearestNeighbors.
    """
    if checks.non_negative("copy_quantile", copy_quantile) > 1:
        raise ValueError(f"`copy_quantile` must be in [0, 1]. Received: {copy_quantile}")
    made, found = arrays.numbers("samples", samples), arrays.numbers("real", real)
    if made.shape[1:] != found.shape[1:] or made.ndim < 2:
        raise ValueError(
            "`samples` and `real` must be examples of one shape, [num, ...]. Received: "
            f"{made.shape} and {found.shape}"
        )
    rows = arrays.points("samples", _flat(made))
    others = arrays.points("real", _flat(found), at_least=2, needed_by="they are compared")
    indices, distances = _closest(rows, others)
    _, among = _closest(others, others, itself=np.arange(len(others)))
    threshold = float(np.quantile(among, copy_quantile))
    return NearestNeighbours(indices, distances, float((distances <= threshold).mean()), threshold)


def _flat(examples: np.ndarray) -> np.ndarray:
    # Not -1, which no examples at all leave open.
    return examples.reshape(len(examples), math.prod(examples.shape[1:]))


def closest_in_chunks(
    samples: np.ndarray, chunks: Iterable[np.ndarray], *, apart: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far the closest of many examples is from each sample, and that example.

    Args:
        samples: Array [num, ...].
        chunks: Arrays [count, ...] of the examples, one after another: they need not fit in memory.
        apart: Whether sample i is example i itself, which does not count.

    Returns:
        float64 [num], Euclidean distances; and the examples [num, ...].
    """
    rows = _flat(samples.astype(np.float64))
    least, found, seen = np.full(len(rows), np.inf), samples.copy(), 0
    for chunk in chunks:
        others = _flat(chunk.astype(np.float64))
        itself = np.arange(len(rows)) - seen if apart else None
        indices, distances = _closest(rows, others, itself=itself)
        nearer = distances < least
        least[nearer], found[nearer] = distances[nearer], chunk[indices[nearer]]
        seen += len(chunk)
    return least, found


def _closest(
    rows: np.ndarray, others: np.ndarray, *, itself: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the index of the closest other and its exact distance.

    `itself` says which other is the row itself and does not count, if it lies among the others.
    """
    left, right = _centred(rows, others)
    indices, norms = np.empty(len(rows), np.int64), squared_norms(right)
    for block in _blocks(len(rows)):
        squares = squared_distances(left[block], right, norms)
        if itself is not None:
            own = np.flatnonzero((itself[block] >= 0) & (itself[block] < len(others)))
            squares[own, itself[block][own]] = np.inf
        indices[block] = squares.argmin(axis=1)
    # Differences, not products: where two rows are nearly equal, products have no digits left.
    distances = np.sqrt(np.square(rows - others[indices]).sum(axis=1))
    if itself is not None:
        distances[indices == itself] = np.inf  # There is no other.
    return indices, distances


def _centred(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both about their mean and of one scale: products of small numbers lose less."""
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    scale = max(np.abs(first - middle).max(), np.abs(second - middle).max()) or 1.0
    return (first - middle) / scale, (second - middle) / scale


def _radii(rows: np.ndarray, k: int) -> np.ndarray:
    """Returns [num]: the squared distance from each row to its k-th closest other."""
    least = np.full([len(rows), k + 1], np.inf, rows.dtype)
    norms = squared_norms(rows)

    def take(block: slice, squares: np.ndarray) -> None:
        both = np.concatenate([least[block], squares], axis=1)
        both.partition(k, axis=1)
        least[block] = both[:, : k + 1]

    blocks = _blocks(len(rows))
    for index, block in enumerate(blocks):
        # Distances are symmetric: a pair of blocks serves both.
        for other in blocks[index:]:
            squares = squared_distances(rows[block], rows[other], norms[other])
            if other is block:
                np.fill_diagonal(squares, -1)  # Itself is the closest, whatever the rounding.
            else:
                take(other, squares.T)
            take(block, squares)
    return least[:, k]


def _blocks(num: int) -> list[slice]:
    return [slice(start, min(start + _ROWS, num)) for start in range(0, num, _ROWS)]


def squared_norms(rows: np.ndarray) -> np.ndarray:
    """Returns [num], the squared norm of each row."""
    return np.einsum("ij,ij->i", rows, rows)


def squared_distances(rows: np.ndarray, others: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Returns [num_rows, num_others], squared distances; `norms` are those of the others."""
    squares = rows @ others.T
    squares *= -2
    squares += squared_norms(rows)[:, np.newaxis]
    squares += norms
    return np.maximum(squares, 0, out=squares)
