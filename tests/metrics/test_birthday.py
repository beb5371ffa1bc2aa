"""The birthday estimate on supports whose size is known."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from tfgans.metrics import birthday, birthday_paradox
from tfgans.metrics.birthday import _support


def uniform(size, *, dim=1):
    """Draws of a finite support, each point equally likely."""
    points = np.random.default_rng(0).normal(size=(size, dim))
    return lambda n, seed: points[np.random.default_rng(seed).integers(size, size=n)]


def test_closed_forms_are_inverted():
    # The birthday problem: 23 of 365 gives .50730.
    rate = 1 - math.prod(1 - i / 365 for i in range(23))
    assert rate == pytest.approx(0.5073, abs=1e-4)
    assert _support(rate, 23) == pytest.approx(365, rel=1e-9)
    assert _support(0.3930, 400) == pytest.approx(160_000, rel=1e-3)
    assert _support(0.0, 50) == np.inf
    assert _support(1.0, 50) == 49
    assert _support(1e-12, 2) == pytest.approx(1e12, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_recovers_a_support_of_ten_thousand(seed):
    """The rate of 200 batches has an error of .035, so log N one of .1 at the half point."""
    found = birthday_paradox(uniform(10_000), seed=seed)
    assert found.support_size == pytest.approx(10_000, rel=0.3)
    assert found.interval[0] < found.support_size < found.interval[1]
    assert found.num_batches == 200
    assert found.duplicate_rate == pytest.approx(0.5, abs=0.25)


def test_intervals_hold_the_truth():
    """Of 40 intervals of 95 %, 34 or fewer hold it with probability 1.4 %."""
    draw = uniform(300)
    intervals = [birthday_paradox(draw, batch_size=20, seed=seed).interval for seed in range(40)]
    assert sum(low <= 300 <= high for low, high in intervals) > 34


def test_same_seed_same_estimate():
    one, other = (birthday_paradox(uniform(500), num_batches=20, seed=3) for _ in range(2))
    assert one.support_size == other.support_size
    np.testing.assert_array_equal(one.pairs, other.pairs)


def test_unequal_shares_give_the_collision_size():
    shares = np.array([0.5, *[0.5 / 999] * 999])
    draw = lambda n, seed: np.random.default_rng(seed).choice(1000, size=(n, 1), p=shares)  # noqa: E731
    found = birthday_paradox(draw, batch_size=2, num_batches=2000)
    assert found.support_size == pytest.approx(1 / np.square(shares).sum(), rel=0.2)


def test_a_threshold_makes_neighbours_duplicates():
    def draw(n, seed):
        rng = np.random.default_rng(seed)
        return rng.integers(50, size=(n, 1)) + rng.uniform(0, 0.1, size=(n, 1))

    near = birthday_paradox(draw, threshold=0.1)
    assert near.support_size == pytest.approx(50, rel=0.4)
    exact = birthday_paradox(draw, batch_size=16, num_batches=20)
    assert exact.support_size == np.inf
    assert exact.interval[1] == np.inf
    assert exact.interval[0] > 100
    rounded = birthday_paradox(draw, features=np.floor)
    assert rounded.support_size == pytest.approx(50, rel=0.4)


@pytest.mark.parametrize("threshold", [0.0, 1e-9])
def test_rounding_hides_no_duplicate_and_makes_none(threshold):
    """Norms of 1e9 round products by 1e-6; the pairs beside are 1e-5 apart."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        points = 1e4 * rng.normal(size=(50, 64))
        points[3::2] = points[2:-1:2] + 1e-6 * rng.normal(size=points[3::2].shape)
        assert not birthday._has_duplicate(points, threshold)
        points[1] = points[0]
        assert birthday._has_duplicate(points, threshold)
    assert birthday._has_duplicate(np.array([[0.0], [-0.0]]), threshold)


@pytest.mark.parametrize("rows", [7, 1024])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_pairs_are_scipys_in_blocks_of_any_size(rows, offset, monkeypatch):
    monkeypatch.setattr(birthday, "_ROWS", rows)
    points = offset + np.random.default_rng(0).normal(size=(50, 8))
    gaps = np.sort(pdist(points))
    found, pairs = birthday._closest_pairs(points, 20)
    np.testing.assert_allclose(found, gaps[:20], rtol=1e-12)
    np.testing.assert_allclose(squareform(pdist(points))[tuple(pairs.T)], found, rtol=1e-12)
    # SciPy's distance and ours differ by a few units of 2e-16.
    assert birthday._has_duplicate(points, gaps[0] * (1 + 1e-14))
    assert not birthday._has_duplicate(points, gaps[0] * (1 - 1e-14))


def test_the_pairs_are_of_the_first_batch():
    one, more = (
        birthday_paradox(uniform(10**6), batch_size=10, num_batches=num) for num in (2, 50)
    )
    np.testing.assert_array_equal(one.pairs, more.pairs)


def test_closest_pairs_can_be_looked_at():
    found = birthday_paradox(uniform(100, dim=3), batch_size=10, num_batches=5, num_pairs=7)
    assert found.pairs.shape == (7, 2, 3)
    gaps = np.linalg.norm(found.pairs[:, 0] - found.pairs[:, 1], axis=1)
    np.testing.assert_allclose(gaps, found.distances, atol=1e-12)
    assert np.all(np.diff(found.distances) >= 0)


@pytest.mark.parametrize("size", [2, 3, 5, 10])
def test_recovers_the_support_of_a_collapsed_generator(size):
    found = birthday_paradox(uniform(size))
    # The share of 200 batches has an error of .035; log N one of .1 to .25 from 10 down to 2.
    assert found.support_size == pytest.approx(size, rel=0.4)
    assert found.interval[0] <= size <= found.interval[1]


def test_one_point_is_a_support_of_one():
    found = birthday_paradox(lambda n, seed: np.ones([n, 2]))
    assert (found.support_size, found.interval[0], found.batch_size) == (1, 1, 2)


@pytest.mark.parametrize("size", [1, 3, 15])
def test_where_all_batches_have_a_duplicate_any_smaller_support_fits(size):
    found = birthday_paradox(uniform(size), batch_size=16, num_batches=50)
    assert found.duplicate_rate == 1
    assert found.support_size == 15
    assert found.interval[0] == 1
    assert 15 < found.interval[1] < np.inf


def test_more_confidence_is_a_wider_interval():
    wide, narrow = (
        birthday_paradox(uniform(300), batch_size=20, confidence=one).interval
        for one in (0.99, 0.5)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_pilot_is_bounded():
    small = birthday_paradox(uniform(1000), max_batch_size=8, num_batches=10)
    assert small.batch_size <= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1}, "threshold"),
        ({"batch_size": 1}, "batch_size"),
        ({"num_batches": 1}, "num_batches"),
        ({"max_batch_size": 1}, "max_batch_size"),
        ({"num_pairs": 0}, "num_pairs"),
        ({"features": lambda batch: np.full([len(batch), 1], np.nan)}, "features.*finite"),
        ({"features": lambda _: np.zeros([7, 1])}, "features.*as many"),
        ({"confidence": 0.0}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        birthday_paradox(uniform(10), **options)


def test_a_sampler_that_gives_another_number():
    with pytest.raises(ValueError, match="as many"):
        birthday_paradox(lambda n, seed: np.zeros([3, 1]))
    with pytest.raises(ValueError, match="as many"):
        birthday_paradox(lambda n, seed: 1.0)
