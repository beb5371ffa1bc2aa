"""Running mean and covariance against NumPy's, in batches of any size, and in files."""

import numpy as np
import pytest

from tfgans.metrics import FeatureStatistics

# Far from 0: sums of squares about 0 would lose eight digits.
FEATURES = 1e4 + np.random.default_rng(0).normal(size=(100, 5)) * [1, 2, 3, 4, 0]


def streamed(rows, size=9):
    statistics = FeatureStatistics()
    for start in range(0, len(rows), size):
        statistics.update(rows[start : start + size])
    return statistics


def assert_same(statistics, rows):
    assert statistics.count == len(rows)
    np.testing.assert_allclose(statistics.mean, rows.mean(axis=0), rtol=1e-14)
    # Shifted sums have the rounding of numbers of size 1: about 1e-16 times the count.
    np.testing.assert_allclose(statistics.covariance, np.cov(rows, rowvar=False), atol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize(("offset", "dtype"), [(0, "float64"), (1e4, "float16"), (1e4, "float32")])
def test_as_numpy_at_any_batch_size_and_precision(size, offset, dtype):
    rows = (FEATURES - offset).astype(dtype)
    assert_same(streamed(rows, size), rows.astype(np.float64))


def test_merged_parts_are_the_whole():
    whole, other = streamed(FEATURES[:30], 10), streamed(FEATURES[30:], 7)
    whole.merge(other)
    whole.merge(FeatureStatistics())
    assert_same(whole, FEATURES)
    empty = FeatureStatistics()
    empty.merge(other)
    empty.update(FEATURES[:30])
    assert_same(empty, FEATURES)
    assert_same(other, FEATURES[30:])


def test_saved_in_the_layout_of_the_ttur_code(tmp_path):
    streamed(FEATURES).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as saved:
        np.testing.assert_allclose(saved["mu"], FEATURES.mean(axis=0))
        np.testing.assert_allclose(saved["sigma"], np.cov(FEATURES, rowvar=False), atol=1e-12)
    loaded = FeatureStatistics.load(tmp_path / "a.npz")
    assert_same(loaded, FEATURES)
    loaded.update(FEATURES[:3])
    assert_same(loaded, np.concatenate([FEATURES, FEATURES[:3]]))


def test_a_file_without_count_can_be_read_but_not_added_to(tmp_path):
    np.savez(tmp_path / "theirs.npz", mu=np.ones(2), sigma=np.eye(2))
    loaded = FeatureStatistics.load(tmp_path / "theirs.npz")
    np.testing.assert_array_equal(loaded.covariance, np.eye(2))
    np.testing.assert_array_equal(loaded.mean, np.ones(2))
    with pytest.raises(ValueError, match="count"):
        loaded.update(np.ones([3, 2]))
    with pytest.raises(ValueError, match="count"):
        FeatureStatistics().merge(loaded)
    loaded.save(tmp_path / "again.npz")
    assert FeatureStatistics.load(tmp_path / "again.npz").count is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(2)}, "holds no statistics"),
        ({"mu": np.ones(2), "sigma": np.eye(2), "count": 1}, "`count` .* at least 2. Received: 1"),
        ({"mu": np.ones(2), "sigma": np.eye(2), "count": 3.7}, "`count` must be an integer"),
        ({"mu": np.array([object()]), "sigma": np.eye(1)}, "holds no statistics"),
        ({"mu": np.ones(2), "sigma": np.array([[1.0, 0.5], [0.0, 1.0]])}, "must be symmetric"),
    ],
)
def test_bad_files(arrays, message, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        FeatureStatistics.load(tmp_path / "a.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(ValueError, match="holds no statistics"):
        FeatureStatistics.load(tmp_path / "text.npz")


def test_bad_features():
    statistics = streamed(FEATURES)
    with pytest.raises(ValueError, match="dimension"):
        statistics.update(np.ones([2, 3]))
    with pytest.raises(ValueError, match="finite"):
        statistics.update(np.full([2, 5], np.inf))
    assert_same(statistics, FEATURES)
    with pytest.raises(ValueError, match="at least 2"):
        streamed(FEATURES[:1]).covariance  # noqa: B018
