"""Flags that describe the two players' networks."""

from collections.abc import Callable
from typing import Any

import mixture_flags
from absl import flags

import tfgans
from tfgans.networks.blocks import NORMALIZATIONS

NETWORKS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "dcgan": (tfgans.networks.dcgan_generator, tfgans.networks.dcgan_discriminator),
    "mlp": (tfgans.networks.mlp_generator, tfgans.networks.mlp_discriminator),
    "resnet": (tfgans.networks.resnet_generator, tfgans.networks.resnet_discriminator),
}
# Methods whose papers bound the discriminator by spectral normalization.
SPECTRAL = ("sngan", "kl_wgan")
FLAGS = flags.FLAGS
flags.adopt_module_key_flags(mixture_flags)
flags.DEFINE_enum("network", None, list(NETWORKS), "default: dcgan for images, mlp for vectors")
flags.DEFINE_integer("latent_dim", 64, "dimensions of a latent", lower_bound=1)
flags.DEFINE_integer("width", None, "width of each network", lower_bound=1)
flags.DEFINE_integer("depth", None, "depth of each network", lower_bound=1)
flags.DEFINE_enum("generator_normalization", None, NORMALIZATIONS, "default: the network's own")
flags.DEFINE_enum(
    "discriminator_normalization",
    None,
    NORMALIZATIONS,
    f"default: none, but spectral with --model={' or '.join(SPECTRAL)}",
)
flags.DEFINE_bool("conditional", False, "whether the classes of the data are conditions")

# What a resumed run must have the same.
DECISIVE = (
    *("network", "latent_dim", "width", "depth", "generator_normalization"),
    *("discriminator_normalization", "conditional", *mixture_flags.DECISIVE),
)


def build_players(source: Any, model: str) -> tuple[Any, Any]:
    """Returns the generator and the discriminator of a method for the shape of `source`."""
    network = FLAGS.network or ("dcgan" if len(source.data_shape) == 3 else "mlp")
    make_generator, make_discriminator = NETWORKS[network]
    both = given(width=FLAGS.width, depth=FLAGS.depth, num_classes=num_classes(source))
    own = {"latent_dim": FLAGS.latent_dim, **given(normalization=FLAGS.generator_normalization)}
    usual = "spectral" if model in SPECTRAL else None
    other = given(normalization=FLAGS.discriminator_normalization or usual)
    return (
        mixture_flags.player(
            tfgans.MixtureGenerator,
            lambda seed: make_generator(source.data_shape, seed=seed, **both, **own),
            FLAGS.num_generators,
        ),
        mixture_flags.player(
            tfgans.MixtureDiscriminator,
            lambda seed: make_discriminator(source.data_shape, seed=seed, **both, **other),
            FLAGS.num_discriminators,
        ),
    )


def num_classes(source: Any) -> int | None:
    """Returns how many classes a conditional model has; None for any other."""
    if FLAGS.conditional and source.num_classes is None:
        raise ValueError(f"--conditional needs classes, and {source.name!r} has none")
    return source.num_classes if FLAGS.conditional else None


def given(**options: Any) -> dict[str, Any]:
    """Returns the options that a flag sets; the others keep the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
