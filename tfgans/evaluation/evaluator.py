"""Evaluations of generators against real examples."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfgans import checks, files
from tfgans.copies import Copyable
from tfgans.data import Source
from tfgans.evaluation import classes, costs
from tfgans.evaluation.examples import NUM_COMPARED, Fake, HeldOut, Real, View, as_samples
from tfgans.evaluation.extractors import Extractor, Identity, as_extractor
from tfgans.evaluation.measure import choose, measure, needs, record_name
from tfgans.evaluation.record import OF_SAMPLES, MetricValue, Record
from tfgans.metrics import Context, GaussianModes, Metric
from tfgans.reprs import SettingsRepr
from tfgans.versions import versions

# Relative difference of features between batches of other sizes, by rounding in half precision.
_SAME_FEATURES = 0.01
# Seconds between two lines of progress where stderr is not a terminal.
_LINE_EVERY = 30.0


class Evaluator(SettingsRepr, Copyable):
    """Measures generators against a set of real examples, which is read once.

    A copy, as of a pickle, reads the real examples again.

    Args:
        source: `tfgans.data.Source` of the real examples.
        extractor: `tfgans.evaluation.Extractor`, or a function from float32 examples [num, ...] to
            features [num, dim], those of each example by itself. Default: None, the examples
            themselves.
        metrics: List of names out of `tfgans.evaluation.METRICS` and of `tfgans.metrics.Metric`.
            Default: None, the metrics that suit the examples and the extractor and are cheap.
        num_samples: Int of at least 2, generated examples. Default: as many as there are real
            examples, at most 50 000; 10 000 if the source draws without end. Of an array or a
            finite source, at most as many as it has, chosen by the seed.
        num_real: Int of at least 2, real examples. Default: all, at most 50 000; if the source
            draws without end, as many as are generated. Fewer than all are chosen by the seed.
        split: String, the part of the data that `source` is, for the record. Default: None, the
            split that `tfgans.data.load` read; "unknown" for other sources.
        seed: Int, of the generated examples and of the draws of metrics. Default: 0.

    Attributes:
        metrics: Tuple of `tfgans.metrics.Metric`.

    Raises:
        ValueError: If an argument is out of range, a metric is unknown or does not suit the
            examples, there are too few of them, or the features of an example depend on the others
            or on chance.

    Example:

    ```python
    source = tfgans.data.load("ring")
    evaluator = tfgans.evaluation.Evaluator(
        source, metrics=["frechet_distance", tfgans.metrics.WassersteinMetric()], num_real=300
    )
    for seed in (1, 2):
        print(evaluator.evaluate(source.sample(300, seed=seed)).table())
    ```
    """

    _transient = ("_views",)
    _views: tuple[View | None, View | None] = (None, None)

    def __init__(
        self,
        source: Source,
        extractor: Any = None,
        *,
        metrics: Sequence[str | Metric] | None = None,
        num_samples: int | None = None,
        num_real: int | None = None,
        split: str | None = None,
        seed: int = 0,
    ) -> None:
        checks.instance("source", source, Source, "tfgans.data.load('digits')")
        self.source = source
        self.extractor: Extractor = as_extractor(extractor)
        self.seed = checks.integer("seed", seed)
        if num_samples is not None:
            checks.int_at_least("num_samples", num_samples, 2)
        if split is None:
            split = (source.load_options or {}).get("split", "unknown")
        checks.instance("split", split, str, "'test'")
        self.split = split
        self.real = Real(source, num_real, if_endless=num_samples, seed=self.seed)
        self.num_samples = self.real.num if num_samples is None else num_samples
        self._requires_all_samples = num_samples is not None
        self._context = _context(source, self.extractor, self.real.first(2), self.seed)
        self.metrics = choose(metrics, self._context)
        self._check_counts(min(self.real.num, self.num_samples))

    def evaluate(
        self,
        gan_or_samples: Any,
        *,
        notes: Mapping[str, Any] | None = None,
        path: str | os.PathLike[str] | None = None,
        progress: bool = False,
    ) -> Record:
        """Returns the `Record` of a generator.

        Args:
            gan_or_samples: What is measured; see `tfgans.evaluation.evaluate`.
            notes: Dict of JSON values, added to `record.fake`: where the samples come from, their
                resizing. Default: None.
            path: JSON file to write, atomically. Default: None.
            progress: Bool, whether to show a bar on stderr. Default: False.

        Raises:
            ValueError: If the examples do not match each other or the extractor, there are too few
                for a metric, they are not finite, the notes are no JSON values, or the path is that
                of a folder; then nothing is written.
        """
        added = _checked_notes(notes)
        if path is not None:
            _check_file(path)
        fake = self._samples(gan_or_samples)
        self._check_counts(fake.num)
        protocol, parts = self.protocol(), needs(self.metrics)
        with _progress_bar(self._work(fake), shown=progress) as advance:
            real_view = self._views[0] or View(self.real, self.extractor, parts, advance)
            fake_view = View(fake, self.extractor, parts, advance, real_view)
            self._views = (real_view, fake_view)
            values: dict[str, MetricValue] = {}
            for number, metric in enumerate(self.metrics, 1):
                advance(0, f"{metric.name} ({number} of {len(self.metrics)})")
                values |= measure(
                    metric, real_view, fake_view, context=self._context, extractor=self.extractor
                )
        record = Record(
            metrics=values,
            seed=self.seed,
            real=protocol["real"],
            fake=fake.describe() | added,
            extractor=protocol["extractor"] | {"dim": real_view.dim},
            versions=versions(),
        )
        if path is not None:
            record.save(path)
        return record

    def costs(self, gan_or_samples: Any) -> dict[str, float]:
        """Returns about how many seconds an evaluation takes on this machine, by part.

        Chunks of 256 examples are read and measured, and their times scaled to the number of
        examples. The parts are "training of the classifier" (if the extractor is an
        `ImageClassifier` that is not trained), "real examples" (both of the first evaluation only),
        "generated examples", and the metrics by name, each with the repetitions for its error.

        Args:
            gan_or_samples: See `tfgans.evaluation.evaluate`.

        Example:

        ```python
        source = tfgans.data.load("ring")
        evaluator = tfgans.evaluation.Evaluator(source, num_real=2000)
        print(evaluator.costs(source.sample(2000, seed=1)))
        ```
        """
        return costs.estimate(
            self.metrics,
            self.real,
            self._samples(gan_or_samples),
            extractor=self.extractor,
            context=self._context,
            num_training=self.source.num_examples or self.real.num,
        )

    def protocol(self, gan: Any = None) -> dict[str, Any]:
        """Returns what determines the numbers besides the model's weights, as JSON values.

        Args:
            gan: The model that is to be evaluated. If it is conditional, the result has the rule by
                which its classes are drawn. Default: None, without.
        """
        extractor = self.extractor
        rule = classes.describe(gan, classes.shares_for(gan, self.source))
        parameters = {
            metric.name: metric.parameters for metric in self.metrics if metric.parameters
        }
        return {
            **(rule if classes.is_conditional(gan) else {}),
            "seed": self.seed,
            "metrics": [metric.name for metric in self.metrics],
            **({"parameters": parameters} if parameters else {}),
            "num_samples": self.num_samples,
            "real": {
                "source": self.source.name,
                "split": self.split,
                "seed": self.source.seed,
                "data_shape": list(self.source.data_shape),
                "num_examples": self.real.num,
                "checksum": self.real.checksum,
            },
            "extractor": {
                "name": extractor.name,
                "checksum": extractor.checksum,
                "resizing": extractor.resizing,
                **extractor.details,
            },
        }

    @property
    def directions(self) -> dict[str, bool | None]:
        """Whether a better generator has a larger value, by the name of each number in a record.

        None if neither a larger nor a smaller value is better; see `tfgans.metrics.Quantity`.
        """
        return {
            record_name(metric, quantity, self.extractor): quantity.higher_is_better
            for metric in self.metrics
            for quantity in metric.quantities
        }

    def higher_is_better(self, name: str) -> bool:
        """Returns whether a better generator has a larger value of a number.

        Args:
            name: String, the name of a number in the records of this evaluator.

        Raises:
            ValueError: If the records have no such number, or neither a larger nor a smaller value
                is better.
        """
        directions = self.directions
        higher = directions[checks.choice("name", name, directions)]
        if higher is None:
            raise ValueError(
                f"{name!r} must be a number of which more, or less, is better. Received: a number "
                "that describes the real examples, or is best at their value"
            )
        return higher

    def neighbors(self, num: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first samples of the last evaluation, and the closest real example of each.

        Args:
            num: Int from 1 to 1000, the samples; fewer if fewer were evaluated. Default: 32.

        Raises:
            ValueError: If nothing has been evaluated yet, or `num` is out of range.
        """
        real, fake = self._views
        if real is None or fake is None:
            raise ValueError("Call `evaluate` before `neighbors`: there are no samples yet")
        if checks.positive_int("num", num) > NUM_COMPARED:
            raise ValueError(f"`num` must be at most {NUM_COMPARED}. Received: {num}")
        samples = fake.examples[:num]
        return samples, real.closest(samples)[1]

    def _samples(self, gan_or_samples: Any) -> Fake | HeldOut:
        return as_samples(
            gan_or_samples,
            self.num_samples,
            requires_all=self._requires_all_samples,
            seed=self.seed,
            source=self.source,
        )

    def _check_counts(self, num: int) -> None:
        """Raises ValueError if a metric needs more examples than `num`."""
        for metric in self.metrics:
            if num < metric.min_examples:
                raise ValueError(
                    f"{metric.name!r} needs at least {metric.min_examples} real and generated "
                    f"examples. Received: {num}. Take more, or leave it out of `metrics`"
                )

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "num_real": self.real.num}

    def _work(self, fake: Fake | HeldOut) -> int:
        return fake.num + (self.real.num if self._views[0] is None else 0)


