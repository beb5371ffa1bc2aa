"""DiffAugment: the closed forms of its operations."""

import numpy as np
import pytest
import tensorflow as tf
from toy import assert_mean

from tfgans import random
from tfgans.augmentation import DiffAugment

KEY = random.key(11)
NUM = 4000


def changed(policy, images, key=KEY):
    return DiffAugment(policy)(images, key).numpy()


def some(num, *shape):
    return np.random.default_rng(0).normal(size=(num, *shape)).astype(np.float32)


def test_color_of_gray_images_is_a_shift_and_a_contrast_around_the_mean():
    x = some(1, 4, 4, 1).repeat(NUM, axis=0)
    y = changed("color", x)
    shift = y.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))
    factor = y.std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    for draws, low, high in ((shift, -0.5, 0.5), (factor, 0.5, 1.5)):
        assert low - 1e-5 < draws.min() < low + 0.01
        assert high - 0.01 < draws.max() < high + 1e-5
        assert_mean(draws, (low + high) / 2)
        assert_mean((draws - (low + high) / 2) ** 2, 1 / 12)
    # Without the three numbers that it draws, nothing is changed; and the mean change is none.
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    expected = mean + shift[:, None, None, None] + factor[:, None, None, None] * (x - mean)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(y.mean(axis=0), x[0], atol=0.05)


def test_saturation_keeps_the_mean_over_channels():
    x = some(NUM, 1, 2, 3)
    y = changed("color", x)
    # After contrast c and saturation s: what differs within a pixel is scaled by c s.
    within = [images - images.mean(axis=3, keepdims=True) for images in (x, y)]
    between = [np.diff(images.mean(axis=3), axis=2)[:, 0, 0] for images in (x, y)]
    contrast = between[1] / between[0]
    saturation = within[1][:, 0, 0, 0] / within[0][:, 0, 0, 0] / contrast
    assert -1e-3 < saturation.min() < 0.01
    assert 1.99 < saturation.max() < 2 + 1e-3
    assert_mean(saturation, 1)
    factors = (saturation * contrast)[:, None, None, None]
    np.testing.assert_allclose(within[1], factors * within[0], atol=1e-3)


# (1 - E|t| / side)^2 with t uniform in {-S..S}; and the mean share of a box that is cut off.
@pytest.mark.parametrize(
    ("side", "shift", "kept", "cut"),
    [(8, 1, 0.8403, 0.1736), (28, 4, 0.8476, 0.1858), (32, 4, 0.8659, 0.1865)],
)
def test_translation_and_cutout_of_constant_images(side, shift, kept, cut):
    ones = np.ones((NUM, side, side, 1), np.float32)
    moved = changed("translation", ones)[..., 0]
    rows, columns = (moved.any(axis=axis).sum(axis=1) for axis in (2, 1))
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), rows * columns)
    for lengths in (rows, columns):
        assert {*lengths} == {*range(side - shift, side + 1)}
    assert_mean(moved.mean(axis=(1, 2)), kept)
    holes = 1 - changed("cutout", ones)[..., 0]
    assert_mean(holes.mean(axis=(1, 2)), cut)
    for axis in (2, 1):
        lengths = holes.any(axis=axis).sum(axis=1)
        assert (lengths.min(), lengths.max()) == (side // 4, side // 2)
    if side == 32:
        assert_mean(holes[:, 16, 16], 0.2351)
        assert_mean(holes[:, 0, 0], 0.0744)


def test_translated_pixels_come_from_the_place_of_the_shift():
    x = np.arange(1, 12 * 10 + 1, dtype=np.float32).reshape(1, 12, 10, 1).repeat(50, axis=0)
    y = changed("translation", x)[..., 0]
    for image in y:
        row, column = np.argwhere(image)[0]
        source = int(image[row, column]) - 1
        down, right = row - source // 10, column - source % 10
        expected = np.zeros((12, 10))
        for i in range(12):
            for j in range(10):
                if 0 <= i - down < 12 and 0 <= j - right < 10:
                    expected[i, j] = (i - down) * 10 + j - right + 1
        np.testing.assert_array_equal(image, expected)


def test_flip_mirrors_half_of_the_images():
    x = some(NUM, 2, 5, 1)
    y = changed("flip", x)
    mirrored = (y != x).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(y[mirrored], x[mirrored][:, :, ::-1])
    assert_mean(mirrored, 0.5)


def test_operations_run_in_the_order_of_the_policy_and_fill_is_the_border():
    x = np.ones((30, 8, 8, 1), np.float32)
    last, first = (changed(policy, x) for policy in ("color,cutout", "cutout,color"))
    assert ((last == 0).sum(axis=(1, 2, 3)) >= 4).all()  # A hole of 2 rows and columns, or more.
    assert not (first == 0).any()
    filled = DiffAugment("translation,cutout", fill=-1.0)(x, KEY).numpy()
    assert {*np.unique(filled)} == {-1.0, 1.0}
    x = tf.constant(x)
    assert DiffAugment("")(x, KEY) is x
