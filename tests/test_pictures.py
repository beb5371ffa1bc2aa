"""Pictures: every pixel of every image is where it belongs."""

import numpy as np
import pytest
from PIL import Image

from tfgans import pictures


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


@pytest.mark.parametrize("channels", [2, 5])
def test_odd_channels_are_shown_by_the_first(channels):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, channels))
    shown = 3 if channels == 5 else 1
    expected = pictures.image_grid(images[..., :shown])
    np.testing.assert_array_equal(pictures.image_grid(images), expected)


def test_transparent_pixels_show_the_gray_of_the_gaps():
    images = np.random.default_rng(0).uniform(-1, 1, (1, 48, 48, 4))
    images[0, :, :16, 3], images[0, :, 16:32, 3] = -1, 1
    rgba = Image.fromarray(np.round((images[0] + 1) * 127.5).astype(np.uint8))
    gray = Image.new("RGBA", rgba.size, (64, 64, 64, 255))
    expected = np.asarray(Image.alpha_composite(gray, rgba).convert("RGB"), int)
    shown = pictures.image_grid(images)[2:-2, 2:-2]
    np.testing.assert_allclose(shown, expected, atol=1)  # PIL rounds otherwise.
    assert (shown[:, :16] == 64).all()
    # Without transparency the picture is that of RGB.
    opaque = images[:, :, 16:32]
    for show in (pictures.image_grid, pictures.text):
        np.testing.assert_array_equal(show(opaque), show(opaque[..., :3]))
    assert not pictures.text(images[:, :, :16]).strip()


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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_files_hold_the_images(tmp_path, channels):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 5, 7, channels))
    pictures.save_files(tmp_path / "new", images)
    for index, expected in enumerate(np.round((images + 1) * 127.5)):
        with Image.open(tmp_path / "new" / f"0000{index}.png") as image:
            assert image.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
            np.testing.assert_array_equal(np.asarray(image).reshape(expected.shape), expected)
    for shape in [(2, 5, 7, 5), (2, 5)]:
        with pytest.raises(ValueError, match=r"PNG files hold images .* of up to 4 channels"):
            pictures.save_files(tmp_path / "other", np.zeros(shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_component_rows_hold_every_image_beside_its_weight(channels):
    levels = np.linspace(-1, 1, 6).reshape(2, 3, 1, 1, 1)
    picture = pictures.component_rows(levels * np.ones((2, 3, 8, 6, channels)), [0.25, 0.75])
    # An image is enlarged six times; the labels take what is left.
    margin = picture.shape[1] - (3 * 38 + 2)
    assert picture.shape == (2 * 50 + 2, margin + 3 * 38 + 2, channels)
    for index, level in enumerate([0, 51, 102, 153, 204, 255]):
        top, left = 2 + index // 3 * 50, margin + 2 + index % 3 * 38
        assert (picture[top : top + 48, left : left + 36] == level).all()
    labels = picture[:, :margin]
    ink = (labels != 64).any(axis=(1, 2))
    for top in (2, 52):
        rows = np.flatnonzero(ink[top : top + 48])
        # Written in the middle of the row, high enough to be read.
        assert abs(rows.mean() - 24) < 3
        assert len(rows) >= 8
    assert not np.array_equal(labels[2:50], labels[52:100])


def test_titles_show_letters_beyond_ascii():
    samples = np.zeros((1, 1, 8, 8, 1))
    titles = ["\xfc", "\xf6", "\u0416", "\u03b4", "\ue000"]  # The last has no letter: a box.
    shown = {pictures.titled_rows(samples, [title]).tobytes() for title in titles}
    assert len(shown) == len(titles)


def test_classes_have_rows_of_their_names():
    levels = np.linspace(-1, 1, 6).reshape(6, 1, 1, 1) * np.ones((6, 48, 48, 1))
    picture = pictures.class_rows(levels, np.array([2, 0, 2, 2, 0, 2]), ["a", "b", "c"])
    margin = picture.shape[1] - (3 * 50 + 2)
    assert picture.shape[0] == 3 * 50 + 2
    # Class 0 in the first row, class 1 has none, class 2 fills a row and begins another.
    expected = [[51, 204, 64], [0, 102, 153], [255, 64, 64]]
    centers = picture[26::50, margin + 26 :: 50, 0]
    np.testing.assert_array_equal(centers, expected)
    both = np.stack([levels[[1, 4]], levels[[0, 2]]])
    np.testing.assert_array_equal(
        pictures.class_rows(levels[[0, 1, 2, 4]], [2, 0, 2, 0], ["a", "b", "c"]),
        pictures.titled_rows(both, ["a", "c"]),
    )


def test_a_class_name_in_a_legend_is_no_formula():
    points, labels = np.zeros((2, 2)), [0, 1]
    named, other = (pictures.class_rows(points, labels, [name, "b"]) for name in (r"$\x$", r"$\y$"))
    assert not np.array_equal(named, other)


def test_labels_of_low_rows_do_not_overlap():
    picture = pictures.component_rows(np.zeros((2, 1, 1, 48, 1)), [0.5, 0.5])
    margin = picture.shape[1] - 52
    half = (len(picture) - 2) // 2
    first, second = picture[1 : half + 1, :margin], picture[half + 1 : 2 * half + 1, :margin]
    np.testing.assert_array_equal(first, second)
    # The image lies in the middle of its row, which begins after a gap of 2.
    middle = 2 + (half - 2 - 1) // 2
    (lines,) = np.nonzero((picture[:, margin + 2] != 64).any(axis=-1))
    assert lines.tolist() == [middle, middle + half]


def test_component_plot_has_a_color_and_a_weight_each():
    points = np.random.default_rng(0).normal(size=(2, 50, 2))
    plot = pictures.component_rows(points, [0.25, 0.75])
    for color in ([31, 119, 180], [255, 127, 14]):  # Matplotlib's first two, pure in the legend.
        assert (plot == color).all(axis=-1).sum() > 50
    assert not np.array_equal(plot, pictures.component_rows(points, [0.5, 0.5]))
    spoiled = np.concatenate([points, np.full((2, 1, 2), np.nan)], axis=1)
    np.testing.assert_array_equal(pictures.component_rows(spoiled, [0.25, 0.75]), plot)


@pytest.mark.parametrize("shape", [(3, 20, 1), (12, 5, 2), (40, 1, 10)])
def test_component_plots_of_any_size(shape):
    weights = np.full(shape[0], 1 / shape[0])
    plot = pictures.component_rows(np.random.default_rng(0).normal(size=shape), weights)
    assert plot.dtype == np.uint8
    assert plot.shape[0] == 500
    # The legend stands beside the axes, which keep their size.
    assert plot.shape[1] >= 580


@pytest.mark.parametrize(
    ("shape", "num_weights", "message"),
    [
        ((4, 8, 8, 1), 4, r"Received: shape \(4, 8, 8, 1\)"),
        ((2, 0, 8, 8, 1), 2, r"not empty. Received: shape \(2, 0, 8, 8, 1\)"),
        ((2, 3, 8, 8, 1), 3, r"must have shape \(2,\).* Received: shape \(3,\)"),
    ],
)
def test_component_rows_refuse(shape, num_weights, message):
    with pytest.raises(ValueError, match=message):
        pictures.component_rows(np.zeros(shape), np.ones(num_weights) / num_weights)


def test_text_draws_each_pixel_as_two_characters():
    images = np.array([[[-1.0, 1.0], [1.0, 0.0]], [[-1.0, -1.0], [-1.0, 1.0]]])[..., np.newaxis]
    assert pictures.text(images) == "  @@\n@@++    @@"


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Received: shape \(4, 8, 8\)"):
        pictures.picture(np.zeros((4, 8, 8)))
