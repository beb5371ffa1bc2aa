"""Nearest neighbours against the package prdc and scikit-learn."""

import numpy as np
import prdc
import pytest
from sklearn.neighbors import NearestNeighbors

from tfgans.evaluation import neighbours_picture
from tfgans.metrics import nearest_neighbours, neighbours, precision_recall

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(400, 16)), RNG.normal(size=(300, 16)) * 0.8 + 0.3


@pytest.mark.parametrize("nearest_k", [1, 5])
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (1e4, 0), (1, 1e4)])
def test_agrees_with_prdc(nearest_k, scale, offset):
    real, fake = REAL * scale + offset, FAKE * scale + offset
    expected = prdc.compute_prdc(real, fake, nearest_k)
    found = precision_recall(real, fake, nearest_k=nearest_k)
    assert found.keys() == {"precision", "recall", "density", "coverage"}
    # One example of 300 or 400 may lie on a sphere in float32.
    assert found == pytest.approx(expected, abs=1 / 300 + 1e-9)


def narrow_modes(num, std, rng):
    """Points about 8 centres on a circle of radius 2, as GANs are first tried on."""
    angles = rng.integers(8, size=num) * np.pi / 4
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.normal(0, std, (num, 2))


@pytest.mark.parametrize("std", [0.02, 1e-3])
def test_agrees_with_prdc_on_narrow_modes(std):
    """Squared radii are 1e-5 and less of the squared norms: float32 cannot tell."""
    rng = np.random.default_rng(0)
    real, fake = narrow_modes(1500, std, rng), narrow_modes(1500, std, rng)
    found = precision_recall(real, fake)
    # Float64 knows such radii to 1e-7: at most one example is on another side.
    assert found == pytest.approx(prdc.compute_prdc(real, fake, 5), abs=1 / 1500 + 1e-9)


def test_agrees_with_prdc_where_one_example_is_far_off():
    real = REAL.copy()
    real[0] += 1e6
    expected = prdc.compute_prdc(real, FAKE, 5)
    assert precision_recall(real, FAKE) == pytest.approx(expected, abs=1 / 300 + 1e-9)


def test_does_not_depend_on_blocks_order_or_precision(monkeypatch):
    whole = precision_recall(REAL, FAKE)
    assert precision_recall(REAL[::-1], FAKE[::-1]) == pytest.approx(whole, abs=0.004)
    low = precision_recall(REAL.astype(np.float16), FAKE.astype(np.float32))
    assert low == pytest.approx(whole, abs=0.02)
    monkeypatch.setattr(neighbours, "_ROWS", 7)
    assert precision_recall(REAL, FAKE) == pytest.approx(whole, abs=0.004)


def test_collapsed_is_precise_and_recalls_nothing():
    collapsed = REAL[:1] + 1e-3 * RNG.normal(size=(300, 16))
    found = precision_recall(REAL, collapsed)
    assert found["precision"] == 1
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.1


def test_equal_distributions_and_far_ones():
    same = precision_recall(REAL[:200], REAL[200:])
    # 200 examples: standard errors are 0.03 and less.
    assert min(same["precision"], same["recall"]) > 0.8
    assert same["density"] == pytest.approx(1, abs=0.2)
    far = precision_recall(REAL, FAKE + 100)
    assert set(far.values()) == {0}


def test_one_point_sets_are_finite():
    point = np.ones([10, 3])
    assert all(np.isfinite(list(precision_recall(point, point).values())))


def test_closest_as_scikit_learn_finds_them():
    found = nearest_neighbours(FAKE, REAL)
    distances, indices = NearestNeighbors(n_neighbors=1).fit(REAL).kneighbors(FAKE)
    np.testing.assert_array_equal(found.indices, indices[:, 0])
    np.testing.assert_allclose(found.distances, distances[:, 0], rtol=1e-12)
    among = NearestNeighbors(n_neighbors=2).fit(REAL).kneighbors(REAL)[0][:, 1]
    assert found.threshold == pytest.approx(np.quantile(among, 0.01))


def test_share_of_copies():
    fresh = RNG.normal(size=(1000, 2))
    pool = RNG.normal(size=(1000, 2))
    # Of new draws 1 % are expected; binomial, so 4 standard errors are 1.3 %.
    assert nearest_neighbours(fresh, pool).copy_share < 0.025
    images = pool.reshape(-1, 2, 1, 1)
    half = np.concatenate([images[:500], images[:500] + 100])
    found = nearest_neighbours(half, images)
    assert found.copy_share == pytest.approx(0.5)
    # Copies in an offset where products of float32 have no digit left for them.
    shifted = nearest_neighbours(half + 1e6, images + 1e6)
    assert shifted.copy_share == pytest.approx(0.5)


def test_picture_has_each_sample_above_its_neighbour():
    real = RNG.uniform(-1, 1, size=(20, 8, 8, 1))
    picture = neighbours_picture(real[:5], real[:5])
    assert picture.dtype == np.uint8
    wider = neighbours_picture(real[:9], real[:9])
    assert wider.shape[0] > 1.8 * picture.shape[0]
    # Copies: the row of samples and that of neighbours are the same pixels, but for the titles.
    height = picture.shape[0] // 2
    margin = picture.shape[1] - 5 * 50
    top, bottom = picture[2 : height - 1, margin:], picture[height + 1 : 2 * height - 2, margin:]
    np.testing.assert_array_equal(top[:40], bottom[: len(top)][:40])
    with pytest.raises(ValueError, match="images"):
        neighbours_picture(np.zeros([3, 4]), np.zeros([3, 4]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: precision_recall(REAL[:5], FAKE), "at least 6 examples.*nearest_k"),
        (lambda: precision_recall(REAL, FAKE, nearest_k=0), "nearest_k"),
        (lambda: precision_recall(REAL, FAKE[:, :3]), "same dimension"),
        (lambda: nearest_neighbours(FAKE, REAL, copy_quantile=2), "copy_quantile"),
        (lambda: nearest_neighbours(FAKE, REAL[:, :3]), "one shape"),
        (lambda: nearest_neighbours(FAKE, REAL[:1]), "at least 2"),
        (lambda: nearest_neighbours(FAKE[:0], REAL), "`samples` must have at least 1"),
        (lambda: nearest_neighbours(FAKE, REAL[:0]), "`real` must have at least 2"),
        (lambda: nearest_neighbours([[1, 2], [3]], REAL), "`samples` must be an array of numbers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("size", [1, 7, 400])
def test_closest_does_not_depend_on_the_chunks(size):
    chunks = [REAL[start : start + size] for start in range(0, len(REAL), size)]
    whole = nearest_neighbours(FAKE, REAL)
    distances, closest = neighbours.closest_in_chunks(FAKE, chunks)
    np.testing.assert_allclose(distances, whole.distances)
    np.testing.assert_array_equal(closest, REAL[whole.indices])
    among, _ = neighbours.closest_in_chunks(REAL[:50], chunks, apart=True)
    expected = NearestNeighbors(n_neighbors=2).fit(REAL).kneighbors(REAL[:50])[0][:, 1]
    np.testing.assert_allclose(among, expected)
