"""The closest real example of each sample, and near-copies of training examples."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks
from tfgans.images import from_uint8
from tfgans.metrics import arrays
from tfgans.metrics.distances import blocks, centered, squared_distances, squared_norms
from tfgans.metrics.metric import Context, Estimate, Metric, Quantity, wilson

_COPY_QUANTILE = 0.01


class NearestNeighbors(NamedTuple):
    """The closest real example of each sample, and the share of near-copies.

    Attributes:
        indices: int64 [num], of the real examples; of several that are equally close, the first.
        distances: float64 [num], Euclidean.
        copy_share: Float, the share of samples within `threshold` of a real example.
        threshold: Float, the quantile of the distances from real examples to their closest other.
    """

    indices: np.ndarray
    distances: np.ndarray
    copy_share: float
    threshold: float


def nearest_neighbors(
    samples: Any, real: Any, *, copy_quantile: float = _COPY_QUANTILE
) -> NearestNeighbors:
    """Returns the closest real example of each sample, and the share of near-copies.

    A sample is a near-copy if its distance to the closest real example is at most the
    `copy_quantile` quantile of the distances from real examples to their closest other. Of new
    draws of the same distribution, about `copy_quantile + 2 / num_real` are near-copies if the
    quantile is small and distances do not tie (the two closest real examples are each other's
    closest); a larger share indicates memorization. If the threshold is
    0 (more real examples than that share have an exact copy), all exact copies are near-copies,
    also those that new draws make. Distances between pixels detect copies; distances between
    features also detect near-duplicates.

    Args:
        samples: Array [num, ...]; all axes but the first are flattened. uint8 is mapped from {0,
            ..., 255} onto [-1, 1].
        real: Array [num_real, ...] of the training examples, as `samples`; at least two.
        copy_quantile: Float in [0, 1]. Default: 0.01.

    Raises:
        ValueError: If the arrays are not finite, differ in shape, or are too few.

    Reference: Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative
    Models", whose distances to the training set these are; the threshold is ours.

    Checked against: scikit-learn's NearestNeighbors.
    """
    if checks.non_negative("copy_quantile", copy_quantile) > 1:
        raise ValueError(f"`copy_quantile` must be in [0, 1]. Received: {copy_quantile}")
    first, second = (
        from_uint8(np.asarray(rows), "float64")
        if getattr(rows, "dtype", None) == np.uint8
        else arrays.numbers(name, rows)
        for name, rows in (("samples", samples), ("real", real))
    )
    if first.shape[1:] != second.shape[1:] or first.ndim < 2:
        raise ValueError(
            "`samples` and `real` must be examples of the same shape, [num, ...]. Received: "
            f"{first.shape} and {second.shape}"
        )
    rows = arrays.points("samples", _flat(first))
    others = arrays.points("real", _flat(second), at_least=2, needed_by="they are compared")
    indices, distances = _closest(rows, others)
    _, among = _closest(others, others, itself=np.arange(len(others)))
    threshold = float(np.quantile(among, copy_quantile))
    return NearestNeighbors(indices, distances, float((distances <= threshold).mean()), threshold)


@dataclasses.dataclass(frozen=True)
class NearCopiesMetric(Metric):
    """The share of 1000 samples that are near-copies of any real example.

    It is `copy_share` of `nearest_neighbors`, with the threshold from 1000 real examples. Of new
    draws of the distribution it is about 0.01 with 1000 real examples or more, and larger with
    fewer: the method of the number in a record says what chance gives. The error has two parts:
    that of a share of the samples (Wilson 1927), and that of the threshold, a quantile of few
    distances.
    """

    name = "near_copies"
    quantities = (Quantity("near_copies", high=1.0, is_share=True),)
    reads = "distances"
    max_examples = 1000
    by_default = True

    def compute(self, real: np.ndarray, fake: np.ndarray, context: Context) -> dict[str, Estimate]:
        """Returns the share of samples that are closer than the threshold."""
        del context
        margin = math.sqrt(_COPY_QUANTILE * (1 - _COPY_QUANTILE) / len(real))
        low, share, high = (
            float((fake <= np.quantile(real, max(0.0, _COPY_QUANTILE + shift))).mean())
            for shift in (-margin, 0.0, margin)
        )
        center, binomial = wilson(share, len(fake))
        chance = _chance(len(real), of_all=len(real) < self.max_examples)
        method = f"binomial, and that of the threshold; chance gives about {chance:.2g}"
        if np.quantile(real, _COPY_QUANTILE) == 0:
            method = (
                "binomial; the threshold is 0, as real examples are equal: chance may give more"
            )
        error = math.hypot(binomial, (high - low) / 2)
        return {"near_copies": Estimate(share, error, method, center=center)}


def _chance(num: int, *, of_all: bool) -> float:
    """Returns the share of new draws below the threshold from the distances of `num` real examples.

    The closest of all examples come in pairs that share their distance, so a draw is below the k-th
    distance of pairs with probability `2 k / (num + 1)`. Of a part of many examples, few pairs are
    whole, and the distances rank a draw as independent numbers do.
    """
    place = _COPY_QUANTILE * (num - 1)
    if not of_all:
        return (1 + place) / (1 + num)
    ranks = np.arange(num)
    return 2 * (1 + float(np.interp(place, ranks, ranks // 2))) / (1 + num)


def _flat(examples: np.ndarray) -> np.ndarray:
    # Not -1, which no examples at all leave open.
    return examples.reshape(len(examples), math.prod(examples.shape[1:]))


def closest_in_chunks(
    samples: np.ndarray, chunks: Iterable[np.ndarray], *, apart: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distance from each sample to the closest of many examples, and that example.

    Args:
        samples: Array [num, ...].
        chunks: Arrays [count, ...] of the examples, which together need not fit in memory.
        apart: Bool, whether sample i is example i, which is then skipped.

    Returns:
        float64 [num], Euclidean distances; and the examples [num, ...].
    """
    rows = _flat(samples.astype(np.float64))
    least, closest, seen = np.full(len(rows), np.inf), samples.copy(), 0
    for chunk in chunks:
        others = _flat(chunk.astype(np.float64))
        itself = np.arange(len(rows)) - seen if apart else None
        indices, distances = _closest(rows, others, itself=itself)
        nearer = distances < least
        least[nearer], closest[nearer] = distances[nearer], chunk[indices[nearer]]
        seen += len(chunk)
    return least, closest


