"""Records of evaluations: numbers with the protocol that decides them."""

import dataclasses
import json
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from tfgans import checks, class_names, files
from tfgans.evaluation.intervals import CONFIDENCE, quantile

FORMAT = 1
_NUM_CLASSES = 10
_PARTS = ("extractor", "fake", "metrics", "real", "versions")
# Entries without which a record cannot be compared.
_ENTRIES = {
    "extractor": ("name", "checksum", "resizing"),
    "real": ("source", "split", "num_examples"),
    "fake": ("num_examples",),
}
# The settings that must be equal for two numbers to compare.
_DECISIVE = {
    "extractor": ("name", "checksum", "resizing"),
    "real": ("source", "split", "num_examples", "data_shape", "checksum"),
}
# And those that must be equal for two numbers to be of the same evaluation.
OF_SAMPLES = (
    *("model", "checksum", "step", "ema", "refinement", "num_examples", "seed"),
    *("classes", "class_shares"),
)


class Difference(NamedTuple):
    """A number in two records.

    Attributes:
        first: Float, in the first record.
        second: Float, in the second.
        standard_error: Float, of `second - first`, if the errors are independent; None if either
            is not known.
        degrees: Float, the degrees of freedom of the standard error by Welch and Satterthwaite;
            None for the normal approximation.
    """

    first: float
    second: float
    standard_error: float | None
    degrees: float | None = None

    @property
    def is_clear(self) -> bool | None:
        """Whether 0 lies outside the 95 % interval of the difference; None if it is not known."""
        if self.standard_error is None:
            return None
        return abs(self.second - self.first) > quantile(self.degrees) * self.standard_error


