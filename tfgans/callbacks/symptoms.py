"""The checks for symptoms of a failing training: functions of readings alone."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import SupportsFloat

from tfgans import checks
from tfgans.callbacks.readings import Reading
from tfgans.types import Config

NOT_FINITE = "not finite"
WON = "discriminator has won"
COLLAPSE = "collapse"
PENALTY = "exploding penalty"
OVERFITS = "discriminator overfits"
DEAD = "dead component"
COLLAPSED = "collapsed component"
# What may help against each symptom, with the flags of `tfgans train`.
_CURES = {
    NOT_FINITE: "lower the learning rates, or add a penalty or normalization (--learning_rate, "
    "--penalty, --discriminator_normalization)",
    WON: "use the non-saturating loss, add instance noise or a gradient penalty, or lower the "
    "discriminator's learning rate or steps (--model=non_saturating, --instance_noise, --penalty, "
    "--discriminator_steps)",
    COLLAPSE: "lower the learning rates, add a gradient penalty, or use a mixture of generators "
    "(--learning_rate, --penalty, --num_generators)",
    PENALTY: "lower the discriminator's learning rate or the penalty's weight (--learning_rate, "
    "--penalty_weight, --gamma of R3GAN)",
    OVERFITS: "use an augmentation or a stronger one, a larger penalty, a smaller discriminator, "
    "or `tfgans.regularizers.LeCam` (--augmentation, --penalty_weight, --gamma of R3GAN, --width, "
    "--lecam_weight)",
    DEAD: "raise `entropy_weight`, or lower `weight_learning_rate` or, if the weights are updated "
    "by softmax, the learning rate (--entropy_weight, --weight_learning_rate, --learning_rate)",
    COLLAPSED: "use fewer generators, lower the learning rates, or add a gradient penalty "
    "(--num_generators, --learning_rate, --penalty)",
}
# Without held-out examples, this many readings decide.
SIGN_READINGS = 5
# A component of a mixture of k is dead when its weight is under 1 / (20 k).
_DEAD_SHARE = 20
# A component has collapsed when its diversity is under this share of what it was. On Fashion-MNIST
# generators that draw a single picture have .08 to .14, and those of a single kind .4 and more.
_COLLAPSED_SHARE = 0.25
# If several logs of a step are not finite, the first in this order names the cause.
_CAUSES = {
    "discriminator_loss": "the discriminator",
    "real_logits": "the discriminator",
    "fake_logits": "the discriminator",
    "penalty": "the discriminator's penalty",
    "generator_loss": "the generator",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """A symptom of a failing training.

    Attributes:
        symptom: String, its name, with the component for a symptom of a component.
        value: Float, the measured value.
        limit: Float, where the symptom begins.
        description: String, what was measured and what to change.
        rollback_may_cure: Bool, whether an earlier state with a lower learning rate may help.
    """

    symptom: str
    value: float
    limit: float
    description: str
    rollback_may_cure: bool = True

    def message(self, step: int) -> str:
        """Returns the sentence for a warning, without a full stop."""
        return f"Step {step}: {self.description}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Where symptoms begin. See the arguments of `Doctor`.

    Raises:
        ValueError: If a limit is out of range.
    """

    accuracy_limit: float
    gradient_drop: float
    diversity_drop: float
    penalty_growth: float
    memorization_limit: float
    sign_limit: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            checks.positive(field.name, getattr(self, field.name))
        shares = ("accuracy_limit", "gradient_drop", "diversity_drop", "memorization_limit")
        for name in (*shares, "sign_limit"):
            if getattr(self, name) > 1:
                raise ValueError(f"`{name}` must be at most 1. Received: {getattr(self, name)!r}")
        if self.penalty_growth <= 1:
            raise ValueError(f"`penalty_growth` must be above 1. Received: {self.penalty_growth!r}")


def cure(symptom: str) -> str:
    """Returns general advice on a symptom, whatever the model; "" for an unknown symptom.

    Args:
        symptom: String, `Finding.symptom`.
    """
    names = [name for name in _CURES if symptom.startswith(name)]
    return _CURES[max(names, key=len)] if names else ""


