"""The Inception score: a classifier's certainty of each sample and variety over all."""

import dataclasses
import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from tfgans import checks
from tfgans.metrics import arrays
from tfgans.metrics.metric import Context, Estimate, Metric, Quantity

_SPLITS = 10
# With fewer, the spread over splits says little: of single examples all scores are 1.
_FEWEST_IN_SPLIT = 10


class InceptionScore(NamedTuple):
    """The score over several splits.

    Attributes:
        mean: Float, from 1 to the number of classes.
        std: Float, the standard deviation over the splits, of the population, as it is published.
    """

    mean: float
    std: float


def inception_score(probabilities: Any, *, splits: int = _SPLITS) -> InceptionScore:
    """Returns the Inception score of a classifier's probabilities, mean and spread over splits.

    Formula: `exp(E_x KL(p(y|x) || p(y)))` in each split, p(y) the split's mean. It does not depend
    on real data: a generator of a single perfect image for each class has the highest score. Call
    it IS only with the Inception network of 2015. With few examples in a split it is biased
    downward.

    Args:
        probabilities: Array [num, num_classes], rows that sum to 1 within 1e-3.
        splits: Int of at least 1 and at most `num`: consecutive parts, part i from example
            `i * num // splits` on. Default: 10.

    Raises:
        ValueError: If rows are not probabilities, or there are fewer than splits.

    Example:

    >>> round(tfgans.metrics.inception_score(np.eye(5), splits=1).mean, 3)
    5.0

    Reference: Salimans et al. 2016, "Improved Techniques for Training GANs", section 4.

    Checked against: TensorFlow-GAN.
    """
    count = checks.positive_int("splits", splits)
    rows = arrays.points(
        "probabilities", probabilities, at_least=count, needed_by="each split needs some"
    )
    arrays.check_probabilities("probabilities", rows)
    rows = np.maximum(rows, 0) / np.maximum(rows, 0).sum(axis=1, keepdims=True)
    scores = []
    # The cuts of the authors' code.
    cuts = [index * len(rows) // count for index in range(count + 1)]
    for start, stop in itertools.pairwise(cuts):
        part = rows[start:stop]
        # 0 log 0 is 0.
        entropies = -special.xlogy(part, part).sum(axis=1)
        marginal = part.mean(axis=0)
        mutual = -special.xlogy(marginal, marginal).sum() - entropies.mean()
        scores.append(np.exp(max(0.0, mutual)))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


@dataclasses.dataclass(frozen=True)
class InceptionScoreMetric(Metric):
    """`inception_score` of all generated examples in 10 splits.

    The bias is that of splits, as far as it falls with 1 / count: with the score of all examples in
    a single split, two counts are known.
    """

    name = "inception_score"
    quantities = (Quantity("inception_score", low=1.0, higher_is_better=True, official_name="IS"),)
    reads = "probabilities"
    min_examples = _SPLITS
    by_default = True
    requirement = "an extractor that gives probabilities"

    def suits(self, context: Context) -> bool:
        """Returns whether the extractor is a classifier."""
        return context.has_probabilities

    def compute(self, real: np.ndarray, fake: np.ndarray, context: Context) -> dict[str, Estimate]:
        """Returns the mean over the splits."""
        del real, context
        mean, std = inception_score(fake)
        if len(fake) < _FEWEST_IN_SPLIT * _SPLITS:
            method = f"no error: under {_FEWEST_IN_SPLIT} examples in a split"
            return {"inception_score": Estimate(mean, None, method)}
        method = f"{_SPLITS} splits, whose spread is {std:.4g}"
        # `std` is the population's, as it is published.
        error = std / (_SPLITS - 1) ** 0.5
        # bias(num / 10) = 10 bias(num).
        bias = (mean - inception_score(fake, splits=1).mean) * _SPLITS / (_SPLITS - 1)
        estimate = Estimate(
            mean, error, method, bias, degrees=_SPLITS - 1, high=float(fake.shape[1])
        )
        return {"inception_score": estimate}
