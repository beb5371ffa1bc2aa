"""What goes wrong in the training of a GAN: a function a symptom, of numbers alone."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tfgans import checks
from tfgans.callbacks.readings import Reading
from tfgans.types import Config

# A component of a mixture of k is hardly used when its weight is under 1 / (20 k).
_STARVED = 20
NOT_FINITE = "not finite"
PENALTY = "exploding penalty"
_CULPRITS = {
    "discriminator_loss": "the discriminator",
    "real_logits": "the discriminator",
    "fake_logits": "the discriminator",
    "penalty": "the discriminator's penalty",
    "generator_loss": "the generator",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """A symptom that was seen.

    Attributes:
        symptom: String, its name; of a component, with the component's.
        value: Float, what was seen.
        limit: Float, where the symptom begins.
        clause: String, what was seen and what to change; `say` makes it a sentence.
        cured_by_going_back: Bool, whether an earlier state at a lower learning rate may help.
    """

    symptom: str
    value: float
    limit: float
    clause: str
    cured_by_going_back: bool = True

    def say(self, step: int) -> str:
        """Returns the sentence, without a full stop."""
        return f"Step {step}: {self.clause}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Where symptoms begin; `Doctor` says what each number is."""

    accuracy_limit: float
    gradient_drop: float
    diversity_drop: float
    penalty_growth: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            checks.positive(field.name, getattr(self, field.name))
        for name in ("accuracy_limit", "gradient_drop", "diversity_drop"):
            if getattr(self, name) > 1:
                raise ValueError(f"`{name}` must be at most 1. Received: {getattr(self, name)!r}")
        if self.penalty_growth <= 1:
            raise ValueError(f"`penalty_growth` must be above 1. Received: {self.penalty_growth!r}")


def not_finite(numbers: Mapping[str, Any]) -> Finding | None:
    """Looks for a NaN or an infinite number.

    Args:
        numbers: Numbers by name, say the logs of a step.
    """
    bad = {name: float(value) for name, value in numbers.items()}
    bad = {name: value for name, value in bad.items() if not math.isfinite(value)}
    if not bad:
        return None
    # Where several went bad in one step, the first in this order is the one to name.
    name = min(bad, key=lambda entry: (*_CULPRITS, entry).index(entry))
    clause = (
        f"{_CULPRITS.get(name, name)} broke ({name} is {bad[name]}), so lower the "
        "learning rates, or add a penalty or normalization"
    )
    return Finding(NOT_FINITE, bad[name], math.inf, clause)


def won(reading: Reading, earlier: Sequence[Reading], limits: Limits) -> Finding | None:
    """Looks for a discriminator that is always right and teaches the generator nothing."""
    known = [one.gradient_norm for one in earlier if one.gradient_norm is not None]
    largest = max(known, default=0.0)
    if reading.accuracy is None or reading.gradient_norm is None or not largest:
        return None
    share = reading.gradient_norm / largest
    if reading.accuracy < limits.accuracy_limit or share >= limits.gradient_drop:
        return None
    clause = (
        f"the discriminator has won (its accuracy is {reading.accuracy:.4g}, at least "
        f"{limits.accuracy_limit:g}, and the generator's gradient is {share:.3g} of its largest so "
        f"far, under {limits.gradient_drop:g}), so take the non-saturating loss, add instance "
        "noise or a gradient penalty, or lower the discriminator's learning rate or steps"
    )
    return Finding("discriminator has won", share, limits.gradient_drop, clause)


def collapsed(reading: Reading, earlier: Sequence[Reading], limits: Limits) -> Finding | None:
    """Looks for samples that have become alike.

    What was more diverse than the real examples had to become less so: they are the most that
    counts.
    """
    best = min(1.0, max((one.diversity for one in earlier), default=0.0))
    limit = limits.diversity_drop * best
    if not reading.diversity < limit:
        return None
    clause = (
        f"the samples have collapsed (their mean distance is "
        f"{reading.diversity:.3g} of that of real examples, under {limits.diversity_drop:g} of the "
        f"{best:.3g} that it was), so lower the learning rates, add a gradient penalty, or take a "
        "mixture of generators"
    )
    return Finding("collapse", reading.diversity, limit, clause)


def exploded(reading: Reading, calm: Sequence[float], limits: Limits) -> Finding | None:
    """Looks for a penalty far above what it used to be.

    Args:
        reading: The present one.
        calm: The penalties of earlier readings at which it had not exploded.
        limits: Where the symptom begins.
    """
    if reading.penalty is None or not calm:
        return None
    # A penalty that had all but vanished may return to the order of one.
    limit = limits.penalty_growth * max(1.0, statistics.median(calm))
    if not reading.penalty > limit:
        return None
    clause = (
        f"the penalty has exploded (it is {reading.penalty:.3g}, over "
        f"{limits.penalty_growth:g} times the {limit / limits.penalty_growth:.3g} that it used to "
        "be), so lower the discriminator's learning rate or the penalty's weight"
    )
    return Finding(PENALTY, reading.penalty, limit, clause)


def dead_components(player: str, weights: Sequence[float], *, advice: str) -> list[Finding]:
    """Looks for components of a mixture that are hardly used.

    Args:
        player: "generator" or "discriminator".
        weights: The probabilities of its components.
        advice: String, from `advice_on_weights`.
    """
    limit = 1 / (_STARVED * len(weights)) if weights else 0.0
    return [
        Finding(
            f"dead component {component} of the {player}",
            weight,
            limit,
            f"the {player}'s component {component} is hardly used any more (its "
            f"weight is {weight:.3g}, under 1 / ({_STARVED} k) = {limit:.3g}), so {advice}",
            cured_by_going_back=False,
        )
        for component, weight in enumerate(weights)
        if weight < limit
    ]


def advice_on_weights(player: str, settings: Config) -> str:
    """Returns what to change where a component of a mixture with these settings dies."""
    slower = f"lower `weight_learning_rate` (it is {settings['weight_learning_rate']:g})"
    if settings["weight_update"] == "softmax":
        slower = f"lower the learning rate of the {player}'s optimizer, which moves the weights"
    return f"raise `entropy_weight` (it is {settings['entropy_weight']:g}), or {slower}"
