"""Metrics by name, and their numbers with errors and intervals."""

import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from tfgans import checks
from tfgans.evaluation.examples import NUM_COMPARED, Needs, View
from tfgans.evaluation.extractors import Extractor
from tfgans.evaluation.intervals import at_least_binomial, interval, jackknife
from tfgans.evaluation.record import MetricValue
from tfgans.metrics import (
    ClassCoverageMetric,
    Context,
    Estimate,
    FrechetMetric,
    InceptionScoreMetric,
    KernelMetric,
    Metric,
    ModeCoverageMetric,
    MSSSIMMetric,
    NearCopiesMetric,
    PrecisionRecallMetric,
    Quantity,
    SlicedWassersteinMetric,
    WassersteinMetric,
)
from tfgans.metrics.arrays import NotFiniteError
from tfgans.metrics.metric import Reads

_ALL = 2**62
# In the order of a record: the first number decides which model is the best by default.
_KINDS: tuple[type[Metric], ...] = (
    FrechetMetric,
    KernelMetric,
    PrecisionRecallMetric,
    InceptionScoreMetric,
    ClassCoverageMetric,
    ModeCoverageMetric,
    MSSSIMMetric,
    NearCopiesMetric,
    SlicedWassersteinMetric,
    WassersteinMetric,
)
# All metrics of `tfgans.metrics` by name.
METRICS: dict[str, type[Metric]] = {kind.name: kind for kind in _KINDS}


def choose(chosen: Sequence[str | Metric] | None, context: Context) -> tuple[Metric, ...]:
    """Returns the metrics of an evaluation.

    Args:
        chosen: Names out of `METRICS` and metrics; None for all that suit the examples and are
            measured by default.
        context: What is known about the examples.

    Raises:
        ValueError: If the list is empty, a name is unknown, a metric does not suit the examples, or
            two metrics share a name.
    """
    if chosen is None:
        known = [metric() for metric in METRICS.values()]
        return tuple(metric for metric in known if metric.is_default(context))
    if isinstance(chosen, str | Metric):
        raise ValueError(f"`metrics` must be a list. Received: {checks.short(chosen)}")
    if not chosen:
        raise ValueError(
            f"`metrics` must have at least one of {', '.join(METRICS)}. Received: "
            f"{checks.short(chosen)}. Leave it out for all that suit the examples"
        )
    result = []
    for item in chosen:
        metric = item
        if not isinstance(metric, Metric):
            _check_is_no_quantity(metric)
            metric = METRICS[checks.choice("metrics", metric, METRICS)]()
        if metric.max_examples and metric.reads in ("statistics", "probabilities"):
            raise ValueError(
                f"{metric.name!r} reads the {metric.reads} of all examples, so it must have no "
                f"`max_examples`. Received: {metric.max_examples}"
            )
        checks.choice(f"reads of {metric.name}", metric.reads, typing.get_args(Reads))
        if not metric.suits(context):
            raise ValueError(
                f"{metric.name!r} needs {metric.requirement}. Received examples of shape "
                f"{context.data_shape} with features of dimension {context.feature_dim}. Leave it "
                "out of `metrics`"
            )
        if metric.reads == "probabilities" and not context.has_probabilities:
            raise ValueError(
                f"{metric.name!r} reads probabilities, which the extractor does not give. Use a "
                "classifier as extractor"
            )
        result.append(metric)
    names = [quantity.name for metric in result for quantity in metric.quantities]
    if len(set(names)) < len(names):
        raise ValueError(f"`metrics` must have different names. Received: {', '.join(names)}")
    return tuple(result)


def _check_is_no_quantity(name: object) -> None:
    """Raises ValueError if a name is that of a number of a metric of another name."""
    for kind in _KINDS:
        for quantity in kind.quantities:
            if name != kind.name and name in (quantity.name, quantity.official_name):
                raise ValueError(
                    f"`metrics` must be names of metrics. Received: {name!r}, a number of "
                    f"{kind.name!r}. Pass {kind.name!r}"
                )


def needs(chosen: Sequence[Metric]) -> Needs:
    """Returns the parts of each set of examples that metrics read."""
    limits: dict[str, list[int]] = {}
    for metric in chosen:
        limits.setdefault(metric.reads, []).append(metric.max_examples or _ALL)
    return Needs(
        statistics="statistics" in limits,
        features=max(limits.get("features", [0])),
        probabilities="probabilities" in limits,
        examples=max([NUM_COMPARED, *limits.get("examples", [])]),
    )


