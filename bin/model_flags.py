"""Flags that describe a model: the one place where names become classes."""

from collections.abc import Callable
from typing import Any

import keras
from absl import flags

import tfgans
from tfgans.networks.blocks import NORMALIZATIONS

MODELS: dict[str, Callable[..., tfgans.GAN]] = {
    "minimax": tfgans.MinimaxGAN,
    "non_saturating": tfgans.NonSaturatingGAN,
    "wgan_gp": tfgans.WGANGP,
}
NETWORKS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "dcgan": (tfgans.networks.dcgan_generator, tfgans.networks.dcgan_discriminator),
    "mlp": (tfgans.networks.mlp_generator, tfgans.networks.mlp_discriminator),
}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
FLAGS = flags.FLAGS
flags.DEFINE_enum("model", "wgan_gp", list(MODELS), "the method")
flags.DEFINE_enum("network", None, list(NETWORKS), "default: dcgan for images, mlp for vectors")
flags.DEFINE_integer("latent_dim", 64, "dimensions of a latent", lower_bound=1)
flags.DEFINE_integer("width", None, "width of both networks", lower_bound=1)
flags.DEFINE_integer("depth", None, "depth of both networks", lower_bound=1)
flags.DEFINE_enum("generator_normalization", None, NORMALIZATIONS, "default: the network's own")
flags.DEFINE_enum("discriminator_normalization", None, NORMALIZATIONS, "default: none")
flags.DEFINE_integer("discriminator_steps", None, "default: the method's own", lower_bound=1)
flags.DEFINE_float("penalty_weight", None, "of wgan_gp; default: 10", lower_bound=0)
flags.DEFINE_float("learning_rate", None, "of both players; default: the method's own", 1e-12)
flags.DEFINE_float("ema", 0.999, "decay of the generator's average; 0 for none", 0, 0.999999)
flags.DEFINE_enum("dtype_policy", "float32", POLICIES, "what the networks compute in")
flags.DEFINE_bool("jit_compile", False, "whether to compile the training step with XLA")
flags.DEFINE_integer("steps_per_execution", 1, "training steps in one call", lower_bound=1)

# What a resumed run must have the same.
DECISIVE = (
    *("model", "network", "latent_dim", "width", "depth", "generator_normalization"),
    *("discriminator_normalization", "discriminator_steps", "penalty_weight", "learning_rate"),
    *("ema", "dtype_policy", "jit_compile"),
)
flags.register_multi_flags_validator(
    ["model", "penalty_weight"],
    lambda given: given["penalty_weight"] is None or given["model"] == "wgan_gp",
    "--penalty_weight is of wgan_gp only",
)


def build_gan(source: Any) -> tfgans.GAN:
    """Returns the compiled model that the flags describe, for the shape of `source`."""
    keras.config.set_dtype_policy(FLAGS.dtype_policy)
    network = FLAGS.network or ("dcgan" if len(source.data_shape) == 3 else "mlp")
    make_generator, make_discriminator = NETWORKS[network]
    size = _given(width=FLAGS.width, depth=FLAGS.depth, seed=FLAGS.seed)
    generator = make_generator(
        source.data_shape,
        latent_dim=FLAGS.latent_dim,
        **size,
        **_given(normalization=FLAGS.generator_normalization),
    )
    discriminator = make_discriminator(
        source.data_shape, **size, **_given(normalization=FLAGS.discriminator_normalization)
    )
    method = {name: FLAGS[name].value for name in ("discriminator_steps", "penalty_weight")}
    gan = MODELS[FLAGS.model](
        generator, discriminator, ema=FLAGS.ema or None, seed=FLAGS.seed, **_given(**method)
    )
    for optimizer in (optimizers := gan.default_optimizers()):
        optimizer.learning_rate = FLAGS.learning_rate or optimizer.learning_rate
    execution = {name: FLAGS[name].value for name in ("jit_compile", "steps_per_execution")}
    gan.compile(*optimizers, **execution)
    return gan


def _given(**options: Any) -> dict[str, Any]:
    """Returns the options that a flag sets; the others keep the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
