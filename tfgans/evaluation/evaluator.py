"""From a generator and real examples to a record: numbers that carry their protocol."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.copies import Copyable
from tfgans.data import Source
from tfgans.evaluation import classes, record
from tfgans.evaluation.examples import Fake, Real, View
from tfgans.evaluation.extractors import Extractor, as_extractor
from tfgans.evaluation.table import METRICS, default_metrics, measure, needs
from tfgans.reprs import SettingsRepr


class Evaluator(SettingsRepr, Copyable):
    """Measures generators against one set of real examples, which is looked at once.

    A copy, and what a pickle gives, looks at them again.

    Args:
        source: `tfgans.data.Source` of the real examples.
        extractor: `tfgans.evaluation.Extractor`, or a function from float32 examples [num, ...] to
            features [num, dim]. Default: None, the examples themselves.
        metrics: Names out of `tfgans.evaluation.METRICS`. Default: None, all that suit the examples
            and the extractor and are cheap.
        num_samples: Int, generated examples. Default: as many as there are real ones, at most
            50 000; 10 000 where those are drawn without end.
        num_real: Int, real examples. Default: all, at most 50 000; where they are drawn without
            end, as many as are generated. Fewer than all are chosen by the seed.
        split: String, which part of the data `source` is, for the record. Default: "unknown".
        seed: Int, of the generated examples and of the draws of metrics.

    Raises:
        ValueError: If an argument is out of range, a metric is unknown or does not suit the
            examples, or there are too few of them.
    """

    _left_out = ("_views",)
    _views: tuple[View | None, View | None] = (None, None)

    def __init__(
        self,
        source: Source,
        extractor: Any = None,
        *,
        metrics: Sequence[str] | None = None,
        num_samples: int | None = None,
        num_real: int | None = None,
        split: str = "unknown",
        seed: int = 0,
    ) -> None:
        checks.instance("source", source, Source, "tfgans.data.load('digits')")
        self.source = source
        self.extractor: Extractor = as_extractor(extractor)
        self.seed = checks.integer("seed", seed)
        if num_samples is not None:
            checks.int_at_least("num_samples", num_samples, 2)
        self.split = split
        self.real = Real(source, num_real, if_endless=num_samples, seed=self.seed)
        self.num_samples = self.real.num if num_samples is None else num_samples
        first = self.extractor(self.real.first(2))
        self.metrics = tuple(metrics or default_metrics(source, self.extractor, first))
        for name in self.metrics:
            checks.choice("metrics", name, METRICS)
            METRICS[name].check(name, source, self.extractor, first)
        self._needs = needs(self.metrics)

    def evaluate(
        self,
        gan_or_samples: Any,
        *,
        notes: Mapping[str, Any] | None = None,
        path: str | os.PathLike[str] | None = None,
        progress: bool = False,
    ) -> dict[str, Any]:
        """Returns the record of a generator; see `tfgans.evaluation.evaluate`."""
        fake = Fake(gan_or_samples, self.num_samples, self.seed, self.source)
        with record.progress_bar(self._work(fake), shown=progress) as advance:
            look = functools.partial(View, extractor=self.extractor, needs=self._needs)
            real = self._views[0] or look(self.real, advance=advance)
            made = look(fake, advance=advance)
            self._views = (real, made)
            measured: dict[str, Any] = {}
            for name in self.metrics:
                measured |= measure(
                    name,
                    real,
                    made,
                    source=self.source,
                    extractor=self.extractor,
                    seed=self.seed,
                )
                advance(0, name)
        result = record.make(
            measured, self.protocol(), fake.describe() | dict(notes or {}), real.dim
        )
        if path is not None:
            record.write(path, result)
        return result

    def protocol(self, gan: Any = None) -> dict[str, Any]:
        """Returns what decides the numbers beside the model's weights, as JSON values.

        Args:
            gan: What is to be evaluated. If it is conditional, the rule by which its classes are
                drawn is told too. Default: None, it is left out.
        """
        extractor = self.extractor
        rule = classes.describe(gan, classes.shares_for(gan, self.source))
        return {
            **(rule if classes.is_conditional(gan) else {}),
            "seed": self.seed,
            "metrics": list(self.metrics),
            "num_samples": self.num_samples,
            "real": {
                "source": self.source.name,
                "split": self.split,
                "seed": self.source.seed,
                "data_shape": list(self.source.data_shape),
                "num_examples": self.real.num,
                "checksum": self.real.fingerprint(),
            },
            "extractor": {
                "name": extractor.name,
                "checksum": extractor.checksum,
                "resizing": extractor.resizing,
            },
        }

    def neighbours(self, num: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first samples of the last evaluation, and the real example closest to each.

        Raises:
            ValueError: If nothing has been evaluated yet.
        """
        real, made = self._views
        if real is None or made is None:
            raise ValueError("Call `evaluate` before `neighbours`: there are no samples yet")
        samples = made.examples[: checks.positive_int("num", num)]
        return samples, real.closest(samples)[1]

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "num_real": self.real.num}

    def _work(self, fake: Fake) -> int:
        return fake.num + (self.real.num if self._views[0] is None else 0)


