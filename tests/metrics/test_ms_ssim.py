"""MS-SSIM against TensorFlow's and scikit-image's, and what must hold of any batch."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from skimage.metrics import structural_similarity

from tfgans.metrics import ms_ssim


def smooth(num, side, channels):
    """Images with structure at all scales."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-1, 1, size=(num, 8, 8, channels))
    images = np.asarray(tf.image.resize(coarse, [side, side], "bicubic"), np.float64)
    return np.clip(images + rng.normal(0, 0.1, size=images.shape), -1, 1)


@pytest.mark.parametrize(("side", "channels"), [(176, 1), (190, 3)])
def test_agrees_with_tensorflow_on_large_images(side, channels):
    images = smooth(2, side, channels)
    theirs = tf.image.ssim_multiscale(*tf.constant((images + 1) * 127.5), 255.0).numpy()
    # Theirs is computed in float32.
    assert ms_ssim(images) == pytest.approx(theirs, abs=1e-4)


def test_scales_of_a_small_image_are_scikit_images_ssim():
    """16 x 16: four scales of 16, 8, 4 and 2 pixels, by windows of 11, 8, 4 and 2."""
    images = smooth(2, 16, 1)[..., 0] + 1
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363])
    product = 1.0
    for index, weight in enumerate(weights / weights.sum()):
        product *= max(0, mean_similarity(*images, last=index == 3)) ** weight
        images = images.reshape(2, len(images[0]) // 2, 2, -1, 2).mean(axis=(2, 4))
    assert ms_ssim(smooth(2, 16, 1)) == pytest.approx(product, rel=1e-9)


def mean_similarity(first, second, *, last):
    """The mean of contrast (and at the last scale luminance) over windows inside the image."""
    taps = min(11, len(first))
    offsets = np.arange(taps) - (taps - 1) / 2
    window = np.exp(-np.square(offsets) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def filtered(image):
        views = np.lib.stride_tricks.sliding_window_view(image, window.shape)
        return (views * window).sum(axis=(2, 3))

    means = filtered(first), filtered(second)
    covariance = filtered(first * second) - means[0] * means[1]
    variances = filtered(first**2) + filtered(second**2) - means[0] ** 2 - means[1] ** 2
    similarity = (2 * covariance + 0.06**2) / (variances + 0.06**2)
    luminance = (2 * means[0] * means[1] + 0.02**2) / (means[0] ** 2 + means[1] ** 2 + 0.02**2)
    if taps == 11:
        # Their window of 11 taps; they pad, and 5 pixels from the border nothing is padded.
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        _, full = structural_similarity(first, second, data_range=2, full=True, **options)
        np.testing.assert_allclose(similarity * luminance, full[5:-5, 5:-5], atol=1e-10)
    return (similarity * luminance if last else similarity).mean()


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (200, 180, 1)])
def test_identical_images_are_alike_at_any_size(shape):
    image = np.random.default_rng(0).uniform(-1, 1, size=shape)
    assert ms_ssim(np.stack([image] * 3)) == pytest.approx(1, abs=1e-12)


def test_does_not_depend_on_order_and_is_the_mean_of_pairs():
    digits = tiny.digits(6)
    pairs = [ms_ssim(digits[[i, j]]) for i in range(6) for j in range(i)]
    assert ms_ssim(digits) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert ms_ssim(digits[::-1]) == pytest.approx(ms_ssim(digits), rel=1e-12)


def test_negative_contrasts_count_as_nothing():
    """There is no NaN of a root."""
    noise = np.random.default_rng(0).uniform(-1, 1, size=(1, 8, 8, 1))
    assert ms_ssim(np.concatenate([noise, -noise])) == 0


def test_uint8_and_low_precision_are_the_same_images():
    pixels = np.random.default_rng(0).integers(0, 256, size=(4, 16, 16, 1), dtype=np.uint8)
    floats = pixels / 127.5 - 1
    assert ms_ssim(pixels) == ms_ssim(floats)
    # float16 moves a pixel by 1e-3 of its range.
    assert ms_ssim(floats.astype(np.float16)) == pytest.approx(ms_ssim(floats), abs=5e-3)
