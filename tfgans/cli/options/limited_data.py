"""Flags for training on few images: augmentation, LeCam and consistency."""

from typing import TYPE_CHECKING

from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.augmentation import Augmentation
    from tfgans.data import Source
    from tfgans.regularizers import Regularizer

AUGMENTATIONS = ("none", "diffaugment", "ada")
CONSISTENCIES = ("none", "cr", "bcr", "zcr", "icr")
PENALTY_AT = ("augmented", "raw")
# Ours: with the 500 of the paper p would hardly move in the default number of steps.
KIMG = 50.0
_ARGUMENTS = {
    "policy": "augmentation_policy",
    "transforms": "augmentation_policy",
    "target": "augmentation_target",
    "kimg": "augmentation_kimg",
    "initial_p": "augmentation_p",
}
_OF_ADA = ("augmentation_target", "augmentation_kimg", "augmentation_p")
_WITHOUT_THRESHOLD = {
    "model": ("wgan", "wgan_gp", "kl_wgan", "r3gan"),
    "objective": ("wasserstein", "kl_wasserstein", "relativistic"),
}


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Limited data")
    group.choice(
        "augmentation",
        "none",
        AUGMENTATIONS,
        "augmentation of the images that the discriminator sees; ada adapts to its logits, which "
        "changes the default of --model",
    )
    group.string(
        "augmentation_policy",
        None,
        "transforms; for diffaugment: some of color,translation,cutout,flip, in the order in which "
        "they run (default: the first three); for ada: bg, bgc or some of "
        "blit,geom,color,noise,cutout (default: bgc, or bg for gray images)",
        value="NAMES",
    )
    group.number(
        "augmentation_target",
        None,
        "ada: mean sign of the logits on real images that it aims at; default: 0.6",
    )
    group.number(
        "augmentation_kimg",
        None,
        f"ada: thousands of real images in which p may rise from 0 to 1; default: {KIMG:g}, our "
        "choice for short runs; the paper: 500",
    )
    group.number(
        "augmentation_p",
        None,
        "ada: fixed probability of each transform, or its final value with --schedule_images; if "
        "not set, it adapts to the discriminator",
        at_least=0,
        at_most=1,
    )
    group.choice(
        "augmentation_penalty",
        None,
        PENALTY_AT,
        "where a penalty takes the gradient: at augmented or at raw images; default: augmented",
    )
    group.number(
        "lecam_weight", 0.0, "weight of LeCam's term; 0.3 with hinge, less with others", at_least=0
    )
    group.integer(
        "lecam_start", None, "discriminator updates before LeCam; default: 1000", at_least=0
    )
    group.choice("consistency", "none", CONSISTENCIES, "kind of consistency regularization")
    group.string(
        "consistency_policy",
        None,
        "transforms for --consistency: some of color,translation,cutout,flip; flip mirrors images, "
        "so do not use it for digits or letters; default: flip,translation",
        value="NAMES",
    )
    parser.check(
        ["augmentation", "augmentation_policy", "augmentation_penalty"],
        lambda values: (
            values["augmentation"] != "none"
            or (values["augmentation_policy"] is None and values["augmentation_penalty"] is None)
        ),
        "--augmentation_policy, --augmentation_penalty need --augmentation",
    )
    parser.check(
        ["augmentation", *_OF_ADA],
        lambda values: (
            values["augmentation"] == "ada" or all(values[name] is None for name in _OF_ADA)
        ),
        f"--{', --'.join(_OF_ADA)} need --augmentation=ada",
    )
    parser.check(
        ["consistency", "consistency_policy"],
        lambda values: values["consistency"] != "none" or values["consistency_policy"] is None,
        "--consistency_policy needs --consistency",
    )
    parser.check(
        _OF_ADA,
        lambda values: (
            values["augmentation_p"] is None
            or (values["augmentation_target"] is None and values["augmentation_kimg"] is None)
        ),
        "--augmentation_p fixes the probability: leave out --augmentation_target and "
        "--augmentation_kimg",
    )
    parser.check_companions("lecam_weight", ["lecam_start"], "--lecam_start needs --lecam_weight")


def is_adaptive(parser: Parser) -> bool:
    """Returns whether the flags ask for an augmentation that follows the discriminator."""
    return parser.values.augmentation == "ada" and parser.values.augmentation_p is None


def check(parser: Parser, method: str) -> None:
    """Raises ValueError if an adaptive augmentation has nothing to follow."""
    values = parser.values
    if not is_adaptive(parser):
        return
    for flag, choice in (("model", method), ("objective", values.objective)):
        if choice in _WITHOUT_THRESHOLD[flag]:
            raise ValueError(
                "--augmentation=ada follows the sign of the logits, which needs an objective with "
                f"a decision threshold. Received: --{flag}={choice}. Use --model=non_saturating "
                "--penalty=r1, or --augmentation_p=0.3, or --augmentation=diffaugment"
            )


def augmentation(parser: Parser, source: "Source") -> "Augmentation | None":
    """Returns the augmentation that the flags describe, for the images of `source`."""
    from tfgans.augmentation import AdaptiveAugment, DiffAugment

    values = parser.values
    penalty_at = values.augmentation_penalty or "augmented"
    if values.augmentation == "none":
        return None
    if values.augmentation == "diffaugment":
        policy = values.augmentation_policy
        with errors_in_flags(_ARGUMENTS):
            return DiffAugment(
                DiffAugment().policy if policy is None else policy, penalty_at=penalty_at
            )
    fixed = values.augmentation_p is not None
    # A schedule sets p, up to `augmentation_p`.
    starts_at_p = fixed and values.schedule_images is None
    target = 0.6 if values.augmentation_target is None else values.augmentation_target
    with errors_in_flags(_ARGUMENTS):
        return AdaptiveAugment(
            values.augmentation_policy or ("bg" if source.data_shape[-1] == 1 else "bgc"),
            target=None if fixed else target,
            p_max=1.0 if fixed else 0.8,
            initial_p=values.augmentation_p if starts_at_p else 0.0,
            kimg=KIMG if values.augmentation_kimg is None else values.augmentation_kimg,
            penalty_at=penalty_at,
        )


def regularizers(parser: Parser) -> "list[Regularizer]":
    """Returns the regularizers that the flags describe."""
    from tfgans.augmentation import DiffAugment
    from tfgans.regularizers import ConsistencyRegularization, LeCam

    values = parser.values
    result: list[Regularizer] = []
    if values.lecam_weight:
        start = 1000 if values.lecam_start is None else values.lecam_start
        with errors_in_flags({"weight": "lecam_weight", "start": "lecam_start"}):
            result.append(LeCam(weight=values.lecam_weight, start=start))
    if values.consistency != "none":
        policy = values.consistency_policy
        with errors_in_flags({"policy": "consistency_policy"}):
            augmentation = DiffAugment("flip,translation" if policy is None else policy)
        result.append(ConsistencyRegularization(values.consistency, augmentation=augmentation))
    return result