def _checked_notes(notes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns notes for a record, or raises ValueError."""
    checked = dict(notes or {})
    taken = sorted(checked.keys() & (set(OF_SAMPLES) - {"model"}))
    if taken:
        raise ValueError(
            f"`notes` must have other names than what a record states. Received: {', '.join(taken)}"
        )
    try:
        json.dumps(checked, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`notes` must be a dict of JSON values. Received: {error}") from error
    return checked


def _check_file(path: str | os.PathLike[str]) -> None:
    target = files.path(path)
    if target.is_dir():
        raise ValueError(f"`path` must be a JSON file. Received: {target}, which is a folder")
    files.check_folder(target.parent)


def _context(source: Source, extractor: Extractor, examples: np.ndarray, seed: int) -> Context:
    """Returns what metrics are told beside arrays.

    Raises:
        ValueError: If the features of an example depend on the other examples, or on chance.
    """
    features, probabilities = extractor(examples)
    alone = extractor(examples[:1]).features[0]
    difference, size = np.abs(alone - features[0]).max(), np.abs(features).max()
    if difference > _SAME_FEATURES * size:
        raise ValueError(
            "An extractor must give the features of each example by itself, the same at each call. "
            f"Received: {extractor.name!r}, whose features of an example differ by {difference:.3g}"
            " with and without another example. Call networks with `training=False`"
        )
    modes = source.gaussian_modes
    return Context(
        data_shape=tuple(source.data_shape),
        feature_dim=features.shape[1],
        is_pixels=isinstance(extractor, Identity) and len(source.data_shape) == 3,
        has_probabilities=probabilities is not None,
        gaussian_modes=None if modes is None else GaussianModes(*modes),
        classify=None if extractor.num_classes is None else extractor.probabilities,
        num_classes=extractor.num_classes,
        class_shares=source.class_shares,
        seed=seed,
    )


@contextlib.contextmanager
def _progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[int, str], None]]:
    """Yields a function (new examples, what is being done) that moves a bar on stderr."""
    if not shown:
        yield lambda *_: None
        return
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else _LINE_EVERY
    with tqdm(
        total=total, unit="example", dynamic_ncols=True, mininterval=interval, leave=None
    ) as bar:

        def advance(count: int, activity: str) -> None:
            # A metric may take minutes: it is shown at once.
            bar.set_description(activity, refresh=count == 0)
            bar.update(count)

        yield advance


def evaluate(
    gan_or_samples: Any,
    source: Source,
    extractor: Any = None,
    *,
    metrics: Sequence[str | Metric] | None = None,
    num_samples: int | None = None,
    num_real: int | None = None,
    split: str | None = None,
    seed: int = 0,
    notes: Mapping[str, Any] | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Record:
    """Returns, and writes, a record of a generator measured against real examples.

    For each number, a record holds its 95 % interval, its standard error and the method by which
    that is computed, an estimate of the small-sample bias (which is not subtracted), and the counts
    of examples. It also holds what determines the numbers: the real data, the split, the seed, the
    extractor with its checksum and resizing, the model with its checksum, step and averaging, and
    versions.

    The classes of a conditional model are drawn from the seed with the class frequencies of the
    data (`source.class_shares`). With equally frequent classes, which the model samples without
    labels, even a perfect generator would be far from data with unequal class frequencies. The
    record states this under "classes". If the source has no classes, the model draws them, and the
    record says "uniform".

    Standard errors of nearest-neighbor metrics are rough: in simulations 1.2 to 2 times too large.
    With fewer than 20 examples the jackknife gives no errors: only numbers whose error is computed
    in another way, such as shares (binomial), have them.

    The Frechet distance and the Inception score use all examples, read in chunks. Metrics of pairs
    use at most 10 000; the record states the number.

    Only numbers through the Inception network of 2015 are called "FID", "KID" and "IS"; others name
    their extractor: "frechet_distance[digits_classifier]".

    Args:
        gan_or_samples: `tfgans.GAN`; an array of examples [num, ...], images uint8 or in [-1, 1];
            an object with `sample(n, seed)` that returns such arrays, with seeds from 0 to
            2^62 - 1; or a `tfgans.data.Source` of other real examples, as of the test split: about
            what a perfect generator would score, and less where splits have the same number of each
            class, since draws of a generator have not. An object with `num_classes` is conditional:
            `sample(n, seed, labels=...)` takes int32 [n].
        source: `tfgans.data.Source` of the real examples.
        extractor: See `Evaluator`.
        metrics: See `Evaluator`.
        num_samples: See `Evaluator`.
        num_real: See `Evaluator`.
        split: See `Evaluator`.
        seed: See `Evaluator`.
        notes: Dict of JSON values, added to `record.fake`: where the samples come from, their
            resizing. Default: None.
        path: JSON file to write, atomically. Default: None.
        progress: Bool, whether to show a bar on stderr. Default: False.

    Returns:
        A `Record`.

    Raises:
        ValueError: If the examples do not match each other or the extractor, there are too few for
            a metric, or they are not finite; then nothing is written.

    Example:

    ```python
    source = tfgans.data.load("digits")
    gan = tfgans.R3GAN(
        tfgans.networks.mlp_generator((8, 8, 1), latent_dim=8),
        tfgans.networks.mlp_discriminator((8, 8, 1)),
    )
    record = tfgans.evaluation.evaluate(
        gan, source, tfgans.evaluation.DigitsClassifier(), metrics=["frechet_distance"]
    )
    print(record.metrics["frechet_distance[digits_classifier]"].value)
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
