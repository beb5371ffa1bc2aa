"""W1 against SciPy and POT, and the closed forms of shifts and of the bound under noise."""

import math

import numpy as np
import ot
import pytest
from scipy import optimize, stats
from scipy.spatial.distance import cdist

import tfgans
from tfgans.metrics import (
    sliced_wasserstein_distance,
    wasserstein_distance,
    wasserstein_noise_bound,
)
from tfgans.metrics.wasserstein import directions

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 3)) + 0.5


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_exact_as_an_assignment(metric):
    costs = cdist(REAL, FAKE, metric)
    expected = costs[optimize.linear_sum_assignment(costs)].mean()
    assert wasserstein_distance(REAL, FAKE, metric=metric) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("num", [60, 41, 7])
def test_a_single_dimension_as_scipy(num):
    left, right = REAL[:, :1], FAKE[:num, 1:2]
    expected = stats.wasserstein_distance(left.ravel(), right.ravel())
    assert wasserstein_distance(left, right) == pytest.approx(expected, rel=1e-9)
    # All directions of a line are the same.
    assert sliced_wasserstein_distance(left, right) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dim", [2, 5])
def test_sliced_shift_in_closed_form(dim):
    shift = np.linspace(0.2, 1, dim)
    expected = np.linalg.norm(shift) * math.gamma(dim / 2) / math.sqrt(math.pi)
    expected /= math.gamma((dim + 1) / 2)
    points = RNG.normal(size=(50, dim))
    distance = sliced_wasserstein_distance(points, points + shift, num_projections=20_000)
    # The cosine's spread is under 1 / sqrt(dim): 4 standard errors of 20 000 directions.
    assert distance == pytest.approx(expected, abs=4 * np.linalg.norm(shift) / np.sqrt(20_000))


def test_sliced_as_pot_along_the_same_directions():
    lines = directions(3, 40, 5)
    np.testing.assert_allclose(np.square(lines).sum(axis=0), 1)
    expected = ot.sliced_wasserstein_distance(REAL, FAKE[:41], projections=lines, p=1)
    distance = sliced_wasserstein_distance(REAL, FAKE[:41], num_projections=40, seed=5)
    assert distance == pytest.approx(expected, rel=1e-9)


def test_sliced_distance_of_images_is_measured_only_when_it_is_asked_for():
    metric = tfgans.metrics.SlicedWassersteinMetric()
    for shape, is_default in (((2,), True), ((8, 8, 1), False)):
        context = tfgans.metrics.Context(data_shape=shape, feature_dim=2)
        assert metric.suits(context)
        assert metric.is_default(context) == is_default


@pytest.mark.parametrize(("half_width", "bound"), [(0.25, 2.7863), (1.0, 4.6869), (5.0, 11.5656)])
def test_two_points_at_distance_one_under_uniform_noise(half_width, bound):
    """Noise on [-a, a]: V = a^2 / 3, C = 1 + 2a, and JSD = log 2 times what does not overlap."""
    received = wasserstein_noise_bound(
        math.log(2) * min(1.0, 1 / (2 * half_width)),
        variance=half_width**2 / 3,
        diameter=1 + 2 * half_width,
    )
    assert received == pytest.approx(bound, abs=1e-4)


def test_ends_of_the_range():
    assert wasserstein_noise_bound(0, variance=0, diameter=3) == 0
    # Rounding above log 2 is accepted.
    largest = wasserstein_noise_bound(math.log(2) + 5e-10, variance=0.0, diameter=1.0)
    assert largest == pytest.approx(2 * math.sqrt(math.log(2)))
