import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import sample_scores

MODES = np.array([[-1.0, 0.0], [1.0, 0.0]])
HALVES = np.array([0.5, 0.5])


def test_a_mode_counts_from_a_twentieth_of_its_fair_share_on():
    samples = np.repeat(MODES, [975, 25], axis=0)
    how = {"modes": MODES, "std": 0.1, "proportions": HALVES}
    assert sample_scores.score(samples, samples, **how).modes == 2
    samples[-1] = MODES[0]
    assert sample_scores.score(samples, samples, **how).modes == 1


def test_near_is_within_three_standard_deviations():
    samples = MODES[1] + 0.1 * np.array([[2.99, 0], [0, 3.01], [-2.99, 0], [2.2, 2.2]])
    nearest, near = sample_scores.assign(samples, MODES, 0.1)
    assert nearest.tolist() == [1] * 4
    assert near.tolist() == [True, False, True, False]


def test_divergence_is_that_of_scipy_and_at_most_that_of_one_mode():
    counts, proportions = np.array([3.0, 0.0, 5.0]), np.array([0.2, 0.5, 0.3])
    expected = stats.entropy(counts, proportions)
    assert sample_scores.divergence(counts, proportions) == pytest.approx(expected)
    assert sample_scores.divergence(np.zeros(2), HALVES) == pytest.approx(np.log(2))


def test_sliced_distance_of_a_shift_is_its_mean_length_on_the_directions():
    samples = np.random.default_rng(1).normal(size=(500, 2))
    shift = np.array([3.0, -4.0])
    expected = np.abs(shift @ sample_scores.directions(2)).mean()
    moved = np.random.default_rng(2).permutation(samples + shift)
    assert sample_scores.sliced_wasserstein(samples, moved) == pytest.approx(expected)


def test_sliced_distance_is_scipys_on_a_line():
    first, second = np.random.default_rng(3).exponential(size=(2, 300, 1))
    expected = stats.wasserstein_distance(first[:, 0], second[:, 0])
    assert sample_scores.sliced_wasserstein(first, second) == pytest.approx(expected)


def test_sets_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match="equal"):
        sample_scores.sliced_wasserstein(np.zeros((3, 2)), np.zeros((2, 2)))


def test_total_variation():
    assert sample_scores.total_variation([0.25] * 4, [0.5, 0.3, 0.15, 0.05]) == pytest.approx(0.3)


def test_least_variation_of_any_weights():
    truth = np.array([0.5, 0.3, 0.2])
    assert sample_scores.least_variation(np.eye(3), truth) == pytest.approx(0, abs=1e-9)
    # Two generators of three modes: the third mode can only be missed.
    assert sample_scores.least_variation(np.eye(3)[:2], truth) == pytest.approx(0.2)
    equal = np.array([[0.2, 0.3, 0.5]] * 2)
    expected = sample_scores.total_variation(equal[0], truth)
    assert sample_scores.least_variation(equal, truth) == pytest.approx(expected)