@dataclasses.dataclass(frozen=True)
class MetricValue:
    """A number of an evaluation.

    Attributes:
        value: Float.
        interval: Pair of floats, the 95 % interval; None if the error is not known.
        standard_error: Float; None if it is not known.
        bias: Float, the expected excess of the value that few examples cause; None if it is not
            estimated. Neither the value nor the interval is corrected for it.
        method: String, the method that gives the standard error.
        num_real: Int, real examples that were read. Some metrics, such as the Inception score, do
            not depend on them.
        num_fake: Int, generated examples that the number depends on.
        degrees: Int, the degrees of freedom of the standard error; None if they are many.
        parameters: Dict of JSON values, the parameters of the metric. Default: {}, it has none.
    """

    value: float
    interval: tuple[float, float] | None
    standard_error: float | None
    bias: float | None
    method: str
    num_real: int
    num_fake: int
    degrees: int | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values."""
        return {
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "standard_error": self.standard_error,
            "bias": self.bias,
            "method": self.method,
            "num_real": self.num_real,
            "num_fake": self.num_fake,
            "degrees": self.degrees,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MetricValue":
        """Returns the number that `to_dict` gave.

        Raises:
            KeyError: If an entry is missing.
            ValueError: If an entry is out of range, or not of its type.
        """
        error, bias, degrees = values["standard_error"], values["bias"], values.get("degrees")
        parameters = values.get("parameters", {})
        if degrees is not None:
            checks.positive("degrees", degrees)
        checks.instance("method", values["method"], str, "'binomial'")
        checks.instance("parameters", parameters, dict, "{}")
        return cls(
            value=checks.finite("value", values["value"]),
            interval=_interval(values["interval"]),
            standard_error=None if error is None else checks.non_negative("standard_error", error),
            bias=None if bias is None else checks.finite("bias", bias),
            method=values["method"],
            num_real=checks.int_at_least("num_real", values["num_real"], 0),
            num_fake=checks.int_at_least("num_fake", values["num_fake"], 0),
            degrees=degrees,
            parameters=parameters,
        )


def _interval(ends: list[float] | None) -> tuple[float, float] | None:
    """Returns the checked interval of a number, or raises ValueError."""
    if ends is None:
        return None
    checks.instance("interval", ends, list, "[0.0, 1.0]")
    low, high = (checks.finite("interval", end) for end in ends)
    if low > high:
        raise ValueError(f"`interval` must be [low, high]. Received: {ends}")
    return low, high


@dataclasses.dataclass(frozen=True)
class Record:
    """The result of an evaluation: each number, and everything that decides it.

    Attributes:
        metrics: Dict of `MetricValue` by name.
        seed: Int, of the generated examples and of the draws of metrics.
        real: Dict of JSON values, the real examples: "source", "split", "seed", "data_shape",
            "num_examples", "checksum".
        fake: Dict of JSON values, the generated examples: "num_examples", "classes", "model",
            "checksum", and of a `tfgans.GAN` "step", "ema", "refinement" and "seed".
        extractor: Dict of JSON values: "name", "checksum", "resizing", "dim", and its `details`.
        versions: Dict of version strings by package.
        confidence: Float, of the intervals.

    Example:

    ```python
    source = tfgans.data.load("ring")
    first, second = (
        tfgans.evaluation.evaluate(source.sample(500, seed=seed), source, num_real=500)
        for seed in (1, 2)
    )
    print(first.table())
    print(first.metrics["sliced_wasserstein_distance"].interval)
    print(first.compare(second)["sliced_wasserstein_distance"].is_clear)
    ```
    """

    metrics: Mapping[str, MetricValue]
    seed: int
    real: Mapping[str, Any]
    fake: Mapping[str, Any]
    extractor: Mapping[str, Any]
    versions: Mapping[str, str]
    confidence: float = CONFIDENCE
    # The parts are dicts.
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """Returns the record as JSON values."""
        return {
            "format": FORMAT,
            "metrics": {name: value.to_dict() for name, value in self.metrics.items()},
            "confidence": self.confidence,
            "seed": self.seed,
            "real": dict(self.real),
            "fake": dict(self.fake),
            "extractor": dict(self.extractor),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, values: Any) -> "Record":
        """Returns the record that `to_dict` gave.

        Raises:
            ValueError: If `values` are not those of a record.
        """
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(
                f"A record of `tfgans.evaluation.evaluate` must have the format {FORMAT}. "
                f"Received: {checks.short(values)}"
            )
        missing = [name for name in _PARTS if not isinstance(values.get(name), dict)]
        missing += [name for name in ("seed", "confidence") if name not in values]
        missing += [
            f"{part}.{name}"
            for part, names in _ENTRIES.items()
            for name in names
            if part not in missing and name not in values[part]
        ]
        if missing:
            raise ValueError(
                f"A record must have the parts {', '.join(missing)}. Received a record without them"
            )
        try:
            numbers = {
                name: MetricValue.from_dict(value) for name, value in values["metrics"].items()
            }
            checks.integer("seed", values["seed"])
            checks.positive("confidence", values["confidence"])
            checks.instance("name", values["extractor"]["name"], str, "'identity'")
            checks.instance("checksum", values["extractor"]["checksum"] or "", str, "'5a9f6dd3'")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"The record is damaged: {error!r}") from error
        return cls(
            metrics=numbers,
            seed=values["seed"],
            real=values["real"],
            fake=values["fake"],
            extractor=values["extractor"],
            versions=values["versions"],
            confidence=values["confidence"],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the record as JSON, atomically."""
        files.write_text(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Record":
        """Returns the record of a JSON file.

        Raises:
            ValueError: If the file does not hold a record.
            OSError: If it cannot be read.
        """
        try:
            return cls.from_dict(json.loads(files.path(path).read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{path} is no record of `tfgans.evaluation.evaluate`: {error}"
            ) from error

    def table(self) -> str:
        """Returns the numbers and the protocol as text for a terminal."""
        header = ("metric", "value", f"{self.confidence:.0%} interval", "real", "fake", "error by")
        rows = [header]
        for name, number in self.metrics.items():
            low_high = (
                "" if number.interval is None else "{:.4g} to {:.4g}".format(*number.interval)
            )
            counts = f"{number.num_real}", f"{number.num_fake}"
            rows.append((name, f"{number.value:.4g}", low_high, *counts, number.method))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        real, extractor = self.real, self.extractor
        shape = real.get("data_shape", "unknown")
        hidden = {"checksum", "class_shares", "class_names", "seed"}
        if self.fake.get("classes") is None:
            hidden.add("classes")
        shown = ", ".join(
            f"{name} {value}" for name, value in self.fake.items() if name not in hidden
        )
        return "\n".join(
            [
                *lines,
                "",
                f"real       {real['source']}, split {real['split']}, shape {shape}",
                f"fake       {shown}",
                *_class_line(self.fake),
                f"extractor  {extractor['name']}, resizing {extractor['resizing']}, checksum "
                f"{(extractor['checksum'] or 'unknown')[:16]}",
                *_accuracy(extractor),
                f"seed       {self.seed}",
            ]
        )

    def compare(self, other: "Record") -> dict[str, Difference]:
        """Returns the differences of the numbers that both records have, by name.

        Two numbers do not compare if the extractor, the resizing, the data set, the split, the
        counts of examples, the rule for the classes of a conditional model or the version of tfgans
        differ: a Frechet distance falls with the number of examples alone. There is a warning if
        they may not: the versions of other packages differ, the extractor has no checksum, or only
        one model is averaged.

        The errors are those of the examples drawn from a trained model. They do not contain the
        differences between trainings with different seeds: for that, train several models.

        Args:
            other: `Record`.

        Raises:
            ValueError: If the records do not compare, with the reasons; or share no metric.
        """
        reasons = self.incompatibilities(other)
        if reasons:
            raise ValueError(
                f"The records are not comparable: {'; '.join(reasons)}. Evaluate both with the "
                "same protocol"
            )
        for doubt in self.possible_differences(other):
            warnings.warn(f"The records may not compare: {doubt}", stacklevel=2)
        shared = [name for name in self.metrics if name in other.metrics]
        return {name: _difference(self.metrics[name], other.metrics[name]) for name in shared}

    def incompatibilities(self, other: "Record") -> list[str]:
        """Returns why the numbers of two records do not compare; nothing if they do.

        Args:
            other: `Record`.
        """
        checks.instance("other", other, Record, "tfgans.evaluation.Record.load(path)")
        reasons = _other_protocol(self, other) + _other_classes(self.fake, other.fake)
        versions = self.versions.get("tfgans"), other.versions.get("tfgans")
        if versions[0] != versions[1]:
            reasons.append(_differs("the version of tfgans, of which the metrics are,", *versions))
        shared = [name for name in self.metrics if name in other.metrics]
        for name in shared:
            counts = [
                (numbers[name].num_real, numbers[name].num_fake)
                for numbers in (self.metrics, other.metrics)
            ]
            if counts[0] != counts[1]:
                reasons.append(
                    f"{name} is of {counts[0]} and of {counts[1]} real and fake examples"
                )
        reasons += _other_parameters(self, other)
        return reasons if shared else [*reasons, "they have no metric in common"]

    def possible_differences(self, other: "Record") -> list[str]:
        """Returns what may make a difference between two records beside their models.

        Args:
            other: `Record`.
        """
        packages = {*self.versions, *other.versions} - {"tfgans", "commit"}
        doubts = [
            _differs(name, self.versions.get(name), other.versions.get(name))
            for name in sorted(packages)
            if self.versions.get(name) != other.versions.get(name)
        ]
        commits = [record.versions.get("commit") for record in (self, other)]
        if None not in commits and commits[0] != commits[1]:
            doubts.append(_differs("the commit of tfgans", *commits))
        if self.real["split"] == "unknown":
            doubts.append("neither says which split of the data it saw")
        if self.extractor["checksum"] is None:
            doubts.append(f"the extractor {self.extractor['name']} has no checksum")
        if (self.fake.get("ema") is None) != (other.fake.get("ema") is None):
            doubts.append("only one of the models is averaged (ema)")
        resized = [record.fake.get("samples_resizing", "none") for record in (self, other)]
        if resized[0] != resized[1]:
            doubts.append(_differs("the resizing of the samples", *resized))
        return doubts

    def merge(self, other: "Record") -> "Record":
        """Returns a record with the numbers of both: of those that both have, the other's.

        Args:
            other: `Record` of the same samples by the same protocol.

        Raises:
            ValueError: If the samples or what decides the numbers differ, or is not known, with the
                reasons.
        """
        checks.instance("other", other, Record, "tfgans.evaluation.Record.load(path)")
        reasons = _other_protocol(self, other)
        values: dict[str, tuple[Any, Any]] = {
            "seed": (self.seed, other.seed),
            "confidence": (self.confidence, other.confidence),
        }
        for name in OF_SAMPLES:
            values[f"fake {name}"] = (self.fake.get(name), other.fake.get(name))
        for name in sorted({*self.versions, *other.versions} - {"commit"}):
            values[name] = (self.versions.get(name), other.versions.get(name))
        reasons += [_differs(name, *pair) for name, pair in values.items() if pair[0] != pair[1]]
        reasons += _other_parameters(self, other)
        if self.fake.get("checksum") is None:
            reasons.append("the samples have no checksum")
        if self.extractor["checksum"] is None:
            reasons.append(f"the extractor {self.extractor['name']} has no checksum")
        if reasons:
            raise ValueError(
                f"The records are of different evaluations: {'; '.join(reasons)}. Evaluate all "
                "metrics at once, or save the record in another file"
            )
        return dataclasses.replace(
            self, metrics={**self.metrics, **other.metrics}, fake={**self.fake, **other.fake}
        )


def _class_line(fake: Mapping[str, Any]) -> list[str]:
    """Returns a line with the share of each class that has a name, the largest first beyond ten."""
    shares, names = fake.get("class_shares"), fake.get("class_names")
    if shares is None or names is None:
        return []
    items = list(zip(class_names.fill(len(shares), names), shares, strict=True))
    if len(items) > _NUM_CLASSES:
        items = sorted(items, key=lambda item: -item[1])[:_NUM_CLASSES]
    more = f", and {len(shares) - len(items)} more" if len(shares) > len(items) else ""
    return [f"classes    {', '.join(f'{name} {share:.3g}' for name, share in items)}{more}"]


def _accuracy(extractor: Mapping[str, Any]) -> list[str]:
    """Returns the line of a table that tells how good an `ImageClassifier` is; none of others."""
    if not {"accuracy", "num_held_out", "held_out", "data", "data_checksum"} <= extractor.keys():
        return []
    return [
        f"           right on {extractor['accuracy']:.2%} of {extractor['num_held_out']} held-out "
        f"images ({extractor['held_out']} of {extractor['data']}, checksum "
        f"{extractor['data_checksum'][:16]})"
    ]


def _differs(name: str, first: Any, second: Any) -> str:
    return f"{name} is {first} in the first and {second} in the second"


def _other_protocol(first: Record, second: Record) -> list[str]:
    """Returns the reasons why numbers of the two records mean different things."""
    return [
        _differs(f"{part} {name}", getattr(first, part).get(name), getattr(second, part).get(name))
        for part, names in _DECISIVE.items()
        for name in names
        if getattr(first, part).get(name) != getattr(second, part).get(name)
    ]


def _other_parameters(first: Record, second: Record) -> list[str]:
    """Returns the numbers that both records have, but of metrics with other parameters."""
    pairs = {
        name: (dict(first.metrics[name].parameters), dict(second.metrics[name].parameters))
        for name in first.metrics
        if name in second.metrics
    }
    return [
        _differs(f"the parameters of {name}", *pair)
        for name, pair in pairs.items()
        if pair[0] != pair[1]
    ]


def _other_classes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Returns why the rules by which classes are drawn do not compare; None means no classes."""
    # Records from before the rule do not say whether the model was conditional.
    rules = [fake.get("classes", "unknown") for fake in (first, second)]
    if None in rules:
        return []
    if rules[0] != rules[1]:
        return [f"classes of the samples are drawn by: {rules[0]}, and: {rules[1]}"]
    if first.get("class_shares") != second.get("class_shares"):
        return ["classes of the samples are drawn by the shares of data that are labeled otherwise"]
    return []


def _difference(first: MetricValue, second: MetricValue) -> Difference:
    if first.standard_error is None or second.standard_error is None:
        return Difference(first.value, second.value, None)
    error = math.hypot(first.standard_error, second.standard_error)
    return Difference(first.value, second.value, error, _degrees(first, second))


def _degrees(first: MetricValue, second: MetricValue) -> float | None:
    """Returns the degrees of freedom of the error of a difference (Welch 1947)."""
    squares = [(number.standard_error or 0.0) ** 2 for number in (first, second)]
    spread = sum(
        square**2 / number.degrees
        for square, number in zip(squares, (first, second), strict=True)
        if number.degrees is not None
    )
    return sum(squares) ** 2 / spread if spread else None
