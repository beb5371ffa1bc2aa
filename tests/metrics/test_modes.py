"""Mode counts by hand, the labels of the stacked digits, and SciPy's entropy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

import tfgans
from tfgans.evaluation import DigitsClassifier
from tfgans.metrics import classifier_mode_coverage, mode_coverage

MODES = np.array([[-1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("num_modes", [2, 10, 11])
def test_a_mode_counts_from_a_twentieth_of_its_share_on(num_modes):
    """Three samples of 60 a mode; .05 / k * 60 k rounds to above 3 for some of these k."""
    modes = 10.0 * np.arange(num_modes)[:, np.newaxis]
    counts = np.full(num_modes, 3)
    counts[0] = 60 * num_modes - 3 * (num_modes - 1)
    assert mode_coverage(np.repeat(modes, counts, axis=0), modes, 0.1).modes == num_modes
    counts[:2] += [1, -1]
    samples = np.repeat(modes, counts, axis=0)
    assert mode_coverage(samples, modes, 0.1).modes == num_modes - 1
    assert mode_coverage(samples, modes, 0.1, min_share=0.0).modes == num_modes
    assert mode_coverage(samples[: counts[0]], modes, 0.1, min_share=0.0).modes == 1


def test_the_nearest_modes_are_scikit_learns():
    rng = np.random.default_rng(0)
    modes, samples = rng.normal(size=(40, 5)), rng.normal(size=(500, 5))
    distances, nearest = NearestNeighbors(n_neighbors=1).fit(modes).kneighbors(samples)
    coverage = mode_coverage(samples, modes, 0.4, radius=3.0, min_share=0.0)
    assert coverage.shares.tolist() == (np.bincount(nearest[:, 0], minlength=40) / 500).tolist()
    near = distances[:, 0] <= 3 * 0.4
    assert 0 < coverage.high_quality == near.mean() < 1
    assert coverage.modes == len(np.unique(nearest[near]))


def test_near_is_within_three_standard_deviations():
    samples = MODES[1] + 0.1 * np.array([[2.99, 0], [0, 3.01], [-2.99, 0], [2.2, 2.2]])
    coverage = mode_coverage(samples, MODES, 0.1)
    assert coverage.high_quality == 0.5
    assert coverage.shares.tolist() == [0, 1]
    assert mode_coverage(samples, MODES, 0.1, radius=4.0).high_quality == 1


@pytest.mark.parametrize("dim", [1, 2, 20])
def test_real_draws_are_near_in_any_dimension(dim):
    modes = np.repeat(50.0 * np.arange(4)[:, np.newaxis], dim, axis=1)
    rng = np.random.default_rng(0)
    draws = modes[rng.integers(4, size=10_000)] + rng.normal(size=(10_000, dim))
    coverage = mode_coverage(draws, modes, 1.0)
    assert coverage.modes == coverage.num_modes == 4
    # Within 3 sd in two dimensions: 1 - exp(-4.5) = .98889; 4 binomial errors are .0042.
    assert coverage.high_quality == pytest.approx(0.98889, abs=0.0042)
    # Twice the count times KL is a chi-square of 3; its .9999 quantile is 21.
    assert 0 <= coverage.kl < 21 / 20_000


def test_divergences_are_scipys():
    counts = np.array([70, 20, 0])
    modes = np.array([[0.0], [5.0], [9.0]])
    proportions = [0.5, 0.3, 0.2]
    coverage = mode_coverage(np.repeat(modes, counts, axis=0), modes, 0.1, proportions=proportions)
    assert coverage.kl == pytest.approx(stats.entropy(counts, proportions))
    assert coverage.reverse_kl == pytest.approx(stats.entropy(proportions, counts + 1))
    nowhere = mode_coverage(modes + 1, modes, 0.1, proportions=proportions)
    assert nowhere.kl == pytest.approx(-np.log(0.2))
    assert (nowhere.modes, nowhere.high_quality) == (0, 0)
    collapsed = mode_coverage(modes[[2, 2, 2]], modes, 0.1, proportions=proportions)
    assert nowhere.reverse_kl == collapsed.reverse_kl


def test_few_samples_near_a_mode_do_not_look_even():
    """Of 1000 samples, one is near one of two modes: the other has a share of 1 / 1000."""
    samples = np.concatenate([MODES[:1], np.full([999, 2], 50.0)])
    coverage = mode_coverage(samples, MODES, 0.1)
    expected = stats.entropy([0.5, 0.5], [1001, 1])
    assert coverage.reverse_kl == pytest.approx(expected)
    # Of classes of proportion 0, too.
    rare = classifier_mode_coverage(
        np.zeros([1000, 8, 8, 1]),
        lambda x: np.eye(3)[[0] + [2] * (len(x) - 1)],
        num_classes=3,
        proportions=[0.5, 0.5, 0],
    )
    assert rare.reverse_kl == pytest.approx(expected)


def test_stacked_digits_by_their_labels():
    source = tfgans.data.load("stacked_digits")
    images, labels = (part.numpy() for part in next(iter(source.batches(500, labels=True))))
    coverage = classifier_mode_coverage(images, DigitsClassifier().probabilities)
    assert coverage.num_modes == 1000
    # It was trained on these digits and knows them all.
    np.testing.assert_array_equal(coverage.counts, np.bincount(labels, minlength=1000))
    assert coverage.modes == len(np.unique(labels))
    assert coverage.kl == pytest.approx(stats.entropy(coverage.counts, np.ones(1000)))


def test_a_collapsed_generator_shows_a_single_class():
    coverage = classifier_mode_coverage(
        np.zeros([1500, 8, 8, 1]), lambda x: np.tile([0.1, 0.9], [len(x), 1]), num_classes=2
    )
    assert (coverage.modes, coverage.counts.tolist()) == (1, [0, 1500])
    assert coverage.kl == pytest.approx(np.log(2))
