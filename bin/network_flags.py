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
}
FLAGS = flags.FLAGS
flags.adopt_module_key_flags(mixture_flags)
flags.DEFINE_enum("network", None, list(NETWORKS), "default: dcgan for images, mlp for vectors")
flags.DEFINE_integer("latent_dim", 64, "dimensions of a latent", lower_bound=1)
flags.DEFINE_integer("width", None, "width of each network", lower_bound=1)
flags.DEFINE_integer("depth", None, "depth of each network", lower_bound=1)
flags.DEFINE_enum("generator_normalization", None, NORMALIZATIONS, "default: the network's own")
flags.DEFINE_enum("discriminator_normalization", None, NORMALIZATIONS, "default: none")

# What a resumed run must have the same.
DECISIVE = (
    *("network", "latent_dim", "width", "depth", "generator_normalization"),
    *("discriminator_normalization", *mixture_flags.DECISIVE),
)


def build_players(source: Any) -> tuple[Any, Any]:
    """Returns the generator and the discriminator for the shape of `source`."""
    network = FLAGS.network or ("dcgan" if len(source.data_shape) == 3 else "mlp")
    make_generator, make_discriminator = NETWORKS[network]
    size = given(width=FLAGS.width, depth=FLAGS.depth)
    own = {"latent_dim": FLAGS.latent_dim, **given(normalization=FLAGS.generator_normalization)}
    other = given(normalization=FLAGS.discriminator_normalization)
    return (
        mixture_flags.player(
            tfgans.MixtureGenerator,
            lambda seed: make_generator(source.data_shape, seed=seed, **size, **own),
            FLAGS.num_generators,
        ),
        mixture_flags.player(
            tfgans.MixtureDiscriminator,
            lambda seed: make_discriminator(source.data_shape, seed=seed, **size, **other),
            FLAGS.num_discriminators,
        ),
    )


def given(**options: Any) -> dict[str, Any]:
    """Returns the options that a flag sets; the others keep the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
