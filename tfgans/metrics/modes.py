"""The modes of known data that a generator covers, and their proportions."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from tfgans import checks
from tfgans.checks import probabilities
from tfgans.metrics import arrays
from tfgans.metrics.metric import Context, Estimate, Metric, Quantity

_MOST_MODES = 10**6
_CHUNK = 1024
# Of a Gaussian in two dimensions, beyond 3 standard deviations.
_OUTSIDE = np.exp(-4.5)


class ModeCoverage(NamedTuple):
    """The samples at each mode of a mixture of Gaussians, and summaries.

    Attributes:
        modes: Int, the modes covered.
        num_modes: Int, all modes.
        high_quality: Float, the share of samples near a mode.
        kl: Float, KL(shares of the samples near a mode || proportions), in nats.
        reverse_kl: Float, KL(proportions || shares), each share raised by 1 / num.
        shares: float64 [num_modes], of all samples, each counted at its nearest mode.
        modes_error: Float, the standard error of `modes` over draws of the samples.
    """

    modes: int
    num_modes: int
    high_quality: float
    kl: float
    reverse_kl: float
    shares: np.ndarray
    modes_error: float


class ClassCoverage(NamedTuple):
    """The samples of each combination of the channels' classes, and summaries.

    Attributes:
        modes: Int, the modes with at least one sample.
        num_modes: Int, num_classes ** channels, without those of proportion 0.
        kl: Float, KL(shares || proportions), in nats.
        reverse_kl: Float, KL(proportions || shares), each share raised by 1 / num.
        counts: int64 [num_classes ** channels], samples.
        modes_error: Float, the standard error of `modes` over draws of the samples.
    """

    modes: int
    num_modes: int
    kl: float
    reverse_kl: float
    counts: np.ndarray
    modes_error: float


def mode_coverage(
    samples: Any,
    modes: Any,
    std: float,
    *,
    radius: float | None = None,
    min_share: float = 0.05,
    proportions: Any = None,
) -> ModeCoverage:
    """Returns the modes of a mixture of Gaussians that samples cover, and in what proportions.

    A sample is near its nearest mode if it lies within `radius * std` of it. By default, .989 of
    real draws do: the radius is 3 standard deviations in two dimensions, and larger in higher
    dimensions. A mode is covered if the number of samples near it is at least `min_share` times the
    number expected from its proportion.

    KL of the shares is finite where a mode is missed (0 log 0 = 0). The reverse is infinite there,
    so 1 / num is added to each share, as a sample at each mode would add: its value depends on the
    number of samples. If no sample is near a mode, both are those of samples at the rarest mode:
    `kl` is -log min p.

    Args:
        samples: Array [num, dim].
        modes: Array [num_modes, dim], the centers.
        std: Float above 0, of each coordinate about its center.
        radius: Float above 0, in standard deviations. Default: None, the radius of the ball that
            holds `1 - exp(-4.5)` of a Gaussian in as many dimensions, which is 3 in two.
        min_share: Float in [0, 1]. Default: 0.05. With 0 a single sample is enough.
        proportions: Array [num_modes] that sums to 1. Default: all modes alike.

    `modes_error` treats the modes as independent: each is covered in another draw of the samples
    with its beta-binomial probability under Jeffreys's prior. A mode without samples adds nothing.

    Raises:
        ValueError: If the points are not finite or not of the same dimension, or an argument is out
            of range.

    Example:

    >>> samples, modes = [[0.1], [0.0], [9.0]], [[0.0], [5.0]]
    >>> coverage = tfgans.metrics.mode_coverage(samples, modes, std=0.1)
    >>> coverage.modes, round(coverage.high_quality, 2)
    (1, 0.67)

    Reference: Metz et al. 2017, "Unrolled Generative Adversarial Networks"; Srivastava et al.
    2017, "VEEGAN", for the share of high quality; the 5 % are ours.

    Checked against: scikit-learn's NearestNeighbors, SciPy's entropy.
    """
    points = arrays.points("samples", samples)
    centers = arrays.points("modes", modes)
    if centers.shape[1] != points.shape[1]:
        raise ValueError(
            "`samples` and `modes` must have the same dimension. Received: "
            f"{points.shape[1]} and {centers.shape[1]}"
        )
    if checks.non_negative("min_share", min_share) > 1:
        raise ValueError(f"`min_share` must be in [0, 1]. Received: {min_share}")
    reach = _usual_radius(points.shape[1]) if radius is None else checks.positive("radius", radius)
    limit = reach * checks.positive("std", std)
    nearest, distances = _nearest(points, centers)
    near = distances <= limit
    fair = _proportions(proportions, len(centers))
    counts = np.bincount(nearest[near], minlength=len(centers))
    # A product that is a whole number may round to a little above it.
    needed = np.maximum(min_share * fair * len(points), 1) * (1 - 1e-12)
    return ModeCoverage(
        modes=int((counts >= needed).sum()),
        num_modes=len(centers),
        high_quality=float(near.mean()),
        kl=_kl(_shares(counts, fair), fair),
        reverse_kl=_reverse(counts, fair, len(points)),
        shares=np.bincount(nearest, minlength=len(centers)) / len(points),
        modes_error=_error_of_modes(counts, np.ceil(needed), len(points)),
    )


def classifier_mode_coverage(
    images: Any,
    classifier: Callable[[np.ndarray], Any],
    *,
    num_classes: int = 10,
    proportions: Any = None,
) -> ClassCoverage:
    """Returns the combinations of classes that the channels of images show.

    Each channel is classified by itself; the mode of three channels is
    `100 * red + 10 * green + blue` with ten classes, as in `tfgans.data.StackedImages`. A
    classifier also assigns a class to noise: read the result beside a distance. `kl` and
    `reverse_kl` as in `mode_coverage`, and `modes_error`; perfect samples have a `kl` of about
    `(num_modes - 1) / (2 num)`.

    Args:
        images: Array [num, height, width, channels] in [-1, 1], or uint8.
        classifier: Function from float32 [num, height, width, 1] in [-1, 1] to probabilities or
            logits [num, num_classes], say `DigitsClassifier().probabilities`.
        num_classes: Int of at least 2. Default: 10.
        proportions: Array [num_modes] that sums to 1. Default: all modes alike. Modes of proportion
            0 count neither in `modes` nor, with their samples, in `kl` and `reverse_kl`.

    Raises:
        ValueError: If the images or the outputs of the classifier are not as above, or there would
            be more than a million modes.

    Example:

    >>> images = np.stack([np.full([8, 8, 1], -1.0), np.full([8, 8, 1], 1.0)])
    >>> classify = lambda x: np.eye(2)[(x.mean(axis=(1, 2, 3)) > 0).astype(int)]
    >>> tfgans.metrics.classifier_mode_coverage(images, classify, num_classes=2).counts
    array([1, 1])

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
    modes = np.zeros(len(pixels), np.int64)
    for channel in range(channels):
        classes = _classes(pixels[..., channel : channel + 1], classifier, num_classes)
        modes = modes * num_classes + classes
    counts = np.bincount(modes, minlength=num_modes)
    fair = np.full(num_modes, 1 / num_modes)
    if proportions is not None:
        fair = probabilities("proportions", proportions, num_modes)
    present, fair = counts[fair > 0], fair[fair > 0]
    return ClassCoverage(
        modes=int((present > 0).sum()),
        num_modes=len(present),
        kl=_kl(_shares(present, fair), fair),
        reverse_kl=_reverse(present, fair, len(pixels)),
        counts=counts,
        modes_error=_error_of_modes(present, np.ones(len(present)), len(pixels)),
    )


