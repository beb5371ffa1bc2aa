"""Flags of the method, or of an objective with a penalty, and their arguments."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tfgans.cli.options import limited_data
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.gan import GAN
    from tfgans.objectives import FDivergence

DEFAULT = "r3gan"
# The game of the authors of ADA, with the weight of R1 in the examples of docs/limited-data.md.
DEFAULT_WITH_ADA, PENALTY_WITH_ADA, WEIGHT_WITH_ADA = "non_saturating", "r1", 0.01
# Measured on a shared machine by CPU seconds of a single thread; default networks and batch size.
_REASON = (
    "r3gan, the default, learns fast on images of either size that was measured. Frechet distance:",
    "  8x8 digits, 80 CPU seconds, digits classifier, 1437 images, seeds 0 and 1:",
    "    sngan 1.7, 1.8  r3gan 1.6, 2.9  wgan_gp 3.8, 6.2  hinge 5.3, -  non_saturating 15.9, -",
    "  28x28 Fashion-MNIST, --width=64, 9 minutes of a core beside other jobs, pixels, 3000",
    "  samples against 10 000 test images, seed 0: r3gan 68 (346 steps), sngan 145 (171 steps)",
)
DIVERGENCES = (
    *("kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan"),
    "total_variation",
)
FORMS = ("hinge", "linear")
NOISES = ("uniform", "symmetric", "gaussian")


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of `--model`.

    Args:
        name: The class in `tfgans`.
        defaults: Its arguments that flags may set, for the help.
        optimizer: Its default optimizers, for the help.
    """

    name: str
    defaults: str
    optimizer: str


