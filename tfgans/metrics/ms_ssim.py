"""Multi-scale structural similarity of all pairs in a batch: high where samples are alike."""

from typing import Any, NamedTuple

import numpy as np

from tfgans.metrics import arrays

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
# K1 and K2 times the range of [-1, 1].
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
_SMALLEST = 8


def ms_ssim(images: Any) -> float:
    """Returns the mean MS-SSIM over all pairs of different positions in a batch of images.

    Of real data it is what their variety gives; a generator that has collapsed has more. Formula of
    one pair: `l_5^w5 prod_s cs_s^ws` over five scales, each half of the one before (means of 2x2),
    with a Gaussian window of 11 taps and sigma 1.5; negative contrasts count as 0; channels are
    averaged. So that images from 8x8 on can be measured, the window shrinks to the image at each
    scale, and there are only as many scales as halves of at least two pixels, their weights divided
    by their sum: three at 8x8. From 176 pixels on it is the usual MS-SSIM. Sizes do not compare.

    Args:
        images: Array [num, height, width, channels] in [-1, 1], or uint8; two at least.

    Raises:
        ValueError: If these are not images, are not finite, have a side under 8, or are too few.

    Example:

    >>> tfgans.metrics.ms_ssim(np.zeros([4, 8, 8, 1]))
    1.0

    Reference: Wang et al. 2003, "Multiscale Structural Similarity for Image Quality Assessment";
    Odena et al. 2017 for its use on samples; Fedus et al. 2018, section 5.3, batches of 64; the
    shrinking window is Kurach et al.'s (compare_gan).

    Checked against: tf.image.ssim_multiscale, scikit-image.
    """
    batch = arrays.images("images", images, at_least=2, needed_by="pairs are compared")
    if min(batch.shape[1:3]) < _SMALLEST:
        raise ValueError(
            f"`images` must have sides of at least {_SMALLEST}. Received shape: {batch.shape}"
        )
    # Luminance is compared from black, 0, to white, 2.
    scales = _scales(batch + 1)
    total = 0.0
    for index in range(len(batch) - 1):
        total += float(_against_later(scales, index).sum())
    return total / (len(batch) * (len(batch) - 1) / 2)


class _Scale(NamedTuple):
    """A batch at one scale, and what of it does not depend on the other image of a pair."""

    images: np.ndarray
    means: np.ndarray
    squares: np.ndarray
    window: np.ndarray


def _scales(batch: np.ndarray) -> list[_Scale]:
    found = []
    for _ in _WEIGHTS:
        window = _window(min(_TAPS, *batch.shape[1:3]))
        means = _filtered(batch, window)
        found.append(_Scale(batch, means, _filtered(np.square(batch), window), window))
        if min(batch.shape[1:3]) < 4:
            break
        batch = _halved(batch)
    return found


def _against_later(scales: list[_Scale], index: int) -> np.ndarray:
    """Returns the MS-SSIM of image `index` with each one after it."""
    weights = np.array(_WEIGHTS[: len(scales)])
    weights = weights / weights.sum() if len(scales) < len(_WEIGHTS) else weights
    product: Any = 1.0
    for scale, (weight, last) in zip(
        scales, [(weight, i == len(scales) - 1) for i, weight in enumerate(weights)], strict=True
    ):
        mean, other = scale.means[index], scale.means[index + 1 :]
        cross = _filtered(scale.images[index] * scale.images[index + 1 :], scale.window)
        products = mean * other
        spreads = scale.squares[index] + scale.squares[index + 1 :]
        contrast = (2 * (cross - products) + _C2) / (
            spreads - np.square(mean) - np.square(other) + _C2
        )
        if last:
            luminance = (2 * products + _C1) / (np.square(mean) + np.square(other) + _C1)
            contrast = contrast * luminance
        product = product * np.maximum(contrast.mean(axis=(1, 2)), 0) ** weight
    return product.mean(axis=-1)


def _filtered(images: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Returns images filtered along both sides, without padding."""
    rows = sum(
        weight * images[:, start : images.shape[1] - len(window) + 1 + start]
        for start, weight in enumerate(window)
    )
    return sum(
        weight * rows[:, :, start : rows.shape[2] - len(window) + 1 + start]
        for start, weight in enumerate(window)
    )


def _halved(images: np.ndarray) -> np.ndarray:
    """Returns means of 2x2 pixels; an odd last row or column is paired with itself."""
    odd = [(0, 0), *((0, side % 2) for side in images.shape[1:3]), (0, 0)]
    padded = np.pad(images, odd, mode="symmetric")
    return (
        padded[:, ::2, ::2] + padded[:, 1::2, ::2] + padded[:, ::2, 1::2] + padded[:, 1::2, 1::2]
    ) / 4


def _window(taps: int) -> np.ndarray:
    offsets = np.arange(taps) - (taps - 1) / 2
    window = np.exp(-np.square(offsets) / (2 * _SIGMA**2))
    return window / window.sum()
