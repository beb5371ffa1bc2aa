"""The birthday estimate on supports whose size is known."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from tfgans.metrics import birthday_paradox


def uniform(size, *, dim=1):
    """Draws of a finite support, each point equally likely."""
    points = np.random.default_rng(0).normal(size=(size, dim))
    return lambda n, seed: points[np.random.default_rng(seed).integers(size, size=n)]


def fixed(points):
    """The same batch at each call."""
    return lambda n, seed: points


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_the_share_of_batches_is_inverted(rate):
    """A share of the batches of 23 has a duplicate: the n with `prod (1 - i / n) = 1 - rate`."""
    counter = iter(range(1000))

    def draw(n, seed):
        points = np.arange(n, dtype=float)[:, np.newaxis]
        if next(counter) % (1 / rate) == 0:
            points[1] = points[0]
        return points

    result = birthday_paradox(draw, batch_size=23, num_batches=100)
    assert result.duplicate_rate == rate
    none = np.prod(1 - np.arange(23) / result.support_size)
    assert none == pytest.approx(1 - rate, rel=1e-9)


@pytest.mark.parametrize(
    ("size", "tolerance"),
    # The rate of 200 batches has an error of .035: log N one of .1 to .25, from 10 down to 2.
    [(1, 0), (2, 0.4), (10_000, 0.3)],
)
def test_recovers_the_support(size, tolerance):
    result = birthday_paradox(uniform(size))
    assert result.support_size == pytest.approx(size, rel=tolerance)
    assert result.interval[0] <= size <= result.interval[1]
    assert result.num_batches == 200
    assert result.duplicate_rate == (1 if size == 1 else pytest.approx(0.5, abs=0.25))


def test_intervals_hold_the_truth():
    """Of 40 intervals of 95 %, 34 or fewer hold it with probability 1.4 %."""
    draw = uniform(300)
    intervals = [birthday_paradox(draw, batch_size=20, seed=seed).interval for seed in range(40)]
    assert sum(low <= 300 <= high for low, high in intervals) > 34
    wide = birthday_paradox(draw, batch_size=20, confidence=0.99).interval
    narrow = birthday_paradox(draw, batch_size=20, confidence=0.5).interval
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_same_seed_same_estimate_and_pairs_of_the_first_batch():
    one, other, more = (
        birthday_paradox(uniform(500), batch_size=20, num_batches=num, seed=3)
        for num in (20, 20, 50)
    )
    assert one.support_size == other.support_size
    for result in (other, more):
        np.testing.assert_array_equal(one.pairs, result.pairs)


def test_a_threshold_makes_neighbors_duplicates():
    def draw(n, seed):
        rng = np.random.default_rng(seed)
        return rng.integers(50, size=(n, 1)) + rng.uniform(0, 0.1, size=(n, 1))

    for options in ({"threshold": 0.1}, {"features": np.floor}):
        assert birthday_paradox(draw, **options).support_size == pytest.approx(50, rel=0.4)
    exact = birthday_paradox(draw, batch_size=16, num_batches=20)
    assert exact.support_size == exact.interval[1] == np.inf
    assert exact.interval[0] > 100


@pytest.mark.parametrize("threshold", [0.0, 1e-9])
def test_rounding_hides_no_duplicate_and_makes_none(threshold):
    """Norms of 1e9 round products by 1e-6; the pairs beside are 1e-5 apart."""

    def rate(points):
        options = {"threshold": threshold, "batch_size": len(points), "num_batches": 2}
        return birthday_paradox(fixed(points), num_pairs=1, **options).duplicate_rate

    for seed in range(5):
        rng = np.random.default_rng(seed)
        points = 1e4 * rng.normal(size=(50, 64))
        points[3::2] = points[2:-1:2] + 1e-6 * rng.normal(size=points[3::2].shape)
        assert rate(points) == 0
        points[1] = points[0]
        assert rate(points) == 1
    assert rate(np.array([[0.0], [-0.0]])) == 1


@pytest.mark.parametrize(("num", "dim", "offset"), [(50, 8, 0.0), (50, 8, 1e4), (1100, 3, 0.0)])
def test_closest_pairs_are_scipys(num, dim, offset):
    points = offset + np.random.default_rng(0).normal(size=(num, dim))
    gaps = np.sort(pdist(points))
    options = {"batch_size": num, "num_batches": 2}
    result = birthday_paradox(fixed(points), **options)
    np.testing.assert_allclose(result.distances, gaps[:20], rtol=1e-12)
    between = np.linalg.norm(result.pairs[:, 0] - result.pairs[:, 1], axis=1)
    np.testing.assert_allclose(between, gaps[:20], rtol=1e-12)
    # SciPy's distance and ours differ by a few units of 2e-16.
    for factor, expected in ((1 + 1e-14, 1), (1 - 1e-14, 0)):
        threshold = gaps[0] * factor
        rate = birthday_paradox(fixed(points), threshold=threshold, **options).duplicate_rate
        assert rate == expected


@pytest.mark.parametrize("size", [1, 15])
def test_if_all_batches_have_a_duplicate_any_smaller_support_fits(size):
    result = birthday_paradox(uniform(size), batch_size=16, num_batches=50)
    assert result.duplicate_rate == 1
    assert result.support_size == 15
    assert result.interval[0] == 1
    assert 15 < result.interval[1] < np.inf


def test_the_pilot_is_bounded():
    assert birthday_paradox(uniform(1000), max_batch_size=8, num_batches=10).batch_size <= 8
