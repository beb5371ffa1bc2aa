"""The Frechet distance: closed forms, properties and SciPy."""

import numpy as np
import pytest
from scipy import linalg

from tfgans.metrics import frechet_distance, frechet_distance_from_statistics


def features(num=300, dim=8, *, seed=0, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    return shift + scale * rng.normal(size=(num, dim)) @ np.diag(np.linspace(0.2, 2, dim))


def by_sqrtm(first, second):
    """The formula as the TTUR code computes it."""
    covariances = [np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second)]
    shift = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return shift + np.trace(covariances[0] + covariances[1] - 2 * root)


def from_covariances(first, second):
    pairs = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in (first, second)]
    return frechet_distance_from_statistics(*pairs)


def test_closed_form_of_gaussians():
    unit, wide = (np.zeros(4), np.eye(4)), (np.ones(4), 4 * np.eye(4))
    # 4 of the shift, and 4 (1 - 2)^2 of the standard deviations.
    assert frechet_distance_from_statistics(unit, wide) == pytest.approx(8, abs=1e-12)
    # In a single dimension (s1 - s2)^2 needs no matrix.
    assert frechet_distance([[0.0], [2.0]], [[3.0], [9.0]]) == pytest.approx(25 + 8)


@pytest.mark.parametrize("num", [300, 6])
def test_is_zero_at_identity_symmetric_and_monotone_in_the_shift(num):
    first, second = features(num), features(num, seed=1, shift=0.3)
    # Rounding of the trace, 1e-16 times the dimension and the condition.
    assert frechet_distance(first, first) < 1e-10 * np.square(first).mean()
    there, back = frechet_distance(first, second), frechet_distance(second, first[::-1])
    assert there == pytest.approx(back, rel=1e-9)
    distances = [frechet_distance(first, first + shift) for shift in (0, 0.1, 0.5, 2)]
    assert distances == sorted(distances)


@pytest.mark.parametrize("dim", [1, 2, 32])
def test_agrees_with_scipy(dim):
    first, second = features(dim=dim), features(200, dim=dim, seed=1, shift=0.1, scale=1.5)
    assert frechet_distance(first, second) == pytest.approx(by_sqrtm(first, second), rel=1e-8)


@pytest.mark.parametrize("sizes", [(10, 100), (2, 2), (40, 41)])
def test_fewer_examples_than_dimensions(sizes):
    """The root of a singular product by its eigenvalues: another way to the same number."""
    first, second = features(sizes[0], 40), features(sizes[1], 40, seed=1, shift=0.2)
    covariances = [np.cov(rows, rowvar=False) for rows in (first, second)]
    # The eigenvalues of S1 S2 are at least 0; their roots' error is the root of the rounding.
    eigenvalues = np.maximum(linalg.eigvals(covariances[0] @ covariances[1]).real, 0)
    expected = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    expected += sum(map(np.trace, covariances)) - 2 * np.sqrt(eigenvalues).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)
    # Through the covariances singular values are known to the root of the rounding only.
    assert from_covariances(first, second) == pytest.approx(expected, rel=1e-5)


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


def test_constant_features_and_other_scales():
    constant = np.full([20, 3], 7.0)
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, constant + 1) == pytest.approx(3)
    # A dead feature beside live features, as a ReLU layer has them.
    first, second = features(), features(seed=1)
    first[:, 2] = second[:, 2] = 0
    live = by_sqrtm(np.delete(first, 2, axis=1), np.delete(second, 2, axis=1))
    assert frechet_distance(first, second) == pytest.approx(live, rel=1e-6)
    for scale in (1e-120, 1e4):
        scaled = frechet_distance(scale * first, scale * second)
        expected = scale**2 * frechet_distance(first, second)
        assert scaled == pytest.approx(expected, rel=1e-7, abs=0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_low_precision_is_only_the_input_rounding(dtype):
    first, second = features().astype(dtype), features(seed=1, shift=1).astype(dtype)
    expected = frechet_distance(first.astype(np.float64), second.astype(np.float64))
    assert frechet_distance(first, second) == expected
