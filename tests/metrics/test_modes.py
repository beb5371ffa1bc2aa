"""Mode counts by hand, the labels of the stacked digits, and SciPy's entropy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

import tfgans
from tfgans.evaluation import DigitsClassifier
from tfgans.metrics import classifier_mode_coverage, mode_coverage

MODES = np.array([[-1.0, 0.0], [1.0, 0.0]])


def test_a_mode_counts_from_a_twentieth_of_its_fair_share_on():
    samples = np.repeat(MODES, [975, 25], axis=0)
    assert mode_coverage(samples, MODES, 0.1).modes == 2
    samples[-1] = MODES[0]
    assert mode_coverage(samples, MODES, 0.1).modes == 1
    assert mode_coverage(samples, MODES, 0.1, min_share=0.0).modes == 2
    assert mode_coverage(samples[:900], MODES, 0.1, min_share=0.0).modes == 1


@pytest.mark.parametrize("num_modes", [5, 10, 11, 25])
def test_exactly_a_twentieth_is_enough(num_modes):
    """Three samples of 60 a mode; .05 / k * 60 k rounds to above 3 for all of these k but 25."""
    modes = 10.0 * np.arange(num_modes)[:, np.newaxis]
    counts = np.full(num_modes, 3)
    counts[0] = 60 * num_modes - 3 * (num_modes - 1)
    assert mode_coverage(np.repeat(modes, counts, axis=0), modes, 0.1).modes == num_modes
    counts[:2] += [1, -1]
    assert mode_coverage(np.repeat(modes, counts, axis=0), modes, 0.1).modes == num_modes - 1


def test_the_nearest_modes_are_scikit_learns():
    rng = np.random.default_rng(0)
    modes, samples = rng.normal(size=(40, 5)), rng.normal(size=(500, 5))
    distances, nearest = NearestNeighbors(n_neighbors=1).fit(modes).kneighbors(samples)
    found = mode_coverage(samples, modes, 0.4, radius=3.0, min_share=0.0)
    assert found.shares.tolist() == (np.bincount(nearest[:, 0], minlength=40) / 500).tolist()
    near = distances[:, 0] <= 3 * 0.4
    assert 0 < found.high_quality == near.mean() < 1
    assert found.modes == len(np.unique(nearest[near]))


def test_near_is_within_three_standard_deviations():
    samples = MODES[1] + 0.1 * np.array([[2.99, 0], [0, 3.01], [-2.99, 0], [2.2, 2.2]])
    found = mode_coverage(samples, MODES, 0.1)
    assert found.high_quality == 0.5
    assert found.shares.tolist() == [0, 1]
    assert mode_coverage(samples, MODES, 0.1, radius=4.0).high_quality == 1


def test_real_draws_cover_all():
    source = tfgans.data.load("grid")
    found = mode_coverage(source.sample(10_000, 1), source.modes, source.std)
    assert found.modes == found.num_modes == 25
    # Within 3 sd in two dimensions: 1 - exp(-4.5) = .98889; 4 binomial errors are .0042.
    assert found.high_quality == pytest.approx(0.98889, abs=0.0042)
    # Twice the count times KL is a chi-square of 24; its .9999 quantile is 59.
    assert 0 <= found.kl < 59 / 20_000


def test_divergences_are_scipys():
    counts = np.array([70, 20, 0])
    modes = np.array([[0.0], [5.0], [9.0]])
    fair = [0.5, 0.3, 0.2]
    found = mode_coverage(np.repeat(modes, counts, axis=0), modes, 0.1, proportions=fair)
    assert found.kl == pytest.approx(stats.entropy(counts, fair))
    assert found.reverse_kl == pytest.approx(stats.entropy(fair, counts + 1))
    nowhere = mode_coverage(modes + 1, modes, 0.1, proportions=fair)
    assert nowhere.kl == pytest.approx(-np.log(0.2))
    assert (nowhere.modes, nowhere.high_quality) == (0, 0)


def test_stacked_digits_by_their_labels():
    source = tfgans.data.load("stacked_digits")
    images, labels = source.sample_with_labels(500, 1)
    extractor = DigitsClassifier()
    found = classifier_mode_coverage(images, extractor.probabilities)
    assert found.num_modes == 1000
    # It was trained on these digits and knows them all.
    np.testing.assert_array_equal(found.counts, np.bincount(labels, minlength=1000))
    assert found.modes == len(np.unique(labels))
    assert found.kl == pytest.approx(stats.entropy(found.counts, np.ones(1000)))


def test_a_collapsed_generator_shows_one_class():
    zeros = np.zeros([1500, 8, 8, 1])
    found = classifier_mode_coverage(
        zeros, lambda one: np.tile([0.1, 0.9], [len(one), 1]), num_classes=2
    )
    assert (found.modes, found.counts.tolist()) == (1, [0, 1500])
    assert found.kl == pytest.approx(np.log(2))


def classify(images):
    return np.eye(10)[np.zeros(len(images), int)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mode_coverage(MODES, np.zeros([2, 3]), 0.1), "same dimension"),
        (lambda: mode_coverage(MODES, MODES, 0), "std"),
        (lambda: mode_coverage(MODES, MODES, 0.1, radius=-1), "radius"),
        (lambda: mode_coverage(MODES, MODES, 0.1, min_share=2), "min_share"),
        (lambda: mode_coverage(MODES, MODES, 0.1, proportions=[0.5, 0.6]), "sum 1"),
        (lambda: mode_coverage(MODES, MODES, 0.1, proportions=[1, 0]), "above 0"),
        (lambda: mode_coverage(MODES * np.nan, MODES, 0.1), "finite"),
        (lambda: classifier_mode_coverage(np.zeros([2, 8, 8, 1]), lambda _: [[1.0]]), "must give"),
        (lambda: classifier_mode_coverage(np.zeros([2, 8, 8, 7]), classify), "million|1000000"),
        (lambda: classifier_mode_coverage(np.full([2, 8, 8, 1], 9.0), classify), r"\[-1, 1\]"),
        (lambda: classifier_mode_coverage(np.zeros([2, 8]), classify), "images"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dim", [1, 2, 20])
def test_real_draws_are_near_in_any_dimension(dim):
    modes = np.repeat(50.0 * np.arange(4)[:, np.newaxis], dim, axis=1)
    rng = np.random.default_rng(0)
    draws = modes[rng.integers(4, size=10_000)] + rng.normal(size=(10_000, dim))
    found = mode_coverage(draws, modes, 1.0)
    assert found.modes == 4
    # 4 binomial errors of .98889.
    assert found.high_quality == pytest.approx(0.98889, abs=0.0042)
