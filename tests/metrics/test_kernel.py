"""The kernel distance against scikit-learn and its definition."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from tfgans.metrics import kernel_distance

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(200, 6)), RNG.normal(size=(150, 6)) * 1.3 + 0.2


def by_definition(real, fake, **options):
    within = [polynomial_kernel(rows, **options) for rows in (real, fake)]
    means = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in within]
    return sum(means) - 2 * polynomial_kernel(real, fake, **options).mean()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"degree": 3, "coef0": 1}),
        ({"degree": 2, "gamma": 0.5, "coefficient": 0.0}, {"degree": 2, "gamma": 0.5, "coef0": 0}),
    ],
)
def test_agrees_with_scikit_learn(ours, theirs):
    expected = by_definition(REAL, FAKE, **theirs)
    assert kernel_distance(REAL, FAKE, **ours).value == pytest.approx(expected, rel=1e-10)


def test_more_rows_than_a_block():
    real, fake = RNG.normal(size=(1500, 2)), RNG.normal(size=(1100, 2)) + 0.3
    assert kernel_distance(real, fake).value == pytest.approx(by_definition(real, fake, coef0=1))


def test_blocks_hold_every_example():
    """200 and 150 examples in 3 blocks: 66, 67 and 67 of the first, 50 of the second."""
    parts = [(REAL[:66], FAKE[:50]), (REAL[66:133], FAKE[50:100]), (REAL[133:], FAKE[100:])]
    values = [kernel_distance(*part).value for part in parts]
    result = kernel_distance(REAL, FAKE, estimator="blocks", subset_size=45)
    assert result == pytest.approx((np.mean(values), np.std(values, ddof=1) / np.sqrt(3)))
    moved = REAL.copy()
    moved[-1] += 9
    assert kernel_distance(moved, FAKE, estimator="blocks", subset_size=45) != result


def test_the_error_is_the_spread_over_samples():
    """Apart distributions, 60 samples: the spread of a spread is 1 / sqrt(2 * 60), so 40 % is 4."""
    estimates = [
        kernel_distance(RNG.normal(size=(150, 4)), RNG.normal(size=(150, 4)) + 1) for _ in range(60)
    ]
    values, errors = np.array(estimates).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.4)


def test_estimators_agree_within_their_errors():
    real, fake = RNG.normal(size=(2000, 4)), RNG.normal(size=(2000, 4)) + 0.5
    full = kernel_distance(real, fake)
    for estimator in ("blocks", "subsets"):
        options = {"estimator": estimator, "subset_size": 100, "num_subsets": 50}
        estimate = kernel_distance(real, fake, **options)
        error = np.hypot(full.standard_error, estimate.standard_error)
        assert abs(estimate.value - full.value) < 4 * error
        assert kernel_distance(real, fake, **options) == estimate
    assert kernel_distance(real, fake, estimator="blocks", subset_size=2000) == full
    # A subset of all examples has each of them once.
    whole = kernel_distance(real, fake, estimator="subsets", subset_size=2000, num_subsets=2)
    assert whole == pytest.approx((full.value, 0), rel=1e-9, abs=1e-12)


def test_equal_points():
    assert kernel_distance(np.ones([5, 3]), np.ones([5, 3])) == (0, 0)
