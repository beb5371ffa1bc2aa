"""Nearest neighbors against scikit-learn, near-copies, and chunks."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tfgans.metrics import Context, NearCopiesMetric, nearest_neighbors, neighbors

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(400, 16)), RNG.normal(size=(300, 16)) * 0.8 + 0.3


def among_real(rows):
    distances, _ = NearestNeighbors(n_neighbors=2).fit(REAL).kneighbors(rows)
    return distances[:, 1]


def test_closest_is_that_of_scikit_learn():
    result = nearest_neighbors(FAKE, REAL)
    distances, indices = NearestNeighbors(n_neighbors=1).fit(REAL).kneighbors(FAKE)
    np.testing.assert_array_equal(result.indices, indices[:, 0])
    np.testing.assert_allclose(result.distances, distances[:, 0], rtol=1e-12)
    assert result.threshold == pytest.approx(np.quantile(among_real(REAL), 0.01))


def test_share_of_copies():
    fresh, pool = RNG.normal(size=(2, 1000, 2))
    # Of new draws 1 % are expected; binomial, so 4 standard errors are 1.3 %.
    assert 0.001 < nearest_neighbors(fresh, pool).copy_share < 0.025
    images = pool.reshape(-1, 2, 1, 1)
    half = np.concatenate([images[:500], images[:500] + 100])
    # With an offset products of float32 have no correct digit.
    for offset in (0, 1e6):
        result = nearest_neighbors(half + offset, images + offset)
        assert result.copy_share == pytest.approx(0.5)


def test_uint8_is_images():
    pixels = RNG.integers(0, 256, size=(50, 4, 4, 1), dtype=np.uint8)
    images = pixels / 127.5 - 1
    for samples, real in ((images, pixels), (pixels, images), (pixels, pixels)):
        assert nearest_neighbors(samples, real).distances.max() < 1e-12


@pytest.mark.parametrize("far", [np.full([1, 16], 1e9), REAL * 1e-9 + 1])
def test_closest_of_narrow_modes(far):
    """Squared distances of 1e-18 beside norms of 1: products tell none of them apart."""
    narrow, shift = 1e-9 * FAKE[:50], 1e-9 * REAL
    result = nearest_neighbors(narrow, np.concatenate([shift, far]))
    distances, indices = NearestNeighbors(algorithm="kd_tree").fit(shift).kneighbors(narrow, 1)
    np.testing.assert_array_equal(result.indices, indices[:, 0])
    np.testing.assert_allclose(result.distances, distances[:, 0])
    # Of several that are equally close, the first.
    assert nearest_neighbors(REAL[:9], REAL.repeat(2, axis=0)).indices.tolist() == [
        *range(0, 18, 2)
    ]


@pytest.mark.parametrize("size", [1, 7, 400])
def test_closest_does_not_depend_on_the_chunks(size):
    chunks = [REAL[start : start + size] for start in range(0, len(REAL), size)]
    whole = nearest_neighbors(FAKE, REAL)
    distances, closest = neighbors.closest_in_chunks(FAKE, chunks)
    np.testing.assert_allclose(distances, whole.distances)
    np.testing.assert_array_equal(closest, REAL[whole.indices])
    apart, _ = neighbors.closest_in_chunks(REAL[:50], chunks, apart=True)
    np.testing.assert_allclose(apart, among_real(REAL[:50]))


def test_error_of_near_copies_holds_that_of_the_threshold():
    """Distances of one distribution: a share of 1000 below the 1 % quantile of 1000 others.

    The standard deviation over 400 pairs is itself known to 4 %.
    """
    rng = np.random.default_rng(0)
    context = Context(data_shape=(1,), feature_dim=1)
    estimates = [
        NearCopiesMetric().compute(*rng.exponential(size=(2, 1000)), context)["near_copies"]
        for _ in range(400)
    ]
    spread = np.std([estimate.value for estimate in estimates])
    stated = np.mean([estimate.standard_error for estimate in estimates])
    assert stated == pytest.approx(spread, rel=0.16)
    # The 11th of 1000 others is the threshold: 11 of 1001 are below on average.
    mean = np.mean([estimate.value for estimate in estimates])
    assert mean == pytest.approx(11 / 1001, abs=4 * spread / 20)


@pytest.mark.parametrize("num", [50, 200])
def test_chance_of_a_near_copy_is_told(num):
    """The share of new draws among points, not among independent distances."""
    rng, context = np.random.default_rng(0), Context(data_shape=(2,), feature_dim=2)
    shares = []
    for _ in range(300):
        real, fake = rng.normal(size=(num, 2)), rng.normal(size=(300, 2))
        among, _ = neighbors.closest_in_chunks(real, [real], apart=True)
        to_real, _ = neighbors.closest_in_chunks(fake, [real])
        number = NearCopiesMetric().compute(among, to_real, context)["near_copies"]
        shares.append(number.value)
    told = float(number.method.rpartition(" ")[2])
    # Their standard deviation is about their mean.
    assert told == pytest.approx(np.mean(shares), abs=4 * np.std(shares) / 300**0.5)
    tied = NearCopiesMetric().compute(np.zeros(100), np.zeros(100), context)["near_copies"]
    assert "the threshold is 0" in tied.method