METHODS: Mapping[str, Method] = {
    "gan": Method(
        "GAN",
        "penalty=None, discriminator_steps=1, weight_clip=None",
        "Adam 2e-4, betas 0.5, 0.999",
    ),
    "minimax": Method(
        "MinimaxGAN",
        "penalty=None, discriminator_steps=1, label_smoothing=0.0",
        "Adam 2e-4, betas 0.5, 0.999",
    ),
    "non_saturating": Method(
        "NonSaturatingGAN",
        "penalty=None, discriminator_steps=1, label_smoothing=0.0",
        "Adam 2e-4, betas 0.5, 0.999",
    ),
    "least_squares": Method(
        "LeastSquaresGAN",
        "penalty=None, discriminator_steps=1, label_smoothing=0.0",
        "Adam 2e-4, betas 0.5, 0.999",
    ),
    "hinge": Method("HingeGAN", "penalty=None, discriminator_steps=1", "Adam 2e-4, betas 0, 0.9"),
    "wgan": Method(
        "WGAN", "weight_clip=0.01, discriminator_steps=5, critic_warmup=False", "RMSprop 5e-5"
    ),
    "wgan_gp": Method(
        "WGANGP", "penalty_weight=10.0, discriminator_steps=5", "Adam 1e-4, betas 0, 0.9"
    ),
    "gan_gp": Method(
        "GANGP", "penalty_weight=10.0, discriminator_steps=1", "Adam 1e-4, betas 0.5, 0.9"
    ),
    "dragan": Method(
        "DRAGAN",
        "penalty_weight=10.0, dragan_noise=uniform, dragan_scale=0.5, minimax=False, "
        "discriminator_steps=1",
        "Adam 1e-4, betas 0.5, 0.9",
    ),
    "fgan": Method(
        "FGAN",
        "divergence=jensen_shannon, non_saturating=False, penalty=None, discriminator_steps=1",
        "Adam 2e-4, betas 0.5, 0.999",
    ),
    "kl_wgan": Method(
        "KLWGAN",
        "form=hinge, temperature=1.0, weight_gradient=True, penalty=None, discriminator_steps=5",
        "RMSprop 2e-4",
    ),
    "r3gan": Method("R3GAN", "gamma=None, discriminator_steps=1", "Adam 2e-4, betas 0, 0.99"),
    "sngan": Method("SNGAN", "penalty=None, discriminator_steps=5", "Adam 2e-4, betas 0, 0.9"),
    "dcd": Method(
        "DCD",
        "penalty=None, weight_clip=None, updates_per_batch=5",
        "Adam 2e-4, betas 0, 0.9, falling to 0 over 50 000 steps",
    ),
}
OBJECTIVES: Mapping[str, str] = {
    "minimax": "Minimax",
    "non_saturating": "NonSaturating",
    "least_squares": "LeastSquares",
    "hinge": "Hinge",
    "wasserstein": "Wasserstein",
    "kl_wasserstein": "KLWasserstein",
    "relativistic": "Relativistic",
    "f_divergence": "FDivergence",
}
PENALTIES: Mapping[str, str] = {
    "gradient": "GradientPenalty",
    "dragan": "DRAGANPenalty",
    "r1": "R1Penalty",
    "r2": "R2Penalty",
    "r1_r2": "PenaltySum",
}
# Flags whose argument has another name where it is taken.
_OTHER_NAMES = {
    "penalty_weight": "weight",
    "penalty_target": "target",
    "penalty_one_sided": "one_sided",
    "penalty_every": "every",
    "penalty_fraction": "fraction",
    "dragan_noise": "noise",
    "dragan_scale": "scale",
}
# Flags that are arguments of a method, an objective or a penalty.
ARGUMENTS = (
    *("penalty", "discriminator_steps", *_OTHER_NAMES, "minimax", "weight_clip", "critic_warmup"),
    *("label_smoothing", "divergence", "non_saturating", "form", "temperature"),
    *("weight_gradient", "gamma", "updates_per_batch"),
)
# Arguments that are objects, or the same for every method: other flags make them.
_OBJECTS = {"self", "generator", "discriminator", "objective", "options", "langevin"}
_OBJECTS |= {"instance_noise", "schedule", "num_classes", "ema", "seed", "name"}
_OBJECTS |= {"augmentation", "regularizers"}


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Method")
    group.choice(
        "model",
        None,
        list(METHODS),
        f"the method; default: {DEFAULT}; gan with --objective; with an adaptive "
        f"--augmentation=ada {DEFAULT_WITH_ADA}, with --penalty={PENALTY_WITH_ADA} "
        f"--penalty_weight={WEIGHT_WITH_ADA:g} unless --penalty is set",
    )
    group.choice("objective", None, list(OBJECTIVES), "objective of --model=gan")
    group.choice("penalty", None, list(PENALTIES), "penalty on the discriminator")
    group.integer(
        "discriminator_steps", None, "discriminator updates in a training step", at_least=1
    )
    group.number("penalty_weight", None, "weight of the mean penalty", at_least=0)
    group.number("penalty_target", None, "gradient norm at which the penalty is 0", at_least=0)
    group.boolean("penalty_one_sided", None, "penalize only norms above the target")
    group.integer("penalty_every", None, "compute the penalty only every n updates", at_least=1)
    group.number("penalty_fraction", None, "part of the batch that the penalty is computed on")
    group.choice("dragan_noise", None, NOISES, "distribution of DRAGAN's perturbed points")
    group.number("dragan_scale", None, "scale of DRAGAN's perturbation", at_least=0)
    group.boolean("minimax", None, "dragan: train the generator on the minimax loss")
    group.number("weight_clip", None, "largest absolute value of a discriminator weight")
    group.boolean(
        "critic_warmup",
        None,
        "wgan: train the critic for 100 updates before each of generator steps 1-25 and before "
        "every 500th step",
    )
    group.number("label_smoothing", None, "subtracted from the target of real examples, 1")
    group.choice("divergence", None, DIVERGENCES, "fgan: divergence to minimize")
    group.boolean("non_saturating", None, "fgan: use the alternative generator loss")
    group.choice("form", None, FORMS, "kl_wgan: form of the loss")
    group.number("temperature", None, "kl_wgan: temperature of the importance weights")
    group.boolean("weight_gradient", None, "kl_wgan: differentiate the importance weights")
    group.number("gamma", None, "r3gan: twice the weight of R1 and of R2; default: 1", at_least=0)
    group.integer("updates_per_batch", None, "dcd: updates on each batch", at_least=1)
    parser.note("Which method", [f"  {line}" for line in _REASON])
    width = max(map(len, METHODS))
    parser.note(
        "Methods, with the defaults of their flags and their optimizers",
        [
            f"  {choice:{width}}  {method.defaults}; {method.optimizer}"
            for choice, method in METHODS.items()
        ],
    )


def choose_defaults(parser: Parser) -> None:
    """Sets the method where the flags leave it open, and the penalty that comes with it."""
    values = parser.values
    is_open = values.model is None and values.objective is None
    if is_open and limited_data.is_adaptive(parser) and values.schedule_images is None:
        values.model = DEFAULT_WITH_ADA
        if values.penalty is None:
            values.penalty = PENALTY_WITH_ADA
            if values.penalty_weight is None:
                values.penalty_weight = WEIGHT_WITH_ADA
    values.model = name(parser)


