"""MS-SSIM against TensorFlow's and scikit-image's, and what must hold of any batch."""

import importlib

import numpy as np
import pytest
import tensorflow as tf
import tiny
from skimage.metrics import structural_similarity

from tfgans.metrics import ms_ssim


def smooth(num, side, channels, *, seed=0):
    """Images with structure at all scales."""
    rng = np.random.default_rng(seed)
    coarse = tf.image.resize(
        rng.uniform(-1, 1, size=(num, 8, 8, channels)), [side, side], "bicubic"
    )
    return np.clip(
        np.asarray(coarse, np.float64) + rng.normal(0, 0.1, size=(num, side, side, channels)), -1, 1
    )


@pytest.mark.parametrize(("side", "channels"), [(176, 1), (190, 3)])
def test_agrees_with_tensorflow_where_it_can_measure(side, channels):
    images = smooth(3, side, channels)
    shown = tf.constant((images + 1) * 127.5)
    pairs = [(0, 1), (0, 2), (1, 2)]
    theirs = [tf.image.ssim_multiscale(shown[i], shown[j], 255.0).numpy() for i, j in pairs]
    # Theirs is computed in float32.
    assert ms_ssim(images) == pytest.approx(np.mean(theirs), abs=1e-4)


def test_one_scale_is_scikit_images_ssim(monkeypatch):
    images = smooth(2, 32, 1) + 1
    module = importlib.import_module("tfgans.metrics.ms_ssim")
    monkeypatch.setattr(module, "_WEIGHTS", (1.0,))
    _, full = structural_similarity(
        images[0, ..., 0],
        images[1, ..., 0],
        data_range=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # They pad; inside, 5 pixels from the border, the windows are the same.
    expected = full[5:-5, 5:-5].mean()
    (found,) = module._against_later(module._scales(images), 0)
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (32, 32, 3), (200, 180, 1)])
def test_identical_images_are_alike_at_any_size(shape):
    image = np.random.default_rng(0).uniform(-1, 1, size=shape)
    assert ms_ssim(np.stack([image] * 3)) == pytest.approx(1, abs=1e-12)


def test_does_not_depend_on_order_and_is_the_mean_of_pairs():
    digits = tiny.digits(6)
    pairs = [ms_ssim(digits[[i, j]]) for i in range(6) for j in range(i)]
    assert ms_ssim(digits) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert ms_ssim(digits[::-1]) == pytest.approx(ms_ssim(digits), rel=1e-12)


def test_falls_with_variety():
    digits = tiny.digits(64)
    collapsed = np.clip(
        digits[:1] + 0.05 * np.random.default_rng(0).normal(size=digits.shape), -1, 1
    )
    noise = np.random.default_rng(1).uniform(-1, 1, size=digits.shape)
    assert ms_ssim(collapsed) > 0.9 > ms_ssim(digits) > ms_ssim(noise) >= 0


def test_uint8_and_low_precision_are_the_same_images():
    pixels = np.random.default_rng(0).integers(0, 256, size=(4, 16, 16, 1), dtype=np.uint8)
    floats = pixels / 127.5 - 1
    assert ms_ssim(pixels) == pytest.approx(ms_ssim(floats), rel=1e-12)
    # float16 moves a pixel by 1e-3 of its range.
    assert ms_ssim(floats.astype(np.float16)) == pytest.approx(ms_ssim(floats), abs=5e-3)


def test_negative_contrast_is_no_nan():
    image = np.random.default_rng(0).uniform(-1, 1, size=(1, 16, 16, 1))
    assert ms_ssim(np.concatenate([image, -image])) == 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros([2, 7, 9, 1]), "at least 8"),
        (np.zeros([1, 8, 8, 1]), "at least 2"),
        (np.zeros([2, 8, 8]), "images"),
        (np.full([2, 8, 8, 1], 255.0), r"\[-1, 1\]"),
        (np.full([2, 8, 8, 1], np.nan), "finite"),
    ],
)
def test_bad_input(images, message):
    with pytest.raises(ValueError, match=message):
        ms_ssim(images)
