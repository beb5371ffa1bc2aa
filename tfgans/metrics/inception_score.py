"""The Inception score: how sure a classifier is of each sample, and how varied over all."""

from typing import Any, NamedTuple

import numpy as np
from scipy import special

from tfgans import checks
from tfgans.metrics import arrays

_SUM_TOLERANCE = 1e-3


class InceptionScore(NamedTuple):
    """The score over several splits.

    Attributes:
        mean: Float, from 1 to the number of classes.
        std: Float, the standard deviation over the splits (divided by their number, as always).
    """

    mean: float
    std: float


def inception_score(probabilities: Any, *, splits: int = 10) -> InceptionScore:
    """Returns the Inception score of a classifier's probabilities, mean and spread over splits.

    Formula: `exp(E_x KL(p(y|x) || p(y)))` in each split, p(y) the split's mean. It never looks at
    real data, and a generator that makes one perfect image a class has the highest. Only with the
    Inception network of 2015 is it IS. With few examples a split it is biased downward.

    Args:
        probabilities: Array [num, num_classes], rows that sum to 1 within 1e-3.
        splits: Int of at least 1 and at most `num`: consecutive parts. Default: 10.

    Raises:
        ValueError: If rows are no probabilities, or there are fewer than splits.

    Example:

    >>> tfgans.metrics.inception_score(np.eye(5), splits=1)
    InceptionScore(mean=5.0, std=0.0)

    Reference: Salimans et al. 2016, "Improved Techniques for Training GANs", section 4.

    Checked against: TensorFlow-GAN.
    """
    count = checks.positive_int("splits", splits)
    rows = arrays.points("probabilities", probabilities, at_least=count, needed_by="one a split")
    sums = rows.sum(axis=1)
    bad = np.flatnonzero((rows.min(axis=1) < -1e-6) | (np.abs(sums - 1) > _SUM_TOLERANCE))
    if bad.size:
        raise ValueError(
            f"`probabilities` must be at least 0 and sum to 1 in each row. Received: row {bad[0]} "
            f"sums to {sums[bad[0]]:g}, its least is {rows[bad[0]].min():g}; {bad.size} rows are "
            "wrong. Of logits take the softmax"
        )
    rows = np.maximum(rows, 0) / np.maximum(rows, 0).sum(axis=1, keepdims=True)
    scores = []
    for part in np.array_split(rows, count):
        # 0 log 0 is 0.
        entropies = -special.xlogy(part, part).sum(axis=1)
        marginal = part.mean(axis=0)
        mutual = -special.xlogy(marginal, marginal).sum() - entropies.mean()
        scores.append(np.exp(max(0.0, mutual)))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