def not_finite(values: Mapping[str, SupportsFloat]) -> Finding | None:
    """Looks for NaN or infinity.

    Args:
        values: Numbers by name, say the logs of a step.
    """
    numbers = {name: float(value) for name, value in values.items()}
    broken = [name for name, value in numbers.items() if not math.isfinite(value)]
    if not broken:
        return None
    order = list(_CAUSES)
    name = min(broken, key=lambda name: order.index(name) if name in order else len(order))
    description = (
        f"{_CAUSES.get(name, name)} broke ({name} is {numbers[name]}), so {_CURES[NOT_FINITE]}"
    )
    return Finding(NOT_FINITE, numbers[name], math.inf, description)


def discriminator_won(
    reading: Reading, earlier: Sequence[Reading], limits: Limits
) -> Finding | None:
    """Looks for a discriminator that is always right while the generator's gradient vanishes."""
    norms = [before.gradient_norm for before in earlier if before.gradient_norm is not None]
    largest = max(norms, default=0.0)
    if reading.accuracy is None or reading.gradient_norm is None or not largest:
        return None
    share = reading.gradient_norm / largest
    if reading.accuracy < limits.accuracy_limit or share >= limits.gradient_drop:
        return None
    description = (
        f"the discriminator has won (its accuracy is {reading.accuracy:.4g}, at least "
        f"{limits.accuracy_limit:g}, and the generator's gradient is {share:.3g} of its largest so "
        f"far, under {limits.gradient_drop:g}), so {_CURES[WON]}"
    )
    return Finding(WON, share, limits.gradient_drop, description)


def samples_collapsed(
    reading: Reading, earlier: Sequence[Reading], limits: Limits
) -> Finding | None:
    """Looks for samples that have become alike.

    Earlier diversity is capped at that of the real examples, since samples that are more diverse
    than these must become less so when training goes well.
    """
    largest = min(1.0, max((before.diversity for before in earlier), default=0.0))
    limit = limits.diversity_drop * largest
    if not reading.diversity < limit:
        return None
    description = (
        f"the samples have collapsed (their mean distance is {reading.diversity:.3g} of that of "
        f"real examples, under {limits.diversity_drop:g} of the earlier {largest:.3g}), so "
        f"{_CURES[COLLAPSE]}"
    )
    return Finding(COLLAPSE, reading.diversity, limit, description)


def penalty_exploded(
    reading: Reading, normal_penalties: Sequence[float], limits: Limits
) -> Finding | None:
    """Looks for a penalty far above its earlier values.

    Args:
        reading: The present reading.
        normal_penalties: The penalties of earlier readings without this symptom.
        limits: Where the symptom begins.
    """
    if reading.penalty is None or not normal_penalties:
        return None
    # A penalty that had almost vanished may return to the order of 1.
    usual = max(1.0, statistics.median(normal_penalties))
    limit = limits.penalty_growth * usual
    if not reading.penalty > limit:
        return None
    description = (
        f"the penalty has exploded (it is {reading.penalty:.3g}, over {limits.penalty_growth:g} "
        f"times the usual {usual:.3g}), so {_CURES[PENALTY]}"
    )
    return Finding(PENALTY, reading.penalty, limit, description)


def discriminator_overfits(
    reading: Reading, earlier: Sequence[Reading], limits: Limits, *, advice: str
) -> Finding | None:
    """Looks for a discriminator that knows its training examples by heart.

    Args:
        reading: The present reading.
        earlier: The readings before it.
        limits: Where the symptom begins.
        advice: String, from `advice_on_overfitting`.
    """
    if reading.memorization is not None:
        value, limit = reading.memorization, limits.memorization_limit
        measured = (
            f"it gives a training example more than a held-out example in {value:.3g} of all "
            f"pairs, at least {limit:g}; 0.5 would be no difference"
        )
    else:
        # A discriminator that calls everything real does not know the training examples.
        sure = [
            min(before.real_sign, before.accuracy)
            for before in (*earlier, reading)[-SIGN_READINGS:]
            if before.real_sign is not None and before.accuracy is not None
        ]
        if len(sure) < SIGN_READINGS:
            return None
        value, limit = min(sure), limits.sign_limit
        measured = (
            f"over {SIGN_READINGS} checks the mean sign of its logits on real examples and its "
            f"accuracy were {value:.3g} or more, at least {limit:g}; `held_out` examples would "
            "tell for sure (--held_out)"
        )
    if not value >= limit:
        return None
    description = f"the discriminator overfits ({measured}), so {advice}"
    return Finding(OVERFITS, value, limit, description, rollback_may_cure=False)