@dataclasses.dataclass(frozen=True)
class ModeCoverageMetric(Metric):
    """`mode_coverage` of at most 10 000 samples of a mixture of Gaussians."""

    name = "mode_coverage"
    quantities = (
        Quantity("mode_coverage.modes", higher_is_better=True),
        Quantity("mode_coverage.high_quality", high=1.0, higher_is_better=True, is_share=True),
        Quantity("mode_coverage.kl"),
        Quantity("mode_coverage.reverse_kl"),
    )
    reads = "examples"
    max_examples = 10_000
    by_default = True
    requirement = "a mixture of Gaussians as source"

    def suits(self, context: Context) -> bool:
        """Returns whether the real examples come from a mixture of Gaussians."""
        return context.gaussian_modes is not None

    def compute(
        self, real: np.ndarray, fake: np.ndarray, context: Context
    ) -> dict[str, float | Estimate]:
        """Returns the coverage by the samples; the real examples are not read."""
        del real
        if context.gaussian_modes is None:
            raise ValueError(f"{self.name!r} needs {self.requirement}")
        modes, std, proportions = context.gaussian_modes
        coverage = mode_coverage(fake, modes, std, proportions=proportions)
        return {
            "mode_coverage.modes": _estimate(coverage),
            "mode_coverage.high_quality": coverage.high_quality,
            "mode_coverage.kl": coverage.kl,
            "mode_coverage.reverse_kl": coverage.reverse_kl,
        }


