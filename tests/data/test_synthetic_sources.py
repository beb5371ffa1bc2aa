"""Synthetic distributions: their statistics, densities, purity and refusals."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import stats
from sklearn.datasets import make_swiss_roll

from tfgans import data

N = 50_000
CENTERS = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
SHARES = [0.7, 0.25, 0.05]


def unequal(**options):
    return data.GaussianMixture(CENTERS, std=0.1, proportions=SHARES, **options)


def stacked(**options):
    gray = data.from_array(
        np.arange(6 * 4).reshape(6, 2, 2, 1).astype(np.uint8), labels=[0] * 3 + [1, 2, 2]
    )
    return data.StackedImages(gray, **options)


SOURCES = {
    "ring": data.Ring,
    "grid": data.Grid,
    "unequal": unequal,
    "swiss_roll": data.SwissRoll,
    "parallel_lines": data.ParallelLines,
    "low_rank_gaussian": data.LowRankGaussian,
    "stacked": stacked,
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source(make):
    source = make(seed=4)
    sample = make(seed=1).sample(2000, 5)
    np.testing.assert_array_equal(make(seed=2).sample(2000, 5), sample)
    assert sample.dtype == np.float32
    assert sample.shape == (2000, *source.data_shape)
    assert (source.num_examples, source.labels) == (None, None)
    dataset = source.batches(1000)
    assert dataset.element_spec == tf.TensorSpec((1000, *source.data_shape), tf.float32)
    batches = np.stack(list(dataset.take(3).as_numpy_iterator()))
    with tiny.replicas(2).scope():
        third = next(iter(source.batches(1000, start_step=2)))
    np.testing.assert_array_equal(third, batches[2])
    for other in (*batches[1:], make().sample(1000, 4), make(seed=3).batches(1000)):
        other = next(iter(other)) if isinstance(other, tf.data.Dataset) else other
        # Coordinates of 24 bits seldom meet; those of a line in the plane are constant.
        assert (
            np.mean(batches[0].reshape(1000, -1)[:, -1] == np.reshape(other, [1000, -1])[:, -1])
            < 0.4
        )
    for ours, expected in zip(batches.reshape(3000, -1).T, sample.reshape(2000, -1).T, strict=True):
        assert stats.ks_2samp(ours, expected).pvalue > 1e-4
    for n, seed, message in ((0, 1, "`n` must be .*Received: 0"), (1, None, "`seed` must be")):
        with pytest.raises(ValueError, match=message):
            source.sample(n, seed)


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_classes_come_as_often_as_their_shares(make):
    source = make()
    shares = source.class_shares
    assert (shares is None) == (source.num_classes is None)
    if shares is None:
        return
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    _, labels = next(iter(source.batches(N, labels=True)))
    counts = np.bincount(labels, minlength=source.num_classes)
    # Five standard deviations of each count.
    assert (np.abs(counts - N * shares) <= 5 * np.sqrt(N * shares * (1 - shares))).all()
    shares[:] = 0
    assert source.class_shares.sum() == pytest.approx(1)  # A caller cannot change them.


def test_a_source_of_a_user_must_state_its_shares():
    class Silent(data.DrawnSource):
        def draw(self, n, key):
            return tf.zeros([n, 2])

    with pytest.raises(NotImplementedError, match="must state their shares"):
        _ = Silent(name="silent", data_shape=(2,), num_classes=3).class_shares


@pytest.mark.parametrize(
    ("source", "num_modes", "coordinate_std", "mode_std"),
    [(data.Ring(), 8, 1.00025, 0.014144), (data.Grid(), 25, 1.00031, 0.01768)],
    ids=["ring", "grid"],
)
def test_toy_statistics(source, num_modes, coordinate_std, mode_std):
    """The closed forms of the WGAN-GP code's toy data."""
    points = source.sample(N, 0).astype(np.float64)
    assert source.modes.shape == (num_modes, 2)
    # The standard error of a standard deviation of N(0, 1)-like draws is 1 / sqrt(2 N) = .0032.
    np.testing.assert_allclose(points.std(axis=0), coordinate_std, atol=0.013)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=4 / np.sqrt(N))
    mode = np.linalg.norm(points[:, np.newaxis] - source.modes, axis=-1).argmin(axis=1)
    offsets = points - source.modes[mode]
    assert source.std == pytest.approx(mode_std, rel=1e-3)
    np.testing.assert_allclose(offsets.std(axis=0), mode_std, rtol=4 / np.sqrt(2 * N) + 3e-4)
    # The noise about a mode is normal and uncorrelated.
    assert stats.kstest(offsets[:, 0] / source.std, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 4 / np.sqrt(N)


def test_modes():
    np.testing.assert_allclose(np.linalg.norm(data.Ring().modes, axis=1), 1.41443, rtol=1e-5)
    ring = data.Ring(num_modes=3, radius=2.0, std=0.5)
    np.testing.assert_allclose(ring.modes.sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ring.modes, axis=1), 2, rtol=1e-6)
    np.testing.assert_allclose(np.diff(np.unique(data.Grid().modes[:, 0])), 0.70721, rtol=1e-5)
    assert len(np.unique(data.Grid(side=4).modes, axis=0)) == 16