def _closest(
    rows: np.ndarray, others: np.ndarray, *, itself: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the index of the closest other, the first of several, and its exact distance.

    `itself` is the index of each row among the others, where it is skipped. An index out of range
    means that the row is not among them.
    """
    left, right = centered(rows, others)
    indices, norms = np.empty(len(rows), np.int64), squared_norms(right)
    # Two squared distances by products round by less than this part of the norms.
    rounding = 4 * (rows.shape[1] + 8) * np.finfo(np.float64).eps
    for block in blocks(len(rows)):
        squares = squared_distances(left[block], right, norms)
        if itself is not None:
            present = np.flatnonzero((itself[block] >= 0) & (itself[block] < len(others)))
            squares[present, itself[block][present]] = np.inf
        indices[block] = squares.argmin(axis=1)
        reach = squares.min(axis=1) + rounding * (squared_norms(left[block]) + norms.max())
        near = squares <= reach[:, np.newaxis]
        # Differences tell nearly equal distances apart.
        for row in np.flatnonzero(np.count_nonzero(near, axis=1) > 1):
            candidates = np.flatnonzero(near[row])
            gaps = np.square(rows[block.start + row] - others[candidates]).sum(axis=1)
            indices[block.start + row] = candidates[gaps.argmin()]
    # Differences, not products: of nearly equal rows, products have no correct digits.
    distances = np.sqrt(np.square(rows - others[indices]).sum(axis=1))
    if itself is not None:
        distances[indices == itself] = np.inf  # There is no other.
    return indices, distances
