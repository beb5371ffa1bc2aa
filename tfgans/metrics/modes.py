"""Which modes of known data a generator covers, and in what proportions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from tfgans import checks
from tfgans.checks import probabilities
from tfgans.metrics import arrays

_MOST_MODES = 10**6
_CHUNK = 1024
# Of a Gaussian in two dimensions, beyond 3 standard deviations.
_OUTSIDE = np.exp(-4.5)


class ModeCoverage(NamedTuple):
    """How samples lie among the modes of a mixture of Gaussians.

    Attributes:
        modes: Int, the modes covered.
        num_modes: Int, all modes.
        high_quality: Float, the share of samples near a mode.
        kl: Float, KL(shares of the samples near a mode || proportions), in nats.
        reverse_kl: Float, KL(proportions || shares), each count raised by 1.
        shares: float64 [num_modes], of all samples, each counted at its nearest mode.
    """

    modes: int
    num_modes: int
    high_quality: float
    kl: float
    reverse_kl: float
    shares: np.ndarray


class ClassCoverage(NamedTuple):
    """How samples lie among the combinations of classes of their channels.

    Attributes:
        modes: Int, the modes with at least one sample.
        num_modes: Int, num_classes ** channels.
        kl: Float, KL(shares || proportions), in nats.
        reverse_kl: Float, KL(proportions || shares), each count raised by 1.
        counts: int64 [num_modes], samples.
    """

    modes: int
    num_modes: int
    kl: float
    reverse_kl: float
    counts: np.ndarray


def mode_coverage(
    samples: Any,
    modes: Any,
    std: float,
    *,
    radius: float | None = None,
    min_share: float = 0.05,
    proportions: Any = None,
) -> ModeCoverage:
    """Returns which modes of a mixture of Gaussians are covered, and how well.

    A sample is near its nearest mode when it lies within `radius * std` of it; by default .989 of
    real draws are: within 3 standard deviations in two dimensions, within more in more. A mode is
    covered when it holds at least `min_share` of its fair share of all samples, near it.

    KL of the shares is finite where a mode is missed (0 log 0 = 0). The reverse is infinite there,
    so it takes counts plus one each (Laplace's rule): its value depends on the number of samples.
    Without a single sample near a mode, `kl` is what the rarest mode alone gives: -log min p.

    Args:
        samples: Array [num, dim].
        modes: Array [num_modes, dim], the centres.
        std: Float above 0, of each coordinate about its centre.
        radius: Float above 0, in standard deviations. Default: None, what holds `1 - exp(-4.5)` of
            a Gaussian in as many dimensions, which is 3 in two.
        min_share: Float in [0, 1]. Default: 0.05. With 0 one sample is enough.
        proportions: Array [num_modes] that sums to 1. Default: all modes alike.

    Raises:
        ValueError: If the points are not finite or not of one dimension, or an argument is out of
            range.

    Reference: Metz et al. 2017, "Unrolled Generative Adversarial Networks"; Srivastava et al.
    2017, "VEEGAN", for the share of high quality; the 5 % are ours.

    Checked against: scikit-learn's NearestNeighbors, SciPy's entropy.
    """
    points = arrays.points("samples", samples)
    centres = arrays.points("modes", modes)
    if centres.shape[1] != points.shape[1]:
        raise ValueError(
            "`samples` and `modes` must have the same dimension. Received: "
            f"{points.shape[1]} and {centres.shape[1]}"
        )
    if checks.non_negative("min_share", min_share) > 1:
        raise ValueError(f"`min_share` must be in [0, 1]. Received: {min_share}")
    reach = _usual_radius(points.shape[1]) if radius is None else checks.positive("radius", radius)
    limit = reach * checks.positive("std", std)
    nearest, distances = _nearest(points, centres)
    near = distances <= limit
    fair = _proportions(proportions, len(centres))
    counts = np.bincount(nearest[near], minlength=len(centres))
    # A product may round to a little above the whole number that it is.
    needed = np.maximum(min_share * fair * len(points), 1) * (1 - 1e-12)
    return ModeCoverage(
        modes=int((counts >= needed).sum()),
        num_modes=len(centres),
        high_quality=float(near.mean()),
        kl=_divergence(counts, fair),
        reverse_kl=_reverse(counts, fair),
        shares=np.bincount(nearest, minlength=len(centres)) / len(points),
    )


def classifier_mode_coverage(
    images: Any,
    classifier: Callable[[np.ndarray], Any],
    *,
    num_classes: int = 10,
    proportions: Any = None,
) -> ClassCoverage:
    """Returns which combinations of classes the channels of images show.

    Each channel is classified by itself; the mode of three channels is
    `100 * red + 10 * green + blue` with ten classes, as in `tfgans.data.StackedImages`. A
    classifier names every image, noise too: read it beside a distance. `kl` and `reverse_kl` as in
    `mode_coverage`; even perfect samples have a `kl` of about `(num_modes - 1) / (2 num)`.

    Args:
        images: Array [num, height, width, channels] in [-1, 1], or uint8.
        classifier: Function from float32 [num, height, width, 1] in [-1, 1] to probabilities or
            logits [num, num_classes], say `DigitsClassifier().probabilities`.
        num_classes: Int of at least 2. Default: 10.
        proportions: Array [num_modes] that sums to 1. Default: all modes alike.

    Raises:
        ValueError: If the images or what the classifier says are not as above, or there would be
            more than a million modes.

    Reference: Metz et al. 2017, "Unrolled Generative Adversarial Networks"; Lin et al. 2018,
    "PacGAN", section 4.2.

    Checked against: the labels of the stacked digits, SciPy's entropy.
    """
    checks.int_at_least("num_classes", num_classes, 2)
    pixels = arrays.images("images", images).astype(np.float32)
    channels = pixels.shape[-1]
    num_modes = num_classes**channels
    if num_modes > _MOST_MODES:
        raise ValueError(
            f"There must be at most {_MOST_MODES} modes. Received: {num_classes} classes in "
            f"{channels} channels"
        )
    found = np.zeros(len(pixels), np.int64)
    for channel in range(channels):
        named = _classes(pixels[..., channel : channel + 1], classifier, num_classes)
        found = found * num_classes + named
    counts = np.bincount(found, minlength=num_modes)
    fair = _proportions(proportions, num_modes)
    return ClassCoverage(
        modes=int((counts > 0).sum()),
        num_modes=num_modes,
        kl=_divergence(counts, fair),
        reverse_kl=_reverse(counts, fair),
        counts=counts,
    )


def _classes(
    images: np.ndarray, classifier: Callable[[np.ndarray], Any], num_classes: int
) -> np.ndarray:
    named = []
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        scores = arrays.points("the classifier's output", classifier(chunk))
        if scores.shape != (len(chunk), num_classes):
            raise ValueError(
                f"`classifier` must give [{len(chunk)}, {num_classes}]. Received shape: "
                f"{scores.shape}"
            )
        named.append(scores.argmax(axis=1))
    return np.concatenate(named)


def _usual_radius(dim: int) -> float:
    # The inverse survival function: exact where the share outside is small.
    return float(np.sqrt(stats.chi2.isf(_OUTSIDE, dim)))


def _nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    distances, nearest = KDTree(centres).query(points)
    return nearest, distances


def _proportions(proportions: Any, count: int) -> np.ndarray:
    if proportions is None:
        return np.full(count, 1 / count)
    checked = probabilities("proportions", proportions, count)
    if checked.min() == 0:
        raise ValueError("`proportions` must be above 0: leave out what is never drawn")
    return checked


def _divergence(counts: np.ndarray, fair: np.ndarray) -> float:
    if not counts.sum():
        return float(-np.log(fair.min()))
    return _kl(counts / counts.sum(), fair)


def _reverse(counts: np.ndarray, fair: np.ndarray) -> float:
    return _kl(fair, (counts + 1) / (counts + 1).sum())


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    held = p > 0
    # Rounding may leave a little less than nothing.
    return max(0.0, float((p[held] * np.log(p[held] / q[held])).sum()))
