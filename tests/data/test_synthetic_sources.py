"""Synthetic distributions: their statistics, densities, purity and refusals."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn.datasets import make_swiss_roll

from tfgans import data

N = 100_000
SOURCES = {
    "ring": data.Ring,
    "grid": data.Grid,
    "swiss_roll": data.SwissRoll,
    "parallel_lines": data.ParallelLines,
    "low_rank_gaussian": data.LowRankGaussian,
}


@pytest.fixture(scope="module", params=SOURCES.values(), ids=SOURCES)
def make(request):
    return request.param


@pytest.fixture(scope="module")
def batches(make):
    """The first four batches of 1000 at seed 4."""
    return np.stack(list(make(seed=4).batches(1000).take(4).as_numpy_iterator()))


class TestEverySource:
    def test_sample_is_a_pure_function_of_the_seed(self, make):
        first, again = make(seed=1).sample(100, 5), make(seed=2).sample(100, 5)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, make().sample(100, 6))
        assert first.dtype == np.float32
        assert first.shape == (100, *make().data_shape)

    def test_batch_t_does_not_depend_on_the_first_step(self, make, batches):
        started = make(seed=4).batches(1000, start_step=2).take(2).as_numpy_iterator()
        np.testing.assert_array_equal(list(started), batches[2:])

    def test_steps_and_seeds_give_different_batches(self, make, batches):
        for other in (*batches[1:], make().sample(1000, 4)):
            # Coordinates of 24 bits seldom meet; those of a line in the plane are constant.
            assert np.intersect1d(batches[0][:, -1], other[:, -1]).size < 10

    def test_batches_follow_the_distribution_of_sample(self, make, batches):
        sample = make().sample(4000, 0)
        for batch_axis, sample_axis in zip(batches.reshape(sample.shape).T, sample.T, strict=True):
            assert stats.ks_2samp(batch_axis, sample_axis).pvalue > 1e-4

    def test_endless_unlabelled_and_static(self, make):
        source = make()
        assert source.num_examples is None
        assert source.labels is None
        assert source.batches(8).element_spec == tf.TensorSpec((8, *source.data_shape), tf.float32)

    def test_draws_alike_inside_a_strategy_of_two_replicas(self, make, batches):
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            first = next(make(seed=4).batches(1000).as_numpy_iterator())
        np.testing.assert_array_equal(first, batches[0])

    def test_bad_sample(self, make):
        with pytest.raises(ValueError, match=r"`n` must be an integer of at least 1. Received: 0"):
            make().sample(0, 1)
        with pytest.raises(ValueError, match=r"`seed` must be an integer. Received: None"):
            make().sample(1, None)


def nearest_mode(points, modes):
    distances = np.linalg.norm(points[:, np.newaxis] - modes, axis=-1)
    return distances.argmin(axis=1)


@pytest.mark.parametrize(
    ("source", "num_modes", "coordinate_std", "mode_std"),
    [(data.Ring(), 8, 1.00025, 0.014144), (data.Grid(), 25, 1.00031, 0.01768)],
    ids=["ring", "grid"],
)
def test_toy_statistics(source, num_modes, coordinate_std, mode_std):
    """The closed forms of methods.md, check 13."""
    points = source.sample(N, 0).astype(np.float64)
    assert source.modes.shape == (num_modes, 2)
    assert source.modes.dtype == np.float32
    assert source.num_modes == num_modes
    # The standard error of a standard deviation of N(0, 1)-like draws is 1 / sqrt(2 N) = .0022.
    np.testing.assert_allclose(points.std(axis=0), coordinate_std, atol=0.009)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=4 / np.sqrt(N))
    mode = nearest_mode(points, source.modes)
    offsets = points - source.modes[mode]
    assert source.std == pytest.approx(mode_std, rel=1e-3)
    np.testing.assert_allclose(offsets.std(axis=0), mode_std, rtol=4 / np.sqrt(2 * N) + 3e-4)
    # Every mode equally often, and the noise about a mode normal and uncorrelated.
    assert stats.chisquare(np.bincount(mode, minlength=num_modes)).pvalue > 1e-4
    assert stats.kstest(offsets[:, 0] / source.std, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 4 / np.sqrt(N)


def test_ring_radius():
    np.testing.assert_allclose(np.linalg.norm(data.Ring().modes, axis=1), 1.41443, rtol=1e-5)
    ring = data.Ring(num_modes=3, radius=2.0, std=0.5)
    np.testing.assert_allclose(ring.modes.sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ring.modes, axis=1), 2, rtol=1e-6)


def test_grid_spacing():
    modes = data.Grid().modes
    np.testing.assert_allclose(np.diff(np.unique(modes[:, 0])), 0.70721, rtol=1e-5)
    np.testing.assert_allclose(modes.mean(axis=0), 0, atol=1e-7)
    assert len(np.unique(data.Grid(side=4).modes, axis=0)) == 16


CENTRES = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
SHARES = [0.7, 0.25, 0.05]


def unequal(**options):
    return data.GaussianMixture(CENTRES, std=0.1, proportions=SHARES, **options)


def test_proportions_decide_how_often_a_mode_is_drawn():
    points = unequal().sample(N, 0).astype(np.float64)
    mode = nearest_mode(points, CENTRES)
    assert stats.chisquare(np.bincount(mode), N * np.array(SHARES)).pvalue > 1e-4
    # The noise does not know of the mode.
    offsets = (points - CENTRES[mode]) / 0.1
    for index in range(3):
        assert stats.kstest(offsets[mode == index, 0], "norm").pvalue > 1e-4


def test_proportions_are_a_pure_function_of_the_key():
    np.testing.assert_array_equal(unequal(seed=1).sample(50, 3), unequal(seed=2).sample(50, 3))
    batches = list(unequal(seed=4).batches(50).take(3).as_numpy_iterator())
    (again,) = unequal(seed=4).batches(50, start_step=2).take(1).as_numpy_iterator()
    np.testing.assert_array_equal(again, batches[2])
    assert not np.array_equal(*batches[:2])
    # The noise is that of the key, whatever the proportions: only the modes differ.
    equal = data.GaussianMixture(CENTRES, std=0.1).sample(50, 3)
    noise = [points - CENTRES[nearest_mode(points, CENTRES)] for points in (equal, again)]
    other = unequal().sample(50, 3)
    np.testing.assert_allclose(other - CENTRES[nearest_mode(other, CENTRES)], noise[0], atol=1e-6)


def test_no_proportions_are_equal_ones():
    ring = data.Ring()
    np.testing.assert_array_equal(ring.proportions, np.full(8, 0.125))
    told = data.GaussianMixture(ring.modes, std=ring.std, proportions=[0.125] * 8)
    x = ring.sample(20, 0)
    np.testing.assert_allclose(told.log_prob(x), ring.log_prob(x), rtol=1e-12)
    assert told.proportions.dtype == ring.proportions.dtype == np.float64
    single = data.GaussianMixture([[3.0]], std=0.1, proportions=[1.0])
    assert stats.kstest((single.sample(1000, 0)[:, 0] - 3) / 0.1, "norm").pvalue > 1e-4


def test_equally_likely_modes_are_drawn_as_ever():
    # Written down: a run that a later version continues sees the data that it saw before.
    expected = [[-1.0064089, 1.0001853], [0.0078393, -1.4224622], [-0.0156526, 1.4115511]]
    np.testing.assert_allclose(data.Ring().sample(3, 5), expected, atol=1e-6)


@pytest.mark.parametrize(
    "source", [data.Ring(), data.Grid(side=2, spacing=0.3, std=0.2), unequal()]
)
def test_mixture_density_against_scipy(source):
    x = np.concatenate([source.sample(50, 1), [[0, 0], [3, 3], [30, -30]]]).astype(np.float64)
    logs = [
        stats.multivariate_normal(mode, source.std**2).logpdf(x)
        for mode in source.modes.astype(np.float64)
    ]
    expected = np.logaddexp.reduce(logs + np.log(source.proportions)[:, np.newaxis], axis=0)
    np.testing.assert_allclose(source.log_prob(x), expected, rtol=1e-10)
    assert source.log_prob(x).dtype == np.float64


def test_mixture_density_integrates_to_one():
    source = data.Ring(std=0.1)
    ticks = np.linspace(-2.5, 2.5, 401)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    assert np.exp(source.log_prob(points)).sum() * (ticks[1] - ticks[0]) ** 2 == pytest.approx(1)


def test_swiss_roll_follows_sklearn():
    ours = data.SwissRoll().sample(20_000, 0)
    theirs = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    for ours_axis, theirs_axis in zip(ours.T, theirs.T, strict=True):
        assert stats.ks_2samp(ours_axis, theirs_axis).pvalue > 1e-4
    radius = np.linalg.norm(data.SwissRoll(std=0).sample(20_000, 0), axis=1) * 7.5
    # Without noise the radius is t itself, uniform on [1.5 pi, 4.5 pi].
    assert stats.kstest(radius, stats.uniform(1.5 * np.pi, 3 * np.pi).cdf).pvalue > 1e-4
    assert data.SwissRoll().modes is None


def test_lines_in_the_plane():
    points = data.ParallelLines(offset=-0.5).sample(20_000, 0)
    np.testing.assert_array_equal(points[:, 0], -0.5)
    assert stats.kstest(points[:, 1], "uniform").pvalue > 1e-4
    assert not hasattr(data.ParallelLines(), "log_prob")


@pytest.mark.parametrize(("dim", "basis_seed"), [(2, None), (2, 3), (10, 0), (1000, 1)])
def test_lines_are_parallel_and_apart_by_their_offset(dim, basis_seed):
    real = data.ParallelLines(dim=dim, basis_seed=basis_seed)
    fake = data.ParallelLines(dim=dim, basis_seed=basis_seed, offset=1.5)
    frame = np.stack([real.direction, real.normal]).astype(np.float64)
    np.testing.assert_allclose(frame @ frame.T, np.eye(2), atol=1e-6)
    gap = fake.sample(100, 0).astype(np.float64) - real.sample(100, 0)
    np.testing.assert_allclose(gap, np.tile(1.5 * real.normal, (100, 1)), atol=1e-6)
    # Points of one line differ along w alone.
    centred = real.sample(100, 0) - real.sample(1, 0)
    np.testing.assert_allclose(centred @ real.normal, 0, atol=1e-6)


@pytest.mark.parametrize(("dim", "rank"), [(10, 1), (10, 5), (3, 3), (100, 10)])
def test_low_rank_gaussian_covariance(dim, rank):
    n = 20_000
    source = data.LowRankGaussian(dim=dim, rank=rank)
    assert np.trace(source.covariance) == pytest.approx(rank, rel=1e-6)
    assert np.linalg.matrix_rank(source.covariance, tol=1e-6) == rank
    points = source.sample(n, 0).astype(np.float64)
    # An entry of an empirical covariance errs by sqrt((C_ii C_jj + C_ij^2) / N) at most.
    variances = np.diag(source.covariance)
    bound = 5 * np.sqrt((np.outer(variances, variances) + source.covariance**2) / n)
    assert np.all(np.abs(np.cov(points.T) - source.covariance) < bound + 1e-9)


def test_low_rank_gaussian_density():
    source = data.LowRankGaussian(dim=3, rank=3)
    x = source.sample(20, 0).astype(np.float64)
    expected = stats.multivariate_normal(np.zeros(3), source.covariance).logpdf(x)
    np.testing.assert_allclose(source.log_prob(x), expected, rtol=1e-8)
    with pytest.raises(ValueError, match=r"full rank of 3. Received: rank=2, which is degenerate"):
        data.LowRankGaussian(dim=3, rank=2).log_prob(x)


def test_basis_seed_decides_the_matrix_and_seed_does_not():
    matrix = data.LowRankGaussian().matrix
    np.testing.assert_array_equal(data.LowRankGaussian(seed=5).matrix, matrix)
    assert not np.array_equal(data.LowRankGaussian(basis_seed=5).matrix, matrix)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.Ring(num_modes=0), "`num_modes` must be an integer of at least 1"),
        (lambda: data.Ring(radius=-1), "`radius` must be a finite number of at least 0"),
        (lambda: data.Ring(std=0), "`std` must be above 0. Received: 0"),
        (lambda: data.Grid(side=2.5), "`side` must be an integer of at least 1"),
        (lambda: data.Grid(spacing=0), "`spacing` must be above 0"),
        (lambda: data.Grid(std=float("nan")), "`std` must be a finite number"),
        (lambda: data.SwissRoll(std=-0.1), "`std` must be a finite number of at least 0"),
        (lambda: data.ParallelLines(dim=1), "`dim` must be an integer of at least 2"),
        (lambda: data.ParallelLines(offset=np.inf), "`offset` must be a finite number"),
        (lambda: data.ParallelLines(offset="1"), "`offset` must be a finite number"),
        (lambda: data.LowRankGaussian(rank=11), "`rank` must be at most `dim`, 10. Received: 11"),
        (lambda: data.LowRankGaussian(rank=0), "`rank` must be an integer of at least 1"),
        (lambda: data.LowRankGaussian(basis_seed="a"), "`basis_seed` must be an integer"),
        (lambda: data.Ring(seed=1.5), "`seed` must be an integer"),
        (lambda: data.Ring().log_prob([0, 0]), r"shape \[n, 2\]. Received shape: \(2,\)"),
        (lambda: data.GaussianMixture([0, 1], std=1), "`modes` must be a tuple of 2"),
        *(
            (lambda bad=bad: data.GaussianMixture([[0], [1]], std=1, proportions=bad), message)
            for bad, message in [
                ([1.0], r"`proportions` must be 2 positive numbers.* Received: \[1.0\]"),
                ([0.5, 0.4], "that sum to 1"),
                ([1.0, 0.0], "positive numbers"),
                ([1.5, -0.5], "positive numbers"),
                ([np.nan, 1.0], "positive numbers"),
                (["a", "b"], "positive numbers"),
                (0.5, "`proportions` must be 2 positive numbers.* Received: 0.5"),
            ]
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