def evaluate(
    gan_or_samples: Any,
    source: Source,
    extractor: Any = None,
    *,
    metrics: Sequence[str] | None = None,
    num_samples: int | None = None,
    num_real: int | None = None,
    split: str = "unknown",
    seed: int = 0,
    notes: Mapping[str, Any] | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Returns, and writes, a record of how a generator stands to real examples.

    A record is a dict of JSON values: under "metrics" each number with its 95 % interval, its
    standard error and where that comes from, an estimate of the bias that few examples cause (which
    neither the number nor the interval takes off), and the counts; beside it what decides
    the numbers: real data, split, seed, extractor with checksum and resizing, model with checksum,
    step and averaging, versions. `compare` tells what two records say of each other.

    A conditional model is asked for classes as often as the data have them (`source.class_shares`):
    with all classes alike, as it samples without labels, even a perfect generator would be far from
    data whose classes are not alike. They are drawn from the seed, and the record says so under
    "classes". Of a source without classes the model draws by itself, and it says "uniform".

    Errors of numbers of nearest neighbours are rough: in simulations 1.2 to 2 times too large. With
    fewer than 20 examples there are none.

    The Frechet distance and the Inception score are of all examples, read in chunks; what takes
    pairs is of 10 000 at most, and says so.

    Only numbers through the Inception network of 2015 are called "FID", "KID" and "IS"; others name
    their extractor: "frechet_distance[digits_classifier]".

    Args:
        gan_or_samples: `tfgans.GAN`; an array of examples [num, ...], images uint8 or in [-1, 1];
            or an object with `sample(n, seed)` that returns such arrays. An object with
            `num_classes` is conditional: `sample(n, seed, labels=...)` takes int32 [n].
        source: `tfgans.data.Source` of the real examples.
        extractor: `tfgans.evaluation.Extractor`, or a function from float32 examples [num, ...] to
            features [num, dim]. Default: None, the examples themselves.
        metrics: Names out of `tfgans.evaluation.METRICS`. Default: None, all that suit the examples
            and the extractor and are cheap.
        num_samples: Int, generated examples. Default: as many as there are real ones, at most
            50 000; 10 000 where those are drawn without end.
        num_real: Int, real examples. Default: all, at most 50 000; where they are drawn without
            end, as many as are generated. Fewer than all are chosen by the seed.
        split: String, which part of the data `source` is, for the record. Default: "unknown".
        seed: Int, of the generated examples and of the draws of metrics. Default: 0.
        notes: JSON values by name that the record shall tell of the samples: where they come from,
            how they were resized. Default: None.
        path: JSON file to write, whole or not at all. Default: None.
        progress: Whether to show a bar on stderr. Default: False.

    Raises:
        ValueError: If the examples do not fit each other or the extractor, there are too few for a
            metric, or they are not finite; then nothing is written.

    Example:

    ```python
    source = tfgans.data.load("digits")
    record = tfgans.evaluation.evaluate(gan, source, tfgans.evaluation.DigitsClassifier())
    print(record["metrics"]["frechet_distance[digits_classifier]"]["value"])
    ```
    """
    evaluator = Evaluator(
        source,
        extractor,
        metrics=metrics,
        num_samples=num_samples,
        num_real=num_real,
        split=split,
        seed=seed,
    )
    return evaluator.evaluate(gan_or_samples, notes=notes, path=path, progress=progress)
