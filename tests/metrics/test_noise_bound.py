"""The bound of Theorem 3.3 on pairs whose distance is known."""

import math

import numpy as np
import pytest

from tfgans import metrics


@pytest.mark.parametrize(
    ("half_width", "bound"),
    [(0.25, 2.7863), (0.5, 3.9076), (1.0, 4.6869), (2.0, 6.4722), (5.0, 11.5656)],
)
def test_two_points_at_distance_one_under_uniform_noise(half_width, bound):
    """Noise on [-a, a]: V = a^2 / 3, C = 1 + 2a, and JSD = log 2 times what does not overlap."""
    received = metrics.wasserstein_noise_bound(
        math.log(2) * min(1.0, 1 / (2 * half_width)),
        variance=half_width**2 / 3,
        diameter=1 + 2 * half_width,
    )
    assert isinstance(received, float)
    assert received == pytest.approx(bound, abs=1e-4)
    assert received >= 1


@pytest.mark.parametrize("seed", range(20))
def test_holds_for_random_distributions_on_a_line(seed):
    """Weights on the integers 0 to 9, noise of -1, 0 or 1: everything by summation."""
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(10, 0.3), size=2)
    noise = np.array([0.25, 0.5, 0.25])
    noisy_p, noisy_q = np.convolve(p, noise), np.convolve(q, noise)
    mean = (noisy_p + noisy_q) / 2
    divergence = sum(np.sum(side * np.log(side / mean)) for side in (noisy_p, noisy_q)) / 2
    distance = np.abs(np.cumsum(p - q)).sum()
    bound = metrics.wasserstein_noise_bound(divergence, variance=0.5, diameter=11.0)
    assert 0 < distance <= bound


def test_grows_with_each_argument_and_is_zero_for_equal_and_noiseless():
    bound = metrics.wasserstein_noise_bound
    assert bound(0, variance=0, diameter=3) == 0
    start = bound(0.1, variance=1.0, diameter=2.0)
    assert bound(0.2, variance=1.0, diameter=2.0) > start
    assert bound(0.1, variance=2.0, diameter=2.0) > start
    assert bound(0.1, variance=1.0, diameter=3.0) > start


def test_rounding_above_log_two_is_let_through():
    bound = metrics.wasserstein_noise_bound(math.log(2) + 5e-10, variance=0.0, diameter=1.0)
    assert bound == pytest.approx(2 * math.sqrt(math.log(2)))


@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf"), None, True, "1"])
@pytest.mark.parametrize("name", ["jensen_shannon", "variance", "diameter"])
def test_refuses_what_is_no_number_of_at_least_zero(name, bad):
    arguments = {"jensen_shannon": 0.1, "variance": 1.0, "diameter": 2.0, name: bad}
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number of at least 0"):
        metrics.wasserstein_noise_bound(**arguments)


def test_refuses_a_divergence_above_log_two():
    with pytest.raises(ValueError, match="`jensen_shannon` must be at most log 2"):
        metrics.wasserstein_noise_bound(2 * math.log(2), variance=1.0, diameter=2.0)
