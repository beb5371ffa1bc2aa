"""What two records say of each other, if anything."""

import math
import warnings
from typing import Any, NamedTuple

from tfgans.evaluation import record
from tfgans.evaluation.intervals import QUANTILE

# What must be equal for two numbers to mean the same.
_DECISIVE = {
    "extractor": ("name", "checksum", "resizing"),
    "real": ("source", "split", "num_examples", "data_shape", "checksum"),
}


class Difference(NamedTuple):
    """One number in two records.

    Attributes:
        first: Float, in the first record.
        second: Float, in the second.
        standard_error: Float, of `second - first`, the errors taken for independent; None where one
            of them is not known.
    """

    first: float
    second: float
    standard_error: float | None

    @property
    def is_clear(self) -> bool | None:
        """Whether the 95 % interval of the difference leaves 0 out; None where it is not known."""
        if self.standard_error is None:
            return None
        return abs(self.second - self.first) > QUANTILE * self.standard_error


def compare(record_a: dict[str, Any], record_b: dict[str, Any]) -> dict[str, Difference]:
    """Returns the differences of two records by metric, if their numbers can be compared.

    It refuses where another extractor, resizing, data set, split, count of examples or rule for the
    classes of a conditional model makes two numbers mean different things: a Frechet distance falls
    with the number of examples alone. It warns where they may: other versions, an extractor without
    checksum, another averaging.

    The errors are of the examples drawn from one trained model. They say nothing of another
    training with another seed: for that, train several.

    Args:
        record_a: Record of `tfgans.evaluation.evaluate`.
        record_b: Another.

    Raises:
        ValueError: If the records do not compare, and why; or they share no metric.

    Example:

    ```python
    first, second = (tfgans.evaluation.evaluate(gan, source, extractor) for gan in (one, other))
    print(tfgans.evaluation.compare(first, second)["frechet_distance[digits_classifier]"].is_clear)
    ```
    """
    a, b = record.checked(record_a), record.checked(record_b)
    reasons = [
        f"{part} {name} is {a[part].get(name)} in one and {b[part].get(name)} in the other"
        for part, names in _DECISIVE.items()
        for name in names
        if a[part].get(name) != b[part].get(name)
    ]
    reasons += _other_classes(a["fake"], b["fake"])
    shared = [name for name in a["metrics"] if name in b["metrics"]]
    for name in shared:
        counts = [
            (one["metrics"][name]["num_real"], one["metrics"][name]["num_fake"]) for one in (a, b)
        ]
        if counts[0] != counts[1]:
            reasons.append(f"{name} is of {counts[0]} and of {counts[1]} real and fake examples")
    if not shared:
        reasons.append("they have no metric in common")
    if reasons:
        raise ValueError(f"The records do not compare: {'; '.join(reasons)}. Evaluate both alike")
    for doubt in _doubts(a, b):
        warnings.warn(f"The records may not compare: {doubt}", stacklevel=2)
    return {name: _difference(a["metrics"][name], b["metrics"][name]) for name in shared}


def _other_classes(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Returns why the rules by which classes were drawn do not compare; None is without classes."""
    # Records of before there was a rule do not say whether the model was conditional.
    rules = [one.get("classes", "unknown") for one in (a, b)]
    if None in rules:
        return []
    if rules[0] != rules[1]:
        return [f"classes of the samples are drawn by: {rules[0]}, and: {rules[1]}"]
    if a.get("class_shares") != b.get("class_shares"):
        return [
            "classes of the samples are drawn by the shares of data that are labelled otherwise"
        ]
    return []


def _doubts(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    doubts = [
        f"{name} is {a['versions'].get(name)} in one and {version} in the other"
        for name, version in b["versions"].items()
        if a["versions"].get(name) != version
    ]
    if a["real"]["split"] == "unknown":
        doubts.append("neither says which split of the data it saw")
    if a["extractor"]["checksum"] is None:
        doubts.append(f"the extractor {a['extractor']['name']} has no checksum")
    if (a["fake"].get("ema") is None) != (b["fake"].get("ema") is None):
        doubts.append("one model is averaged (ema), the other is not")
    return doubts


def _difference(first: dict[str, Any], second: dict[str, Any]) -> Difference:
    errors = [one["standard_error"] for one in (first, second)]
    error = None if None in errors else math.hypot(*errors)
    return Difference(first["value"], second["value"], error)
