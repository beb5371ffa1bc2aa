"""Bad arguments of every measure: each is told what was expected."""

import numpy as np
import pytest
from numpy import zeros

from tfgans.metrics import (
    FeatureStatistics,
    birthday_paradox,
    classifier_mode_coverage,
    frechet_distance,
    frechet_distance_from_statistics,
    inception_score,
    kernel_distance,
    mode_coverage,
    ms_ssim,
    nearest_neighbors,
    precision_recall,
    sliced_wasserstein_distance,
    wasserstein_distance,
    wasserstein_noise_bound,
)

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(40, 3)), RNG.normal(size=(30, 3))
HUGE = np.full([5, 2], 1e100)


def from_statistics(mean, covariance):
    frechet_distance_from_statistics((mean, covariance), (zeros(2), np.eye(2)))


def paradox(features=None, sample=lambda n, seed: np.arange(n)[:, np.newaxis] % 7, **options):
    birthday_paradox(sample, features=features, **options)


def bound(**changed):
    arguments = {"jensen_shannon": 0.1, "variance": 1.0, "diameter": 2.0, **changed}
    wasserstein_noise_bound(arguments.pop("jensen_shannon"), **arguments)


def classes(images):
    return np.eye(10)[zeros(len(images), int)]


CALLS = [
    # Arrays: these checks are shared by all.
    (lambda: frechet_distance(zeros([5, 2]), zeros([5, 3])), "same dimension"),
    (lambda: frechet_distance(zeros([1, 2]), zeros([5, 2])), "at least 2 examples"),
    (lambda: frechet_distance(np.full([5, 2], np.nan), zeros([5, 2])), "finite"),
    (lambda: frechet_distance(zeros([5, 2, 2]), zeros([5, 4])), "Flatten"),
    (lambda: frechet_distance("abc", zeros([5, 4])), "array of numbers"),
    (lambda: frechet_distance(1j * zeros([5, 4]), zeros([5, 4])), "real numbers. .*complex128"),
    (lambda: frechet_distance(HUGE, zeros([5, 2])), r"at most 1e\+50"),
    (lambda: ms_ssim(zeros([2, 8, 8])), "images"),
    (lambda: ms_ssim(np.full([2, 8, 8, 1], 255.0)), r"\[-1, 1\]"),
    (lambda: ms_ssim(np.full([2, 8, 8, 1], np.nan)), "finite"),
    (lambda: ms_ssim(zeros([1, 8, 8, 1])), "at least 2"),
    # Each measure's arguments.
    (lambda: ms_ssim(zeros([2, 7, 9, 1])), "at least 8"),
    (lambda: from_statistics(zeros(2), np.eye(3)), "covariance"),
    (lambda: from_statistics(zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]])), "symmetric"),
    (lambda: from_statistics(zeros(2), -np.eye(2)), "negative variance"),
    (lambda: from_statistics(zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])), "negative eigenvalue"),
    (lambda: from_statistics(zeros(2), 1e200 * np.eye(2)), r"at most 1e\+100"),
    (lambda: from_statistics(zeros(3), np.eye(3)), "same dimension"),
    (lambda: frechet_distance_from_statistics(zeros(3), zeros(3)), "pair"),
    (lambda: kernel_distance(REAL, FAKE, estimator="half"), "'full', 'blocks', 'subsets'"),
    (lambda: kernel_distance(REAL, FAKE, estimator="blocks"), "at least 1000"),
    (lambda: kernel_distance(REAL, FAKE, degree=0), "degree"),
    (lambda: kernel_distance(REAL, FAKE, gamma=0), "gamma"),
    (lambda: kernel_distance(REAL, FAKE, coefficient=-1), "coefficient"),
    (lambda: kernel_distance(REAL, FAKE, subset_size=1), "subset_size"),
    (lambda: kernel_distance(REAL, FAKE, num_subsets=1), "num_subsets"),
    (lambda: kernel_distance(REAL[:1], FAKE), "at least 2"),
    (lambda: kernel_distance(HUGE, zeros([5, 2])), "must not overflow"),
    (lambda: kernel_distance(1e20 * REAL, FAKE, degree=10), "must not overflow"),
    (lambda: kernel_distance(REAL, FAKE, gamma=1e200), "must not overflow"),
    (lambda: inception_score(np.full([20, 3], 0.4)), "row 0 sums to 1.2.*softmax"),
    (lambda: inception_score(np.tile([1.5, -0.5], [20, 1])), "its least is -0.5"),
    (lambda: inception_score(np.full([5, 2], 0.5)), "at least 10 examples"),
    (lambda: inception_score(np.full([20, 2], 0.5), splits=0), "splits"),
    (lambda: precision_recall(REAL[:5], FAKE), "at least 6 examples.*nearest_k"),
    (lambda: precision_recall(REAL, FAKE, nearest_k=0), "nearest_k"),
    (lambda: nearest_neighbors(FAKE, REAL, copy_quantile=2), "copy_quantile"),
    (lambda: nearest_neighbors(FAKE, REAL[:, :2]), "same shape"),
    (lambda: nearest_neighbors(FAKE, REAL[:1]), "at least 2"),
    (lambda: nearest_neighbors(FAKE[:0], REAL), "`samples` must have at least 1"),
    (lambda: nearest_neighbors(FAKE, REAL[:0]), "`real` must have at least 2"),
    (lambda: nearest_neighbors([[1, 2], [3]], REAL), "`samples` must be an array of numbers"),
    (lambda: wasserstein_distance(REAL, FAKE, metric="cosine"), "'euclidean'"),
    (lambda: wasserstein_distance(zeros([20_000, 1]), zeros([20_000, 1])), "sliced"),
    (lambda: sliced_wasserstein_distance(REAL, FAKE, num_projections=0), "num_projections"),
    (lambda: sliced_wasserstein_distance(REAL, FAKE, seed=1.5), "seed"),
    (lambda: mode_coverage(REAL, zeros([2, 2]), 0.1), "same dimension"),
    (lambda: mode_coverage(REAL, FAKE, 0), "std"),
    (lambda: mode_coverage(REAL, FAKE, 0.1, radius=-1), "radius"),
    (lambda: mode_coverage(REAL, FAKE, 0.1, min_share=2), "min_share"),
    (lambda: mode_coverage(REAL, FAKE[:2], 0.1, proportions=[0.5, 0.6]), "sum 1"),
    (lambda: mode_coverage(REAL, FAKE[:2], 0.1, proportions=[1, 0]), "above 0"),
    (lambda: classifier_mode_coverage(zeros([2, 8, 8, 1]), lambda _: [[1.0]]), "must give"),
    (lambda: classifier_mode_coverage(zeros([2, 8, 8, 7]), classes), "at most 1000000 modes"),
    (lambda: paradox(threshold=-1), "threshold"),
    (lambda: paradox(batch_size=1), "batch_size"),
    (lambda: paradox(num_batches=1), "num_batches"),
    (lambda: paradox(max_batch_size=1), "max_batch_size"),
    (lambda: paradox(num_pairs=0), "num_pairs"),
    (lambda: paradox(confidence=0.0), "confidence"),
    (lambda: paradox(confidence=1.0), "confidence"),
    (lambda: paradox(lambda batch: np.full([len(batch), 1], np.nan)), "features.*finite"),
    (lambda: paradox(lambda _: zeros([7, 1])), "features.*as many"),
    (lambda: paradox(sample=lambda n, seed: zeros([3, 1])), "as many"),
    (lambda: paradox(sample=lambda n, seed: 1.0), "as many"),
    (lambda: bound(jensen_shannon=-1e-9), "`jensen_shannon` must be a finite number of at least"),
    (lambda: bound(jensen_shannon=1.4), "`jensen_shannon` must be at most log 2"),
    (lambda: bound(variance=np.nan), "`variance` must be a finite number of at least 0"),
    (lambda: bound(diameter=-1), "`diameter` must be a finite number of at least 0"),
    (lambda: FeatureStatistics().save("a.npy"), "npz"),
]


@pytest.mark.parametrize(("call", "message"), CALLS)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