def advice_on_overfitting(*, augmented: bool, images: bool, has_threshold: bool) -> str:
    """Returns what to change if the discriminator overfits.

    Args:
        augmented: Bool, whether there is an augmentation.
        images: Bool, whether the examples are images.
        has_threshold: Bool, whether the objective has a decision threshold, which an adaptive
            augmentation needs.
    """
    others = (
        "a larger penalty (--penalty_weight, --gamma of R3GAN), a smaller discriminator (--width), "
        "or `tfgans.regularizers.LeCam` (--lecam_weight)"
    )
    if not images:
        return f"use more examples, {others}"
    if augmented:
        return f"use a stronger augmentation (--augmentation_policy), {others}"
    name, flag = ("AdaptiveAugment", "ada") if has_threshold else ("DiffAugment", "diffaugment")
    return (
        f"pass `augmentation=tfgans.augmentation.{name}()` to the model (--augmentation={flag}); "
        f"or use {others}"
    )


def dead_components(player: str, weights: Sequence[float], *, advice: str) -> list[Finding]:
    """Looks for components of a mixture that are hardly used.

    Args:
        player: "generator" or "discriminator".
        weights: The probabilities of its components.
        advice: String, from `advice_on_weights`.
    """
    limit = 1 / (_DEAD_SHARE * len(weights)) if weights else 0.0
    return [
        Finding(
            f"{DEAD} {component} of the {player}",
            weight,
            limit,
            f"the {player}'s component {component} is hardly used any more (its "
            f"weight is {weight:.3g}, under 1 / ({_DEAD_SHARE} k) = {limit:.3g}), so {advice}",
            rollback_may_cure=False,
        )
        for component, weight in enumerate(weights)
        if weight < limit
    ]


def collapsed_components(reading: Reading, earlier: Sequence[Reading]) -> list[Finding]:
    """Looks for generators of a mixture whose examples have become alike.

    The examples of the other generators hide this from `samples_collapsed`. Only earlier readings
    with the same number of components are compared.
    """
    now = reading.generator_diversities
    comparable = [
        before.generator_diversities
        for before in earlier
        if len(before.generator_diversities) == len(now)
    ]
    findings = []
    for component, diversity in enumerate(now if len(now) > 1 else ()):
        largest = min(1.0, max((before[component] for before in comparable), default=0.0))
        limit = _COLLAPSED_SHARE * largest
        if diversity < limit:
            description = (
                f"component {component} of the generator has collapsed (the mean distance of its "
                f"samples is {diversity:.3g} of that of real examples, under "
                f"{_COLLAPSED_SHARE:g} of the earlier {largest:.3g}), so {_CURES[COLLAPSED]}"
            )
            symptom = f"{COLLAPSED} {component} of the generator"
            findings.append(
                Finding(symptom, diversity, limit, description, rollback_may_cure=False)
            )
    return findings


def advice_on_weights(player: str, settings: Config) -> str:
    """Returns what to change if a component of a mixture with these settings dies."""
    if settings["weight_update"] == "softmax":
        slower = f"lower the learning rate of the {player}'s optimizer, which moves the weights"
    else:
        slower = f"lower `weight_learning_rate` (it is {settings['weight_learning_rate']:g})"
    return f"raise `entropy_weight` (it is {settings['entropy_weight']:g}), or {slower}"
