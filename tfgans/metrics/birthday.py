"""The number of different examples that a generator makes, by the birthday paradox."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from tfgans import checks
from tfgans.metrics import arrays
from tfgans.metrics.distances import blocks, squared_distances, squared_norms

# Two samples suffice to find a generator that makes a single example.
_FIRST_BATCH = 2
_PILOTS = 32
# The largest support that is searched for.
_LARGEST = 1e18


class BirthdayParadox(NamedTuple):
    """An estimate of the size of a distribution's support.

    Attributes:
        support_size: Float; infinity if no batch has a duplicate. If all batches have a duplicate,
            all sizes below `batch_size` are equally likely: then it is the largest of these.
        interval: Pair of floats, the confidence interval. From 1 if all batches have a duplicate,
            to infinity if no batch has.
        duplicate_rate: Float, the share of batches with a duplicate.
        batch_size: Int, examples in a batch.
        num_batches: Int.
        pairs: Array [num_pairs, 2, ...], the most similar pairs of the first batch, to look at.
        distances: float64 [num_pairs], the distances of these pairs.
    """

    support_size: float
    interval: tuple[float, float]
    duplicate_rate: float
    batch_size: int
    num_batches: int
    pairs: np.ndarray
    distances: np.ndarray


def birthday_paradox(
    sample: Callable[[int, int], Any],
    *,
    threshold: float = 0.0,
    features: Callable[[np.ndarray], Any] | None = None,
    batch_size: int | None = None,
    num_batches: int = 200,
    max_batch_size: int = 4096,
    num_pairs: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
) -> BirthdayParadox:
    """Returns an estimate of the number of different examples of a distribution.

    If n examples are equally likely, a batch of s has no duplicates with probability
    `prod_{i < s} (1 - i / n)`. The estimate is the n for which this probability is the share of
    batches without a duplicate; its interval comes from that of Clopper and Pearson for the share.
    If examples are not equally likely, the estimate lies between about `1 / sum p^2` and the size
    of the support, and depends on the batch size.

    Two examples are duplicates if they lie within `threshold` of each other. The default, 0, is for
    finite supports; a trained generator needs a distance at which a person would call two samples
    the same: look at `pairs`. Arora & Zhang asked people.

    Args:
        sample: Function (n, seed) -> array [n, ...], for example `gan.sample`.
        threshold: Float of at least 0, Euclidean distance. Default: 0.
        features: Function from examples [n, ...] to points [n, dim], where distances are taken.
            Default: the examples, flattened.
        batch_size: Int of at least 2. Default: doubled from 2 until about half of 32 batches
            have a duplicate, where the estimate has the smallest error.
        num_batches: Int of at least 2. Default: 200.
        max_batch_size: Int of at least 2, the largest default of `batch_size`. Default: 4096.
        num_pairs: Int of at least 1, the pairs to keep. Default: 20.
        confidence: Float between 0 and 1, of the interval. Default: 0.95.
        seed: Int. Default: 0.

    Raises:
        ValueError: If an argument is out of range, or the samples or their features are not finite
            or not as many as were asked for.

    Example:

    >>> die = lambda n, seed: np.random.default_rng(seed).integers(6, size=(n, 1))
    >>> low, high = tfgans.metrics.birthday_paradox(die).interval
    >>> low < 6 < high
    True

    Reference: Arora & Zhang 2017, "Do GANs actually learn the distribution? An empirical study".

    Checked against: supports of known size.
    """
    checks.non_negative("threshold", threshold)
    checks.int_at_least("num_batches", num_batches, 2)
    checks.positive_int("num_pairs", num_pairs)
    checks.int_at_least("max_batch_size", max_batch_size, 2)
    if checks.positive("confidence", confidence) >= 1:
        raise ValueError(
            f"`confidence` must be between 0 and 1. Received: {checks.short(confidence)}"
        )
    draw = _Draws(sample, features, checks.integer("seed", seed))
    if batch_size is None:
        size = _half_point(draw, threshold, max_batch_size)
    else:
        size = checks.int_at_least("batch_size", batch_size, 2)
    examples, points = draw.batch(size)
    distances, rows = _closest_pairs(points, num_pairs)
    with_duplicate = int(_has_duplicate(points, threshold))
    for _ in range(num_batches - 1):
        with_duplicate += _has_duplicate(draw.batch(size)[1], threshold)
    rate = with_duplicate / num_batches
    test = stats.binomtest(with_duplicate, num_batches)
    low, high = test.proportion_ci(confidence, method="exact")
    return BirthdayParadox(
        support_size=_support(rate, size),
        # If all batches may have a duplicate, any smaller support fits as well.
        interval=(_support(high, size) if high < 1 else 1.0, _support(low, size)),
        duplicate_rate=rate,
        batch_size=size,
        num_batches=num_batches,
        pairs=examples[rows],
        distances=distances,
    )


class _Draws:
    """Batches of fresh seeds, and the points at which they are compared."""

    def __init__(self, sample: Callable[[int, int], Any], features: Any, seed: int) -> None:
        self._sample, self._features = sample, features
        self._seeds = np.random.default_rng(seed % 2**64)

    def batch(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        examples = np.asarray(self._sample(size, int(self._seeds.integers(2**62))))
        _check_rows(f"sample({size}, seed)", examples, size)
        if self._features is None:
            return examples, arrays.points("sample", examples.reshape(size, -1))
        points = np.asarray(self._features(examples))
        _check_rows("features", points, size)
        return examples, arrays.points("features", points.reshape(size, -1))


def _check_rows(name: str, values: np.ndarray, size: int) -> None:
    if values.shape[:1] != (size,):
        raise ValueError(
            f"`{name}` must give as many rows as there are examples, {size}. Received shape: "
            f"{values.shape}"
        )


def _half_point(draw: _Draws, threshold: float, most: int) -> int:
    """Returns a batch size at which about half of the batches have a duplicate."""
    size = min(_FIRST_BATCH, most)
    while True:
        duplicates = [_has_duplicate(draw.batch(size)[1], threshold) for _ in range(_PILOTS)]
        if sum(duplicates) >= _PILOTS / 2 or size == most:
            break
        size = min(2 * size, most)
    rate = np.clip(np.mean(duplicates), 0.5 / _PILOTS, 1 - 0.5 / _PILOTS)
    support = _support(float(rate), size)
    return int(np.clip(round(1.1774 * np.sqrt(support)), 2, most))


def _has_duplicate(points: np.ndarray, threshold: float) -> bool:
    if threshold == 0:
        # Adding 0 makes -0 the same bytes as 0.
        return len({row.tobytes() for row in points + 0.0}) < len(points)
    centered = points - points.mean(axis=0)
    # Products round by less than this; distances within it are computed from differences.
    eps = float(np.finfo(np.float64).eps)
    slack = 4 * (points.shape[1] + 4) * eps * squared_norms(centered).max()
    for start, squares in _later(centered):
        if squares.min() <= threshold**2 - slack:
            return True
        within = squares <= threshold**2 + slack
        for row in np.flatnonzero(within.any(axis=1)):
            others = points[start:][within[row]]
            if np.linalg.norm(others - points[start + row], axis=1).min() <= threshold:
                return True
    return False


def _closest_pairs(points: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distances and rows [., 2] of the closest pairs, closest first."""
    squares, pairs = np.zeros(0), np.zeros([0, 2], np.int64)
    for start, block in _later(points - points.mean(axis=0)):
        count = min(num, block.size)
        chosen = np.argpartition(block, count - 1, axis=None)[:count]
        chosen = chosen[np.isfinite(block.flat[chosen])]
        squares = np.concatenate([squares, block.flat[chosen]])
        rows = start + np.stack(np.unravel_index(chosen, block.shape), axis=1)
        pairs = np.concatenate([pairs, rows])
        kept = np.argsort(squares, kind="stable")[:num]
        squares, pairs = squares[kept], pairs[kept]
    # Differences, not products: the distance of equal examples is 0.
    gaps = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    order = np.argsort(gaps, kind="stable")
    return gaps[order], pairs[order]


def _later(points: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields squared distances of blocks of rows, from row `start` on, to each later point.

    Columns count from `start` too; entries that are not of a later point are infinite.
    """
    norms = squared_norms(points)
    for block in blocks(len(points)):
        rows, start = points[block], block.start
        squares = squared_distances(rows, points[start:], norms[start:])
        squares[np.tril_indices(len(rows), m=squares.shape[1])] = np.inf
        yield start, squares


def _support(rate: float, size: int) -> float:
    """Returns the n for which a batch has a duplicate with probability `rate`."""
    if rate <= 0:
        return float("inf")
    smallest = float(size - 1)
    if rate >= 1:
        return smallest

    def excess(log_n: float) -> float:
        log_none = np.log1p(-np.arange(size) / np.exp(log_n)).sum()
        return float(log_none - np.log1p(-rate))

    low, high = np.log(smallest * (1 + 1e-12) + 1e-9), np.log(_LARGEST)
    if excess(high) < 0:
        return float("inf")
    return float(np.exp(optimize.brentq(excess, low, high)))