def test_modes_are_drawn_as_ever():
    # Written down: a run that a later version continues sees the data that it saw before.
    expected = [[-1.0064089, 1.0001853], [0.0078393, -1.4224622], [-0.0156526, 1.4115511]]
    np.testing.assert_allclose(data.Ring().sample(3, 5), expected, atol=1e-6)
    # The noise is that of the key, whatever the proportions: only the modes differ.
    noise = [
        (points[:, np.newaxis] - CENTERS)[
            range(50), np.linalg.norm(points[:, np.newaxis] - CENTERS, axis=-1).argmin(axis=1)
        ]
        for points in (
            data.GaussianMixture(CENTERS, std=0.1).sample(50, 3),
            unequal().sample(50, 3),
        )
    ]
    np.testing.assert_allclose(*noise, atol=1e-6)


@pytest.mark.parametrize(
    "source", [data.Ring(), data.Grid(side=2, spacing=0.3, std=0.2), unequal()]
)
def test_mixture_density_against_scipy(source):
    x = np.concatenate([source.sample(50, 1), [[0, 0], [3, 3], [30, -30]]]).astype(np.float64)
    logs = [
        np.log(share) + stats.multivariate_normal(mode, source.std**2).logpdf(x)
        for mode, share in zip(source.modes.astype(np.float64), source.proportions, strict=True)
    ]
    np.testing.assert_allclose(source.log_prob(x), np.logaddexp.reduce(logs), rtol=1e-8)


def test_swiss_roll_follows_sklearn():
    ours = data.SwissRoll().sample(20_000, 0)
    theirs = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    for ours_axis, theirs_axis in zip(ours.T, theirs.T, strict=True):
        assert stats.ks_2samp(ours_axis, theirs_axis).pvalue > 1e-4
    radius = np.linalg.norm(data.SwissRoll(std=0).sample(20_000, 0), axis=1) * 7.5
    # Without noise the radius is t itself, uniform on [1.5 pi, 4.5 pi].
    assert stats.kstest(radius, stats.uniform(1.5 * np.pi, 3 * np.pi).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("dim", "basis_seed"), [(2, None), (2, 3), (1000, 1)])
def test_lines_are_parallel_and_apart_by_their_offset(dim, basis_seed):
    real = data.ParallelLines(dim=dim, basis_seed=basis_seed)
    fake = data.ParallelLines(dim=dim, basis_seed=basis_seed, offset=1.5)
    frame = np.stack([real.direction, real.normal]).astype(np.float64)
    np.testing.assert_allclose(frame @ frame.T, np.eye(2), atol=1e-6)
    points = real.sample(20_000 if dim == 2 else 100, 0).astype(np.float64)
    gap = fake.sample(len(points), 0) - points
    np.testing.assert_allclose(gap, np.tile(1.5 * real.normal, (len(points), 1)), atol=1e-6)
    # Points of one line differ along w alone, uniformly.
    np.testing.assert_allclose(points @ real.normal, 0, atol=1e-6)
    assert stats.kstest(points @ real.direction, "uniform").pvalue > 1e-4


@pytest.mark.parametrize(("dim", "rank"), [(10, 1), (3, 3), (100, 10)])
def test_low_rank_gaussian(dim, rank):
    n = 20_000
    source = data.LowRankGaussian(dim=dim, rank=rank)
    assert np.trace(source.covariance) == pytest.approx(rank, rel=1e-6)
    assert np.linalg.matrix_rank(source.covariance, tol=1e-6) == rank
    points = source.sample(n, 0).astype(np.float64)
    # An entry of an empirical covariance errs by sqrt((C_ii C_jj + C_ij^2) / N) at most.
    variances = np.diag(source.covariance)
    bound = 5 * np.sqrt((np.outer(variances, variances) + source.covariance**2) / n)
    assert np.all(np.abs(np.cov(points.T) - source.covariance) < bound + 1e-9)
    if rank == dim:
        expected = stats.multivariate_normal(np.zeros(3), source.covariance).logpdf(points[:20])
        np.testing.assert_allclose(source.log_prob(points[:20]), expected, rtol=1e-8)
    other = data.LowRankGaussian(dim=dim, rank=rank, seed=5)
    np.testing.assert_array_equal(other.matrix, source.matrix)
    other = data.LowRankGaussian(dim=dim, rank=rank, basis_seed=5)
    assert not np.array_equal(other.matrix, source.matrix)


def with_proportions(proportions):
    return data.GaussianMixture([[0], [1]], std=1, proportions=proportions)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.Ring(num_modes=0), "`num_modes` must be an integer of at least 1"),
        (lambda: data.Ring(radius=-1), "`radius` must be above 0. Received: -1"),
        (lambda: data.Ring(std=0), "`std` must be above 0. Received: 0"),
        (lambda: data.Grid(side=2.5), "`side` must be an integer of at least 1"),
        (lambda: data.ParallelLines(dim=1), "`dim` must be an integer of at least 2"),
        (lambda: data.ParallelLines(offset="1"), "`offset` must be a finite number"),
        (lambda: data.LowRankGaussian(rank=11), "`rank` must be at most `dim`, 10. Received: 11"),
        (lambda: data.LowRankGaussian().log_prob([0]), "full rank of 10. Received: rank=1, which"),
        (lambda: data.Ring().log_prob([0, 0]), r"shape \[n, 2\]. Received shape: \(2,\)"),
        (lambda: data.GaussianMixture([0, 1], std=1), "`modes` must be a tuple of 2"),
        (lambda: with_proportions([1.0]), r"`proportions` must have shape \(2,\)"),
        (lambda: with_proportions([0.5, 0.4]), "with sum 1"),
        (lambda: with_proportions([1.0, 0.0]), "must be positive"),
        (lambda: with_proportions([np.nan, 1.0]), "with sum 1"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
