"""How likely each class is: exactly, for every source, and as its batches have it."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import data

UNEQUAL = [0, 0, 0, 1, 3, 3, 3, 3]


def grey(labels, **options):
    return data.ArraySource(np.zeros([len(labels), 8, 8, 1], np.uint8), labels=labels, **options)


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_of_a_folder(tmp_path, cache):
    for name in ("cat/1.png", "dog/1.png", "dog/2.png", "dog/3.png", "fox/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros([8, 8], np.uint8)).save(tmp_path / name)
    source = data.load(f"folder:{tmp_path}", image_size=8, cache=cache)
    np.testing.assert_array_equal(source.class_shares, [0.2, 0.6, 0.2])


def test_of_arrays():
    np.testing.assert_array_equal(grey(UNEQUAL).class_shares, [3 / 8, 1 / 8, 0, 1 / 2])
    # A class of which there is the name alone.
    named = grey(UNEQUAL, class_names="abcdef")
    np.testing.assert_array_equal(named.class_shares, [3 / 8, 1 / 8, 0, 1 / 2, 0, 0])
    assert data.from_array(np.zeros([4, 2], np.float32)).class_shares is None
    assert grey([-1, 0] * 4).class_shares is None


def test_of_prepared_datasets(digits):
    np.testing.assert_array_equal(digits.class_shares, np.bincount(digits.labels) / 1437)


@pytest.mark.parametrize("source", [data.Ring(), data.Grid(), data.GaussianMixture([[0.0]], std=1)])
def test_of_equal_modes(source):
    np.testing.assert_array_equal(
        source.class_shares, np.full(source.num_modes, 1 / source.num_modes)
    )


@pytest.mark.parametrize("source", [data.SwissRoll(), data.ParallelLines(), data.LowRankGaussian()])
def test_of_sources_without_classes(source):
    assert source.class_shares is None


DRAWN = {
    "proportions": data.GaussianMixture(np.eye(3), std=0.1, proportions=[0.7, 0.05, 0.25]),
    "stacked": data.StackedImages(grey([0, 0, 0, 1, 2, 2])),
}


@pytest.mark.parametrize("source", DRAWN.values(), ids=DRAWN)
def test_drawn_classes_come_as_often(source):
    shares, num = source.class_shares, 50_000
    assert shares.dtype == np.float64
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    _, labels = next(iter(source.batches(num, labels=True)))
    counts = np.bincount(labels, minlength=source.num_classes)
    # Five standard deviations of each count.
    assert (np.abs(counts - num * shares) < 5 * np.sqrt(num * shares * (1 - shares))).all()


def test_of_stacked_images_by_hand():
    shares = DRAWN["stacked"].class_shares
    assert shares[9 * 0 + 3 * 1 + 2] == pytest.approx(1 / 2 * 1 / 6 * 1 / 3)


def test_a_caller_cannot_change_them():
    source = DRAWN["proportions"]
    source.class_shares[:] = 0
    np.testing.assert_allclose(source.class_shares, [0.7, 0.05, 0.25])


def test_a_source_of_a_user_must_tell_them():
    class Silent(data.source.DrawnSource):
        def _draw(self, n, key):
            return tf.zeros([n, 2])

    with pytest.raises(NotImplementedError, match="how likely each is"):
        _ = Silent(name="silent", data_shape=(2,), num_classes=3).class_shares
