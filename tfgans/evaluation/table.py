"""The metrics of an evaluation by name: what each needs, and how its numbers are called."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfgans.data import Source
from tfgans.data.synthetic import GaussianMixture
from tfgans.evaluation.digits_classifier import DigitsClassifier
from tfgans.evaluation.examples import NUM_COMPARED, NUM_KEPT, Needs, View
from tfgans.evaluation.extractors import Extractor, Features
from tfgans.evaluation.intervals import (
    Measurement,
    at_least_binomial,
    groups_of,
    jackknife,
    spread,
)
from tfgans.metrics.frechet import frechet_distance_from_statistics
from tfgans.metrics.inception_score import inception_score
from tfgans.metrics.kernel import kernel_distance
from tfgans.metrics.modes import classifier_mode_coverage, mode_coverage
from tfgans.metrics.ms_ssim import ms_ssim
from tfgans.metrics.neighbours import precision_recall
from tfgans.metrics.wasserstein import sliced_wasserstein_distance, wasserstein_distance

# Only through the Inception network of 2015 do the numbers bear these names.
_CANONICAL = {"frechet_distance": "FID", "kernel_distance": "KID", "inception_score": "IS"}
_SHARES = frozenset(
    {
        *("precision", "recall", "coverage", "near_copies", "mode_coverage.high_quality"),
        *("ms_ssim", "ms_ssim(real)"),
    }
)
_HIGHER = frozenset(
    {
        *("precision", "recall", "density", "coverage", "inception_score", "IS"),
        *("mode_coverage.modes", "mode_coverage.high_quality", "classifier_mode_coverage.modes"),
    }
)
# Its sums have dim^2 entries: beyond this dimension it is measured only when it is asked for.
_SQUARE, _MOST_DIM = "frechet_distance", 4096
_MS_SSIM_BATCHES, _MS_SSIM_BATCH = 5, 64
# Exact transport takes n^3 operations and n^2 memory.
_MOST_TRANSPORTED = 2000


@dataclasses.dataclass(frozen=True)
class Job:
    """What a metric is given: both sides and how to look at them."""

    real: View
    fake: View
    source: Source
    extractor: Extractor
    seed: int


@dataclasses.dataclass(frozen=True)
class Metric:
    """A row of the table.

    Args:
        compute: Function from a `Job` to measurements by name.
        needs: What the examples or the extractor must be, for the error.
        suits: Function from the source, the extractor and some features to whether they are.
        through_extractor: Whether the numbers name the extractor.
        most: Int, the examples that are looked at, if not all.
        all_real: Whether all real examples are looked at whatever `most` is.
        by_default: Whether it is measured unless metrics are named.
    """

    compute: Callable[[Job], dict[str, Measurement]]
    needs: str = ""
    suits: Callable[[Source, Extractor, Features], bool] = lambda *_: True
    through_extractor: bool = False
    most: int | None = None
    all_real: bool = False
    by_default: bool = True

    def check(self, name: str, source: Source, extractor: Extractor, features: Features) -> None:
        """Raises ValueError unless the metric suits the examples and the extractor."""
        if not self.suits(source, extractor, features):
            raise ValueError(
                f"{name!r} needs {self.needs}. Received: {source.name!r} with examples of shape "
                f"{source.data_shape}, and the extractor {extractor.name!r}. Leave it out of "
                "`metrics`"
            )


def measure(
    name: str, real: View, fake: View, *, source: Source, extractor: Extractor, seed: int
) -> dict[str, dict[str, Any]]:
    """Returns the numbers of one metric: JSON values by the name that the number may bear."""
    metric, job = METRICS[name], Job(real, fake, source, extractor, seed)
    most = metric.most or max(real.num, fake.num)
    num_real = real.num if metric.all_real else min(real.num, most)
    counts = {"num_real": num_real, "num_fake": min(fake.num, most)}
    found = {}
    for quantity, measurement in metric.compute(job).items():
        interval = measurement.interval(*_range(quantity))
        if not np.isfinite(measurement.value):
            raise ValueError(f"{quantity} is not finite: {measurement.value}")
        entry = {
            "value": measurement.value,
            # As JSON gives it back.
            "interval": None if interval is None else list(interval),
            "standard_error": measurement.standard_error,
            "bias": measurement.bias,
            "how": measurement.how,
        }
        found[_called(quantity, metric, job.extractor)] = entry | counts
    return found


def default_metrics(source: Source, extractor: Extractor, features: Features) -> list[str]:
    """Returns the names of the metrics that suit the source and the extractor and are cheap."""
    return [
        name
        for name, metric in METRICS.items()
        if metric.by_default
        and metric.suits(source, extractor, features)
        and not (name == _SQUARE and features.features.shape[1] > _MOST_DIM)
    ]


def needs(names: Sequence[str]) -> Needs:
    """Returns what metrics need of each side."""
    chosen = [METRICS[name] for name in names]
    sizes = [[one.most or 0 for one in chosen if one.through_extractor == way] for way in (1, 0)]
    return Needs(
        statistics=_SQUARE in names,
        features=max(sizes[0], default=0),
        examples=max([NUM_COMPARED, *sizes[1]]),
    )


def higher_is_better(name: str) -> bool:
    """Returns whether of a number in a record the larger is the better one."""
    return name.partition("[")[0] in _HIGHER


def _range(quantity: str) -> tuple[float, float]:
    """Returns the least and the most that a quantity can be."""
    least = -np.inf if quantity == "kernel_distance" else 1 if quantity == "inception_score" else 0
    return least, 1 if quantity in _SHARES else np.inf


def _called(quantity: str, metric: Metric, extractor: Extractor) -> str:
    if not metric.through_extractor:
        return quantity
    if extractor.is_inception_2015 and quantity in _CANONICAL:
        return _CANONICAL[quantity]
    return f"{quantity}[{extractor.name}]"


def _frechet(job: Job) -> dict[str, Measurement]:
    def distance(without: int | None = None) -> dict[str, float]:
        sides = [side.merged(without) for side in (job.real, job.fake)]
        pairs = [(side.mean, side.covariance) for side in sides]
        return {"frechet_distance": frechet_distance_from_statistics(*pairs)}

    return jackknife(distance(), distance, num=min(job.real.num, job.fake.num))


def _kernel(job: Job) -> dict[str, Measurement]:
    value, error = kernel_distance(job.real.features, job.fake.features)
    return {"kernel_distance": Measurement(value, error, "variance of the U-statistic")}


def _inception_score(job: Job) -> dict[str, Measurement]:
    mean, std = inception_score(job.fake.probabilities)
    how = f"10 splits, whose spread is {std:.4g}"
    return {"inception_score": Measurement(mean, std / 10**0.5, how)}


def _ms_ssim(job: Job) -> dict[str, Measurement]:
    found = {}
    for name, view in (("ms_ssim", job.fake), ("ms_ssim(real)", job.real)):
        images = view.examples[: _MS_SSIM_BATCHES * _MS_SSIM_BATCH]
        batches = np.array_split(images, max(1, len(images) // _MS_SSIM_BATCH))
        how = f"{len(batches)} batches of {len(batches[0])}"
        found[name] = spread([ms_ssim(batch) for batch in batches], how)
    return found


def _jackknifed(
    real: np.ndarray, fake: np.ndarray, numbers: Callable[[Any, Any], Mapping[str, float]]
) -> dict[str, Measurement]:
    """Returns numbers of two arrays of rows, with errors from leaving groups of rows out."""

    def without(group: int) -> dict[str, float]:
        return dict(numbers(*(rows[groups_of(len(rows)) != group] for rows in (real, fake))))

    num = min(len(real), len(fake))
    found = jackknife(dict(numbers(real, fake)), without, num=num)
    return {
        name: at_least_binomial(one, num) if name in _SHARES else one for name, one in found.items()
    }


def _precision_recall(job: Job) -> dict[str, Measurement]:
    return _jackknifed(job.real.features, job.fake.features, precision_recall)


def _rows(view: View, most: int | None = None) -> np.ndarray:
    return view.examples[:most].reshape(len(view.examples[:most]), -1)


def _sliced(job: Job) -> dict[str, Measurement]:
    def numbers(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        distance = sliced_wasserstein_distance(real, fake, seed=job.seed)
        return {"sliced_wasserstein_distance": distance}

    return _jackknifed(_rows(job.real), _rows(job.fake), numbers)


def _exact(job: Job) -> dict[str, Measurement]:
    def numbers(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        return {"wasserstein_distance": wasserstein_distance(real, fake)}

    real, fake = (_rows(view, _MOST_TRANSPORTED) for view in (job.real, job.fake))
    return _jackknifed(real, fake, numbers)


def _modes(job: Job) -> dict[str, Measurement]:
    mixture: Any = job.source

    def numbers(_: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        found = mode_coverage(fake, mixture.modes, mixture.std, proportions=mixture.proportions)
        names = ("modes", "high_quality", "kl", "reverse_kl")
        return {f"mode_coverage.{name}": getattr(found, name) for name in names}

    return _jackknifed(_rows(job.real), _rows(job.fake), numbers)


def _class_modes(job: Job) -> dict[str, Measurement]:
    classifier: Any = job.extractor

    def numbers(_: np.ndarray, fake: np.ndarray) -> dict[str, float]:
        found = classifier_mode_coverage(fake, classifier.probabilities)
        names = ("modes", "kl", "reverse_kl")
        return {f"classifier_mode_coverage.{name}": getattr(found, name) for name in names}

    return _jackknifed(job.real.examples, job.fake.examples, numbers)


def _copies(job: Job) -> dict[str, Measurement]:
    samples = job.fake.examples[:NUM_COMPARED]
    distances, _ = job.real.closest(samples)
    share = float((distances <= job.real.copy_distance).mean())
    found = Measurement(share, None, "binomial, of samples against all real; chance gives 0.01")
    return {"near_copies": at_least_binomial(found, len(samples))}


METRICS: dict[str, Metric] = {
    "frechet_distance": Metric(_frechet, through_extractor=True),
    "kernel_distance": Metric(_kernel, through_extractor=True, most=NUM_KEPT),
    "precision_recall": Metric(_precision_recall, through_extractor=True, most=NUM_KEPT),
    "inception_score": Metric(
        _inception_score,
        "an extractor that gives probabilities",
        lambda *given: given[2].probabilities is not None,
        through_extractor=True,
    ),
    "classifier_mode_coverage": Metric(
        _class_modes,
        "the extractor DigitsClassifier",
        lambda _, extractor, __: isinstance(extractor, DigitsClassifier),
        most=NUM_KEPT,
    ),
    "mode_coverage": Metric(
        _modes,
        "a mixture of Gaussians as source",
        lambda source, *_: isinstance(source, GaussianMixture),
        most=NUM_KEPT,
    ),
    "ms_ssim": Metric(
        _ms_ssim,
        "images of at least 8x8 pixels",
        lambda source, *_: len(source.data_shape) == 3 and min(source.data_shape[:2]) >= 8,
        most=_MS_SSIM_BATCHES * _MS_SSIM_BATCH,
    ),
    "near_copies": Metric(_copies, most=NUM_COMPARED, all_real=True),
    "sliced_wasserstein_distance": Metric(
        _sliced, "vectors", lambda source, *_: len(source.data_shape) == 1, most=NUM_KEPT
    ),
    "wasserstein_distance": Metric(_exact, most=_MOST_TRANSPORTED, by_default=False),
}
