"""Flags that describe a model, and the compiled model that they make."""

from typing import Any

import keras
import method_flags
import methods
import network_flags
import noise_flags
import refine_flags
from absl import flags

import tfgans
from tfgans import checks

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
FLAGS = flags.FLAGS
for module in (method_flags, network_flags, noise_flags, refine_flags):
    flags.adopt_module_key_flags(module)
flags.DEFINE_string("pretrained", None, "of dcd: folder of the finished run that it starts from")
flags.DEFINE_float("learning_rate", None, "of both players; default: the method's own", 1e-12)
flags.DEFINE_float("ema", None, "decay of the generator's average; 0: none; default: 0.999", 0, 1)
flags.DEFINE_enum("dtype_policy", "float32", POLICIES, "what the networks compute in")
flags.DEFINE_bool("jit_compile", False, "whether to compile the training step with XLA")
flags.DEFINE_integer("steps_per_execution", 1, "training steps in one call", lower_bound=1)
flags.DEFINE_integer("accumulate_steps", 1, "parts that a batch too large comes in", lower_bound=1)
_EXECUTION = ("jit_compile", "steps_per_execution", "accumulate_steps")

# What a resumed run must have the same.
DECISIVE = (
    *("pretrained", "learning_rate", "ema", "dtype_policy", "jit_compile"),
    *(*method_flags.DECISIVE, *noise_flags.DECISIVE, *refine_flags.DECISIVE),
    *network_flags.DECISIVE,
)
_OF_DCD = ("pretrained", *refine_flags.DECISIVE)
_NOT_OF_DCD = ("ema", "dtype_policy", *network_flags.DECISIVE)


def check() -> None:
    """Raises ValueError if a flag does not apply to the method: none is ignored."""
    model = method_flags.model_name()
    for flag in _NOT_OF_DCD if model == "dcd" else _OF_DCD:
        if FLAGS[flag].present:
            only = "it takes the networks of --pretrained" if model == "dcd" else "it is of dcd"
            raise ValueError(f"--{flag} does not apply to --model={model}: {only}")
    if model == "dcd" and FLAGS.pretrained is None:
        raise ValueError("--model=dcd needs --pretrained, the folder of a finished run")
    if FLAGS.learning_rate is not None:
        checks.positive("learning_rate", FLAGS.learning_rate)  # NaN passes the flag's own bound.
    method_flags.options()
    noise_flags.instance_noise()


def build_gan(source: Any) -> tfgans.GAN:
    """Returns the compiled model that the flags describe, for the shape of `source`."""
    keras.config.set_dtype_policy(FLAGS.dtype_policy)
    noise = noise_flags.instance_noise()
    common = {"seed": FLAGS.seed, "instance_noise": noise, **method_flags.options()}
    if method_flags.model_name() == "dcd":
        trained = tfgans.training.load_final(FLAGS.pretrained)
        gan = tfgans.DCD.from_gan(trained, langevin=refine_flags.langevin(), **common)
    else:
        gan = methods.MODELS[method_flags.model_name()](
            *network_flags.build_players(source, method_flags.model_name()),
            num_classes=network_flags.num_classes(source),
            ema=(0.999 if FLAGS.ema is None else FLAGS.ema) or None,
            **common,
        )
    execution = {name: FLAGS[name].value for name in _EXECUTION}
    gan.compile(*map(_at_rate, gan.default_optimizers()), **execution)
    return gan


def _at_rate(optimizer: Any) -> Any:
    """Returns the optimizer, at the rate of --learning_rate instead of its own rate or schedule."""
    if FLAGS.learning_rate is None:
        return optimizer
    return type(optimizer).from_config(
        {**optimizer.get_config(), "learning_rate": FLAGS.learning_rate}
    )
