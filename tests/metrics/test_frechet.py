"""The Frechet distance: closed forms and SciPy. See test_properties.py too."""

import numpy as np
import pytest
from scipy import linalg

from tfgans.metrics import frechet_distance, frechet_distance_from_statistics


def features(num=300, dim=8, *, seed=0, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    return shift + scale * rng.normal(size=(num, dim)) @ np.diag(np.linspace(0.2, 2, dim))


def by_eigenvalues(first, second):
    """The formula, with the trace of the root from the eigenvalues of the product."""
    covariances = [np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second)]
    shift = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    # Rounding makes some of them slightly negative.
    eigenvalues = np.maximum(linalg.eigvals(covariances[0] @ covariances[1]).real, 0)
    return shift + sum(map(np.trace, covariances)) - 2 * np.sqrt(eigenvalues).sum()


def from_covariances(first, second):
    pairs = [
        (rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))) for rows in (first, second)
    ]
    return frechet_distance_from_statistics(*pairs)


def test_closed_form_of_gaussians():
    unit, wide = (np.zeros(4), np.eye(4)), (np.ones(4), 4 * np.eye(4))
    # 4 of the shift, and 4 (1 - 2)^2 of the standard deviations.
    assert frechet_distance_from_statistics(unit, wide) == pytest.approx(8, abs=1e-12)
    # In a single dimension (s1 - s2)^2 needs no matrix.
    assert frechet_distance([[0.0], [2.0]], [[3.0], [9.0]]) == pytest.approx(25 + 8)


@pytest.mark.parametrize(
    ("sizes", "dim", "tolerance"),
    [
        *[((300, 200), 1, 1e-8), ((300, 200), 2, 1e-8), ((300, 200), 32, 1e-8)],
        # Fewer examples than dimensions: singular values are known to the root of the rounding.
        *[((10, 100), 40, 1e-5), ((2, 2), 40, 1e-5), ((40, 41), 40, 1e-5)],
    ],
)
@pytest.mark.parametrize("is_dead", [False, True])
def test_agrees_with_the_formula(sizes, dim, tolerance, is_dead):
    first, second = features(sizes[0], dim), features(sizes[1], dim, seed=1, shift=0.1, scale=1.5)
    if is_dead:
        # A feature of a ReLU layer that is 0 for all.
        first[:, 0] = second[:, 0] = 0
    expected = by_eigenvalues(first, second)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=tolerance)
    assert from_covariances(first, second) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("num", [9, 100])
@pytest.mark.parametrize("nearness", [0.5, 1e-3])
def test_closed_form_of_singular_covariances_that_commute(num, nearness):
    """The sum of (s1 - s2)^2 over the 4 directions of 20 in which features vary at all."""
    rng = np.random.default_rng(0)
    directions = linalg.qr(rng.normal(size=(20, 4)), mode="economic")[0]
    # Orthogonal to the constant as well: centered, with unit covariance.
    basis = linalg.qr(np.column_stack([np.ones(num), rng.normal(size=(num, 4))]), mode="economic")
    uncorrelated = basis[0][:, 1:] * np.sqrt(num - 1)
    stds = np.array([3.0, 1.0, 0.5, 0.1])
    first = uncorrelated * stds @ directions.T
    second = uncorrelated * stds * (1 + nearness) @ directions.T
    expected = np.square(nearness * stds).sum()
    # Rounding of the traces (about 10), over 4 directions and not over 20: 1e-14 and less.
    assert frechet_distance(first, second) == pytest.approx(expected, abs=1e-12)
    assert from_covariances(first, second) == pytest.approx(expected, abs=1e-12)


def test_constant_features():
    constant = np.full([20, 3], 7.0)
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, constant + 1) == pytest.approx(3)


def test_few_examples_of_many_dimensions_need_no_covariance():
    """Which would have 80 GB."""
    first = np.random.default_rng(0).normal(size=(4, 100_000))
    assert frechet_distance(first, first + 0.1) == pytest.approx(1000)
