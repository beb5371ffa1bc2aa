"""The Inception score: closed forms, SciPy's entropy, and uneven splits."""

import numpy as np
import pytest
from scipy import special, stats

from tfgans.metrics import Context, InceptionScoreMetric, inception_score


def probabilities(num=200, classes=7):
    logits = 2 * np.random.default_rng(0).normal(size=(num, classes))
    return special.softmax(logits, axis=1)


def test_closed_forms():
    assert inception_score(np.tile(probabilities(1), [20, 1])) == pytest.approx((1, 0))
    # Sure of each, all classes alike: as many as classes, and no NaN of 0 log 0.
    assert inception_score(np.tile(np.eye(5), [20, 1])) == pytest.approx((5, 0))


@pytest.mark.parametrize("splits", [1, 4, 103])
def test_is_scipys_divergence_in_the_splits_of_the_authors(splits):
    """Part i of 4 of 103 rows begins at `i * 103 // 4`: the last parts are the longer ones."""
    rows, scores = probabilities(103), []
    for part in range(splits):
        of_part = rows[part * 103 // splits : (part + 1) * 103 // splits]
        mean = of_part.mean(axis=0, keepdims=True)
        scores.append(np.exp(stats.entropy(of_part, mean, axis=1).mean()))
    expected = np.mean(scores), np.std(scores)
    assert inception_score(rows, splits=splits) == pytest.approx(expected, rel=1e-9)


def test_float16_passes():
    rows = probabilities(classes=1000)
    low = inception_score(rows.astype(np.float16), splits=2)
    # Rows are rounded to 11 bits and divided by their sums.
    assert low.mean == pytest.approx(inception_score(rows, splits=2).mean, rel=2e-3)


def test_error_is_that_of_a_mean_of_ten_scores():
    rows = probabilities(200)
    parts = (rows[first : first + 20] for first in range(0, 200, 20))
    scores = [inception_score(part, splits=1).mean for part in parts]
    context = Context(data_shape=(8, 8, 1), feature_dim=4, has_probabilities=True)
    estimate = InceptionScoreMetric().compute(rows, rows, context)["inception_score"]
    assert estimate.standard_error == pytest.approx(np.std(scores, ddof=1) / np.sqrt(10))
    assert (estimate.degrees, estimate.high) == (9, 7)


def test_bias_of_splits_and_few_examples_are_told():
    """Sure of each of 10 classes: the score of all draws is 10, that of 30 in a split lower."""
    rng, context = np.random.default_rng(0), Context(data_shape=(8, 8, 1), feature_dim=4)
    compute = InceptionScoreMetric().compute
    estimates = [
        compute(rows, rows, context)["inception_score"]
        for rows in (np.eye(10)[rng.integers(10, size=300)] for _ in range(20))
    ]
    left = [10 - (estimate.value - estimate.bias) for estimate in estimates]
    assert np.mean([estimate.bias for estimate in estimates]) < -1
    assert abs(np.mean(left)) < 0.3
    few = compute(np.eye(10), np.eye(10), context)["inception_score"]
    assert (few.value, few.standard_error) == (1, None)
