"""The bound of Theorem 3.3 on pairs whose distance is known."""

import math

import numpy as np
import pytest

from tfgans.metrics import wasserstein_noise_bound


@pytest.mark.parametrize(("half_width", "bound"), [(0.25, 2.7863), (1.0, 4.6869), (5.0, 11.5656)])
def test_two_points_at_distance_one_under_uniform_noise(half_width, bound):
    """Noise on [-a, a]: V = a^2 / 3, C = 1 + 2a, and JSD = log 2 times what does not overlap."""
    received = wasserstein_noise_bound(
        math.log(2) * min(1.0, 1 / (2 * half_width)),
        variance=half_width**2 / 3,
        diameter=1 + 2 * half_width,
    )
    assert received == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_holds_for_random_distributions_on_a_line(seed):
    """Weights on the integers 0 to 9, noise of -1, 0 or 1: everything by summation."""
    p, q = np.random.default_rng(seed).dirichlet(np.full(10, 0.3), size=2)
    noisy_p, noisy_q = (np.convolve(weights, [0.25, 0.5, 0.25]) for weights in (p, q))
    mean = (noisy_p + noisy_q) / 2
    divergence = sum(np.sum(side * np.log(side / mean)) for side in (noisy_p, noisy_q)) / 2
    distance = np.abs(np.cumsum(p - q)).sum()
    assert 0 < distance <= wasserstein_noise_bound(divergence, variance=0.5, diameter=11.0)


def test_ends_of_the_range():
    assert wasserstein_noise_bound(0, variance=0, diameter=3) == 0
    # Rounding above log 2 is accepted.
    largest = wasserstein_noise_bound(math.log(2) + 5e-10, variance=0.0, diameter=1.0)
    assert largest == pytest.approx(2 * math.sqrt(math.log(2)))
