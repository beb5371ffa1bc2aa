"""Flags of the optimization, and the compiled model that all the flags describe."""

from typing import TYPE_CHECKING, Any

from tfgans.cli.options import (
    limited_data,
    method,
    mixtures,
    networks,
    noise,
    refinement,
    schedule,
)
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.data import Source
    from tfgans.gan import GAN

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# Arguments and classes of the library that errors name, and their flags.
_ARGUMENTS = {
    "normalization": "discriminator_normalization",
    "DiffAugment": "augmentation=diffaugment",
    "AdaptiveAugment": "augmentation=ada",
    "kind": "consistency",
    "transforms": "augmentation_policy",
}
_DCD = ("pretrained", *refinement.FLAGS)
_NOT_DCD = ("ema", "dtype_policy", *networks.FLAGS, *mixtures.FLAGS)


def define(parser: Parser) -> None:
    """Declares the flags of the method, its parts, the networks and the optimization."""
    method.define(parser)
    group = parser.group("Method")
    group.path("pretrained", None, "dcd: the finished run that it continues", value="RUN_DIR")
    networks.define(parser)
    mixtures.define(parser)
    noise.define(parser)
    schedule.define(parser)
    limited_data.define(parser)
    refinement.define(parser)
    group = parser.group("Optimization")
    group.number(
        "learning_rate", None, "rate of both players; default: the method's", at_least=1e-12
    )
    group.number(
        "ema",
        None,
        "decay of the generator's moving average; 0: none; default: 0.999",
        at_least=0,
        at_most=1,
    )
    group.choice("dtype_policy", "float32", POLICIES, "precision of the networks")
    group.boolean("jit_compile", False, "compile the training step with XLA")
    group.integer_or(
        "steps_per_execution",
        "auto",
        "training steps in a call of the compiled function; auto: as many as take .1 s",
        word="auto",
        at_least=1,
    )
    group.integer("accumulate_steps", 1, "micro-batches in an update", at_least=1)


def check(parser: Parser) -> None:
    """Chooses the method, and raises ValueError if a flag does not apply to it: none is ignored."""
    # In the flags, since they are written to the run: a later version may have other defaults.
    method.choose_defaults(parser)
    values, model = parser.values, method.name(parser)
    for flag in _NOT_DCD if model == "dcd" else _DCD:
        if parser.is_changed(flag):
            reason = "it takes the networks of --pretrained" if model == "dcd" else "use dcd"
            raise ValueError(f"--{flag} does not apply to {method.flag_in_words(parser)}: {reason}")
    if model == "dcd" and values.pretrained is None:
        raise ValueError("--model=dcd needs --pretrained, the folder of a finished run")
    if values.learning_rate is not None:
        from tfgans import checks

        checks.positive("learning_rate", values.learning_rate)  # NaN passes the flag's bound.
    method.arguments(parser)
    networks.check(parser)
    schedule.schedule(parser)
    noise.instance_noise(parser)
    limited_data.check(parser, model)


def build(parser: Parser, source: "Source") -> "GAN":
    """Returns the compiled model that the flags describe, for the shape of `source`."""
    routing = mixtures.routing_flag(parser)
    with errors_in_flags({**_ARGUMENTS, **method.arguments_and_classes(), "routing": routing}):
        gan = _build(parser, source)
    if parser.values.augmentation_penalty is not None and gan.penalty is None:
        raise ValueError(
            "--augmentation_penalty needs a penalty. Received: "
            f"{method.flag_in_words(parser)}, without. Pass --penalty, or leave it out"
        )
    return gan


def _build(parser: Parser, source: "Source") -> "GAN":
    import keras

    import tfgans

    values, model = parser.values, method.name(parser)
    keras.config.set_dtype_policy(values.dtype_policy)
    common: dict[str, Any] = {
        "seed": values.seed,
        "instance_noise": noise.instance_noise(parser),
        "augmentation": limited_data.augmentation(parser, source),
        "regularizers": limited_data.regularizers(parser),
        **method.arguments(parser),
    }
    if model == "dcd":
        trained = tfgans.training.load_checkpoint(values.pretrained, "final")
        gan: GAN = tfgans.DCD.from_gan(trained, langevin=refinement.langevin(parser), **common)
    else:
        course = schedule.schedule(parser)
        if course is None:
            common["ema"] = (0.999 if values.ema is None else values.ema) or None
        else:
            common |= {"schedule": course, "gamma": None}
        gan = method.method_class(model)(
            *networks.build_networks(parser, source, model),
            num_classes=networks.num_classes(parser, source),
            **common,
        )
    gan.compile(
        *(_at_rate(optimizer, values.learning_rate) for optimizer in gan.default_optimizers()),
        jit_compile=values.jit_compile,
        steps_per_execution=values.steps_per_execution,
        accumulate_steps=values.accumulate_steps,
    )
    return gan


def _at_rate(optimizer: Any, learning_rate: float | None) -> Any:
    """Returns the optimizer, with `learning_rate` in place of its rate or schedule."""
    if learning_rate is None:
        return optimizer
    return type(optimizer).from_config({**optimizer.get_config(), "learning_rate": learning_rate})
