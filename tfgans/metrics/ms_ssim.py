"""Multi-scale structural similarity of all pairs in a batch: high where samples are alike."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from tfgans.metrics import arrays
from tfgans.metrics.metric import Context, Estimate, Metric, Quantity

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
# K1 and K2 times the range of [-1, 1].
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
SMALLEST_SIDE = 8
# Batches of an evaluation, and images in a batch.
_NUM_BATCHES, _BATCH_SIZE = 5, 64


def ms_ssim(images: Any) -> float:
    """Returns the mean MS-SSIM over all pairs of different positions in a batch of images.

    A generator that has collapsed has a larger value than real data. Formula of a pair: `l_5^w5
    prod_s cs_s^ws` over five scales, each half of the scale before (means of 2x2), with a Gaussian
    window of 11 taps and sigma 1.5; negative contrasts count as 0; channels are averaged. To
    support images as small as 8x8, the window is no larger than the image at each scale, and only
    scales of at least two pixels a side are used, with weights divided by their sum: three at 8x8.
    From 176 pixels on, it is the usual MS-SSIM. Values of different image sizes are not comparable.

    Args:
        images: Array [num, height, width, channels] in [-1, 1], or uint8; two at least.

    Raises:
        ValueError: If these are not images, are not finite, are smaller than 8x8, or are too few.

    Example:

    >>> tfgans.metrics.ms_ssim(np.zeros([4, 8, 8, 1]))
    1.0

    Reference: Wang et al. 2003, "Multiscale Structural Similarity for Image Quality Assessment";
    Odena et al. 2017 for its use on samples; Fedus et al. 2018, section 5.3, batches of 64; the
    shrinking window is Kurach et al.'s (compare_gan).

    Checked against: tf.image.ssim_multiscale, scikit-image.
    """
    batch = arrays.images("images", images, at_least=2, needed_by="pairs are compared")
    if min(batch.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(
            f"`images` must be at least {SMALLEST_SIDE} pixels high and wide. Received shape: "
            f"{batch.shape}"
        )
    # Luminance is compared from black, 0, to white, 2.
    scales = _scales(batch + 1)
    total = 0.0
    for index in range(len(batch) - 1):
        total += float(_against_later(scales, index).sum())
    return total / (len(batch) * (len(batch) - 1) / 2)


@dataclasses.dataclass(frozen=True)
class MSSSIMMetric(Metric):
    """The mean `ms_ssim` of 5 batches of 64 images, generated and real.

    A generator with less variety than the data has a larger `ms_ssim` than `ms_ssim(real)`, and
    noise has a smaller value.
    """

    name = "ms_ssim"
    quantities = (
        Quantity("ms_ssim", high=1.0, higher_is_better=None),
        Quantity("ms_ssim(real)", high=1.0, higher_is_better=None, is_of_real=True),
    )
    reads = "examples"
    max_examples = _NUM_BATCHES * _BATCH_SIZE
    by_default = True
    requirement = "images of at least 8x8 pixels"

    def suits(self, context: Context) -> bool:
        """Returns whether the examples are images of that size."""
        return len(context.data_shape) == 3 and min(context.data_shape[:2]) >= SMALLEST_SIDE

    def compute(self, real: np.ndarray, fake: np.ndarray, context: Context) -> dict[str, Estimate]:
        """Returns the mean over batches of both sets, with the error of the mean."""
        del context
        return {"ms_ssim": _over_batches(fake), "ms_ssim(real)": _over_batches(real)}


def _over_batches(images: np.ndarray) -> Estimate:
    batches = np.array_split(images, max(1, len(images) // _BATCH_SIZE))
    values = np.array([ms_ssim(batch) for batch in batches])
    error = None if len(values) < 2 else float(values.std(ddof=1) / np.sqrt(len(values)))
    method = f"{len(batches)} batches of {len(batches[0])}"
    degrees = None if error is None else len(values) - 1
    return Estimate(float(values.mean()), error, method, degrees=degrees)


class _Scale(NamedTuple):
    """A batch at one scale, and its means and squares, computed once for all pairs."""

    images: np.ndarray
    means: np.ndarray
    squares: np.ndarray
    window: np.ndarray


def _scales(batch: np.ndarray) -> list[_Scale]:
    scales = []
    for _ in _WEIGHTS:
        window = _window(min(_TAPS, *batch.shape[1:3]))
        means = _filtered(batch, window)
        scales.append(_Scale(batch, means, _filtered(np.square(batch), window), window))
        if min(batch.shape[1:3]) < 4:
            break
        batch = _halved(batch)
    return scales


def _against_later(scales: list[_Scale], index: int) -> np.ndarray:
    """Returns the MS-SSIM of image `index` with each later image."""
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
    """Returns images filtered along height and width, without padding."""
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
    odd = [(0, 0), *((0, size % 2) for size in images.shape[1:3]), (0, 0)]
    padded = np.pad(images, odd, mode="symmetric")
    return (
        padded[:, ::2, ::2] + padded[:, 1::2, ::2] + padded[:, ::2, 1::2] + padded[:, 1::2, 1::2]
    ) / 4


def _window(taps: int) -> np.ndarray:
    offsets = np.arange(taps) - (taps - 1) / 2
    window = np.exp(-np.square(offsets) / (2 * _SIGMA**2))
    return window / window.sum()
