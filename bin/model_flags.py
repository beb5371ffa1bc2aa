"""Flags that describe a model: the one place where names become classes."""

from collections.abc import Callable
from typing import Any

import keras
import network_flags
from absl import flags

import tfgans

MODELS: dict[str, Callable[..., tfgans.GAN]] = {
    "minimax": tfgans.MinimaxGAN,
    "non_saturating": tfgans.NonSaturatingGAN,
    "wgan_gp": tfgans.WGANGP,
}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
FLAGS = flags.FLAGS
flags.adopt_module_key_flags(network_flags)
flags.DEFINE_enum("model", "wgan_gp", list(MODELS), "the method")
flags.DEFINE_integer("discriminator_steps", None, "default: the method's own", lower_bound=1)
flags.DEFINE_float("penalty_weight", None, "of wgan_gp; default: 10", lower_bound=0)
flags.DEFINE_float("learning_rate", None, "of both players; default: the method's own", 1e-12)
flags.DEFINE_float("ema", 0.999, "decay of the generator's average; 0 for none", 0, 0.999999)
flags.DEFINE_enum("dtype_policy", "float32", POLICIES, "what the networks compute in")
flags.DEFINE_bool("jit_compile", False, "whether to compile the training step with XLA")
flags.DEFINE_integer("steps_per_execution", 1, "training steps in one call", lower_bound=1)

# What a resumed run must have the same.
DECISIVE = (
    *("model", "discriminator_steps", "penalty_weight", "learning_rate", "ema", "dtype_policy"),
    *("jit_compile", *network_flags.DECISIVE),
)
flags.register_multi_flags_validator(
    ["model", "penalty_weight"],
    lambda given: given["penalty_weight"] is None or given["model"] == "wgan_gp",
    "--penalty_weight is of wgan_gp only",
)


def build_gan(source: Any) -> tfgans.GAN:
    """Returns the compiled model that the flags describe, for the shape of `source`."""
    keras.config.set_dtype_policy(FLAGS.dtype_policy)
    method = {name: FLAGS[name].value for name in ("discriminator_steps", "penalty_weight")}
    gan = MODELS[FLAGS.model](
        *network_flags.build_players(source),
        ema=FLAGS.ema or None,
        seed=FLAGS.seed,
        **network_flags.given(**method),
    )
    for optimizer in (optimizers := gan.default_optimizers()):
        optimizer.learning_rate = FLAGS.learning_rate or optimizer.learning_rate
    execution = {name: FLAGS[name].value for name in ("jit_compile", "steps_per_execution")}
    gan.compile(*optimizers, **execution)
    return gan
