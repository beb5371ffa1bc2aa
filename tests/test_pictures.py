"""Pictures: every pixel of every image is where it belongs."""

import numpy as np
import pytest
from PIL import Image

from tfgans import pictures


def test_range_is_mapped_and_clipped():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, np.nan])
    np.testing.assert_array_equal(pictures.to_uint8(values), [0, 0, 128, 255, 255, 0])


def test_grid_holds_every_image_in_row_order():
    images = np.linspace(-1, 1, 5).reshape(5, 1, 1, 1) * np.ones((5, 60, 50, 3))
    grid = pictures.image_grid(images)
    assert grid.shape == (2 * 62 + 2, 3 * 52 + 2, 3)
    for index, level in enumerate([0, 64, 128, 191, 255]):
        top, left = 2 + index // 3 * 62, 2 + index % 3 * 52
        assert (grid[top : top + 60, left : left + 50] == level).all()


def test_small_images_are_enlarged_without_blur():
    grid = pictures.image_grid(np.array([[[-1.0], [1.0]], [[1.0], [-1.0]]])[np.newaxis])
    assert grid.shape == (48 + 4, 48 + 4, 1)
    assert (grid[2:26, 2:26] == 0).all()
    assert (grid[2:26, 26:50] == 255).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_odd_channels_are_shown_by_the_first(channels):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, channels))
    shown = 3 if channels == 4 else 1
    expected = pictures.image_grid(images[..., :shown])
    np.testing.assert_array_equal(pictures.image_grid(images), expected)


def test_points_that_are_not_finite_are_left_out():
    points = np.array([[0.0], [1.0], [np.nan]])
    np.testing.assert_array_equal(pictures.picture(points), pictures.picture(points[:2]))
    assert pictures.picture(points[2:]).std() > 0


@pytest.mark.parametrize("shape", [(4, 8, 8, 1), (4, 8, 8, 3), (50, 2), (50, 10), (50, 1)])
def test_png_holds_the_picture(tmp_path, shape):
    samples = np.random.default_rng(0).uniform(-1, 1, shape)
    pixels = pictures.save_png(tmp_path / "out.png", samples)
    stored = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(stored.reshape(pixels.shape), pixels)
    assert pixels.std() > 0


def test_text_draws_each_pixel_as_two_characters():
    images = np.array([[[-1.0, 1.0], [1.0, 0.0]], [[-1.0, -1.0], [-1.0, 1.0]]])[..., np.newaxis]
    assert pictures.text(images) == "  @@\n@@++    @@"


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Received: shape \(4, 8, 8\)"):
        pictures.picture(np.zeros((4, 8, 8)))