def name(parser: Parser) -> str:
    """Returns the name of the method that the flags ask for."""
    return parser.values.model or ("gan" if parser.values.objective else DEFAULT)


def flag_in_words(parser: Parser) -> str:
    """Returns `--model=NAME` for an error, and why it has that value if the user did not set it."""
    chosen = f"--model={name(parser)}"
    if parser.is_set("model") or parser.is_set("objective"):
        return chosen
    with_ada = name(parser) == DEFAULT_WITH_ADA and limited_data.is_adaptive(parser)
    return f"{chosen} (the default{' with --augmentation=ada' if with_ada else ''})"


def method_class(method: str) -> "type[GAN]":
    """Returns the class of a method."""
    import tfgans

    result: type[GAN] = getattr(tfgans, METHODS[method].name)
    return result


def arguments(parser: Parser) -> dict[str, Any]:
    """Returns the arguments of the method.

    Raises:
        ValueError: If a flag applies neither to the method nor to its objective or penalty.
    """
    values, method = parser.values, name(parser)
    left = {flag for flag in ARGUMENTS if values[flag].value is not None}
    if (values.objective is None) == (method == "gan"):
        raise ValueError(
            f"--objective goes with --model=gan, which needs it. Received: --model={method}"
        )
    result = _take(parser, method_class(method), left)
    with errors_in_flags(arguments_and_classes()):
        if values.objective:
            build = _objective(values.objective)
            result["objective"] = build(**_take(parser, build, left))
        if "penalty" in result:
            build = _penalty(values.penalty)
            result["penalty"] = build(**_take(parser, build, left))
    for flag in sorted(left):
        known = ", ".join(applies_to(flag))
        raise ValueError(
            f"--{flag} does not apply to {flag_in_words(parser)}. It applies to {known}"
        )
    return result


def arguments_and_classes() -> dict[str, str]:
    """Returns the flags of arguments with another name, and of classes, for errors."""
    classes = {method.name: f"model={choice}" for choice, method in METHODS.items()}
    classes |= {name: f"objective={choice}" for choice, name in OBJECTIVES.items()}
    classes |= {name: f"penalty={choice}" for choice, name in PENALTIES.items()}
    return classes | {name: flag for flag, name in _OTHER_NAMES.items()}


def parameters(build: Callable[..., Any]) -> dict[str, Any]:
    """Returns the parameters of a class or function that flags may set, and their defaults."""
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(build).parameters.values()
        if parameter.name not in _OBJECTS
    }


def applies_to(flag: str) -> list[str]:
    """Returns the methods, objectives and penalties that a flag applies to, as flags."""
    tables: dict[str, tuple[Mapping[str, Any], Callable[[str], Callable[..., Any]]]] = {
        "model": (METHODS, method_class),
        "objective": (OBJECTIVES, _objective),
        "penalty": (PENALTIES, _penalty),
    }
    names = {flag, _OTHER_NAMES.get(flag, flag)}
    return [
        f"--{kind}={choice}"
        for kind, (table, build) in tables.items()
        for choice in table
        if names & parameters(build(choice)).keys()
    ]


def _objective(choice: str) -> Callable[..., Any]:
    from tfgans import objectives

    if choice == "f_divergence":
        return _f_divergence
    build: Callable[..., Any] = getattr(objectives, OBJECTIVES[choice])
    return build


def _f_divergence(
    divergence: str = "jensen_shannon", non_saturating: bool = False
) -> "FDivergence":
    from tfgans import objectives

    return objectives.FDivergence(divergence, non_saturating=non_saturating)


def _penalty(choice: str) -> Callable[..., Any]:
    from tfgans import penalties

    if choice == "r1_r2":
        return _r1_r2
    build: Callable[..., Any] = getattr(penalties, PENALTIES[choice])
    return build


def _r1_r2(weight: float = 0.5) -> Any:
    from tfgans import penalties

    return penalties.PenaltySum(
        (penalties.R1Penalty(weight=weight), penalties.R2Penalty(weight=weight))
    )


def _take(parser: Parser, build: Callable[..., Any], left: set[str]) -> dict[str, Any]:
    """Returns the values of the flags that `build` takes, and removes the flags from `left`."""
    taken = {}
    known = parameters(build)
    for flag in sorted(left):
        for argument in {flag, _OTHER_NAMES.get(flag, flag)} & known.keys():
            taken[argument] = parser.values[flag].value
            left.discard(flag)
    return taken