@dataclasses.dataclass(frozen=True)
class ClassCoverageMetric(Metric):
    """`classifier_mode_coverage` of at most 10 000 samples, by the extractor's classifier.

    The proportions are the shares of the classes in the data. All modes count alike if the data
    have no classes, or another number of them than the classifier.
    """

    name = "classifier_mode_coverage"
    quantities = (
        Quantity("classifier_mode_coverage.modes", higher_is_better=True),
        Quantity("classifier_mode_coverage.kl"),
        Quantity("classifier_mode_coverage.reverse_kl"),
    )
    reads = "examples"
    max_examples = 10_000
    by_default = True
    requirement = "an extractor that classifies single channels, as DigitsClassifier"

    def suits(self, context: Context) -> bool:
        """Returns whether there is a classifier of single channels, and not too many modes."""
        if context.classify is None or context.num_classes is None or len(context.data_shape) != 3:
            return False
        return context.num_classes ** context.data_shape[-1] <= _MOST_MODES

    def compute(
        self, real: np.ndarray, fake: np.ndarray, context: Context
    ) -> dict[str, float | Estimate]:
        """Returns the coverage by the samples; the real examples are not read."""
        del real
        if context.classify is None or context.num_classes is None:
            raise ValueError(f"{self.name!r} needs {self.requirement}")
        num_modes, shares = context.num_classes ** fake.shape[-1], context.class_shares
        if shares is not None and len(shares) != num_modes:
            shares = None
        coverage = classifier_mode_coverage(
            fake, context.classify, num_classes=context.num_classes, proportions=shares
        )
        return {
            "classifier_mode_coverage.modes": _estimate(coverage),
            "classifier_mode_coverage.kl": coverage.kl,
            "classifier_mode_coverage.reverse_kl": coverage.reverse_kl,
        }


def _classes(
    images: np.ndarray, classifier: Callable[[np.ndarray], Any], num_classes: int
) -> np.ndarray:
    classes = []
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        scores = arrays.points("the classifier's output", classifier(chunk))
        if scores.shape != (len(chunk), num_classes):
            raise ValueError(
                f"`classifier` must give [{len(chunk)}, {num_classes}]. Received shape: "
                f"{scores.shape}"
            )
        classes.append(scores.argmax(axis=1))
    return np.concatenate(classes)


def _usual_radius(dim: int) -> float:
    # The inverse survival function: exact where the share outside is small.
    return float(np.sqrt(stats.chi2.isf(_OUTSIDE, dim)))


def _nearest(points: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    distances, nearest = KDTree(centers).query(points)
    return nearest, distances


def _proportions(proportions: Any, count: int) -> np.ndarray:
    if proportions is None:
        return np.full(count, 1 / count)
    checked = probabilities("proportions", proportions, count)
    if checked.min() == 0:
        raise ValueError("`proportions` must be above 0: leave out what is never drawn")
    return checked


def _estimate(coverage: ModeCoverage | ClassCoverage) -> Estimate:
    """Returns the number of modes with its error."""
    method = "beta-binomial, of each mode"
    return Estimate(coverage.modes, coverage.modes_error, method, high=coverage.num_modes)


def _error_of_modes(counts: np.ndarray, needed: np.ndarray, num: int) -> float:
    """Returns the standard error of the number of modes with at least `needed` of `num` samples."""
    hit = counts > 0
    again = stats.betabinom.sf(needed[hit] - 1, num, counts[hit] + 0.5, num - counts[hit] + 0.5)
    return float(np.sqrt((again * (1 - again)).sum()))


def _shares(counts: np.ndarray, fair: np.ndarray) -> np.ndarray:
    """Returns the shares of the counted samples; without any, all are at the rarest mode."""
    if not counts.sum():
        return (np.arange(len(fair)) == fair.argmin()).astype(np.float64)
    return counts / counts.sum()


def _reverse(counts: np.ndarray, fair: np.ndarray, num: int) -> float:
    # Not counts raised by 1, which few counted samples would make look even.
    raised = _shares(counts, fair) + 1 / num
    return _kl(fair, raised / raised.sum())


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    held = p > 0
    # Rounding may leave it a little below 0.
    return max(0.0, float((p[held] * np.log(p[held] / q[held])).sum()))