def measure(
    metric: Metric, real: View, fake: View, *, context: Context, extractor: Extractor
) -> dict[str, MetricValue]:
    """Returns the numbers of a metric by the names that they have in a record."""
    num_real, num_fake = real.count(metric), fake.count(metric)
    quantities = {quantity.name: quantity for quantity in metric.quantities}
    whole = metric.compute(real.read(metric), fake.read(metric), context)
    if not isinstance(whole, Mapping) or whole.keys() != quantities.keys():
        raise ValueError(
            f"The metric {metric.name!r} must return {', '.join(quantities)}. Received: "
            f"{', '.join(whole) if isinstance(whole, Mapping) else checks.short(whole)}"
        )
    whole = {name: _checked(name, number) for name, number in whole.items()}
    values: dict[str, MetricValue] = {}
    for name, estimate in _estimates(metric, whole, real, fake, context).items():
        quantity = quantities[name]
        if quantity.is_share:
            jackknifed = not isinstance(whole[name], Estimate)
            num = min(num_real, num_fake) if jackknifed else num_fake
            estimate = at_least_binomial(estimate, num)
        values[record_name(metric, quantity, extractor)] = MetricValue(
            value=estimate.value,
            interval=interval(estimate, quantity),
            standard_error=estimate.standard_error,
            bias=estimate.bias,
            method=estimate.method,
            num_real=num_real,
            num_fake=num_fake,
            degrees=None if estimate.standard_error is None else estimate.degrees,
            parameters=metric.parameters,
        )
    return values


def record_name(metric: Metric, quantity: Quantity, extractor: Extractor) -> str:
    """Returns the name of a number in a record: official, or with that of the extractor."""
    if not metric.reads_features:
        return quantity.name
    if extractor.is_inception_2015 and quantity.official_name is not None:
        return quantity.official_name
    return f"{quantity.name}[{extractor.name}]"


def short_name(name: str) -> str:
    """Returns the name of a number in a record without that of the extractor.

    Example:

    >>> tfgans.evaluation.short_name("recall[digits_classifier]")
    'recall'
    """
    return name.partition("[")[0]


def quantity_of(name: str) -> Quantity | None:
    """Returns the meaning of a number in a record; None if it is of no metric of the library.

    Args:
        name: String, its name in the record: "FID", "recall", "recall[digits_classifier]".

    Example:

    >>> tfgans.evaluation.quantity_of("recall[digits_classifier]").higher_is_better
    True
    """
    quantities = [quantity for kind in _KINDS for quantity in kind.quantities]
    plain = short_name(name)
    return next((each for each in quantities if plain in (each.name, each.official_name)), None)


def _checked(name: str, number: Any) -> float | Estimate:
    """Returns a number of a metric, or its estimate, as floats of Python.

    Raises:
        NotFiniteError: If the number is not finite.
        ValueError: If it is not a number, or its error or bias is not finite.
    """
    estimate = number if isinstance(number, Estimate) else Estimate(number, None, "")
    parts: dict[str, Any] = {"value": estimate.value}
    for part in ("standard_error", "bias", "center"):
        if getattr(estimate, part) is not None:
            parts[part] = getattr(estimate, part)
    for part, value in parts.items():
        try:
            parts[part] = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The {part} of {name!r} must be a number. Received: {checks.short(value)}"
            ) from error
    if not math.isfinite(parts["value"]):
        raise NotFiniteError(f"{name} is not finite: {parts['value']}")
    is_finite = all(map(math.isfinite, parts.values()))
    has_degrees = estimate.degrees is None or estimate.degrees > 0
    if not is_finite or parts.get("standard_error", 0.0) < 0 or not has_degrees:
        raise ValueError(
            f"The estimate of {name!r} must be finite, with a standard error of at least 0 and "
            f"degrees of freedom above 0, or None. Received: {number}"
        )
    return estimate._replace(**parts) if isinstance(number, Estimate) else parts["value"]


def _estimates(
    metric: Metric,
    whole: Mapping[str, float | Estimate],
    real: View,
    fake: View,
    context: Context,
) -> dict[str, Estimate]:
    """Returns all numbers with errors: of those without, by the jackknife."""
    numbers = {name: value for name, value in whole.items() if not isinstance(value, Estimate)}

    def without(group: int) -> dict[str, float]:
        computed: Any = metric.compute(
            real.read(metric, without=group), fake.read(metric, without=group), context
        )
        return {name: computed[name] for name in numbers}

    num = min(real.count(metric), fake.count(metric))
    jackknifed = jackknife(numbers, without, num=num) if numbers else {}
    return {
        name: value if isinstance(value, Estimate) else jackknifed[name]
        for name, value in whole.items()
    }
