import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import sample_scores

MODES = np.array([[-1.0, 0.0], [1.0, 0.0]])
HALVES = np.array([0.5, 0.5])


def test_scores_of_samples_that_are_known():
    samples = np.repeat(MODES, [975, 25], axis=0)
    found = sample_scores.score(samples, samples, modes=MODES, std=0.1, proportions=HALVES)
    assert (found.modes, found.high_quality, found.sliced) == (2, 1, 0)
    assert found.kl_near == pytest.approx(stats.entropy([0.975, 0.025], HALVES))
    assert found.kl_all == pytest.approx(found.kl_near)
    assert found.distance == pytest.approx(0.475)


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
