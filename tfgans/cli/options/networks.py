"""Flags that describe the networks of both players."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfgans.cli.options import method, mixtures
from tfgans.cli.parser import Parser

if TYPE_CHECKING:
    from tfgans.data import Source

NETWORKS = ("dcgan", "mlp", "r3gan", "resnet")
PRESETS = ("cifar10", "ffhq64", "ffhq256", "imagenet32", "imagenet64")
NORMALIZATIONS = ("none", "batch", "layer", "spectral")
# Methods whose papers bound the discriminator by spectral normalization.
SPECTRAL = ("sngan", "kl_wgan")
_NORMALIZATION_FLAGS = ("generator_normalization", "discriminator_normalization")
# Larger images train on a CPU with half of the channels that DCGAN has.
_SMALL_SIDE = 16
_LARGE_WIDTH = 32
FLAGS = (
    *("network", "preset", "latent_dim", "width", "depth", *_NORMALIZATION_FLAGS, "conditional"),
)


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Networks")
    group.choice(
        "network", None, NETWORKS, "kind of both networks; default: dcgan; mlp for vectors"
    )
    group.choice("preset", None, PRESETS, "r3gan: width of the published networks of that name")
    group.integer("latent_dim", 64, "dimensions of the latent space", at_least=1)
    group.integer(
        "width",
        None,
        "channels, or units, of the networks' layers; default: that of the network, but "
        f"{_LARGE_WIDTH} of dcgan for images of more than {_SMALL_SIDE} pixels a side",
        at_least=1,
    )
    group.integer("depth", None, "number of hidden layers, or of stages", at_least=1)
    group.choice(
        "generator_normalization",
        None,
        NORMALIZATIONS,
        "in the generator; default: that of the network",
    )
    group.choice(
        "discriminator_normalization",
        None,
        NORMALIZATIONS,
        f"in the discriminator; default: none; spectral with --model={' or '.join(SPECTRAL)}",
    )
    group.boolean(
        "conditional", False, "train a class-conditional model; the dataset must have labels"
    )


def check(parser: Parser) -> None:
    """Raises ValueError if a flag does not apply to the networks: none is ignored."""
    values, model = parser.values, method.name(parser)
    if values.network != "r3gan":
        if values.preset is not None:
            raise ValueError("--preset needs --network=r3gan")
        return
    for flag in _NORMALIZATION_FLAGS:
        if values[flag].value is not None:
            raise ValueError(f"--{flag} does not apply to --network=r3gan, which has none")
    if model in SPECTRAL:
        raise ValueError(
            f"--model={model} needs spectral normalization, which --network=r3gan does not have"
        )


def build_networks(parser: Parser, source: "Source", model: str) -> tuple[Any, Any]:
    """Returns the generator and the discriminator of a method for the shape of `source`."""
    import tfgans

    values = parser.values
    kind = values.network or ("dcgan" if len(source.data_shape) == 3 else "mlp")
    builders: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "dcgan": (tfgans.networks.dcgan_generator, tfgans.networks.dcgan_discriminator),
        "mlp": (tfgans.networks.mlp_generator, tfgans.networks.mlp_discriminator),
        "r3gan": (tfgans.networks.r3gan_generator, tfgans.networks.r3gan_discriminator),
        "resnet": (tfgans.networks.resnet_generator, tfgans.networks.resnet_discriminator),
    }
    build_generator, build_discriminator = builders[kind]
    width = values.width
    if width is None and kind == "dcgan" and max(source.data_shape[:2]) > _SMALL_SIDE:
        width = _LARGE_WIDTH
    common = _set(
        preset=values.preset,
        width=width,
        depth=values.depth,
        num_classes=num_classes(parser, source),
    )
    generator = _set(latent_dim=values.latent_dim, normalization=values.generator_normalization)
    usual = "spectral" if model in SPECTRAL else None
    discriminator = _set(normalization=values.discriminator_normalization or usual)
    shape = source.data_shape
    return (
        mixtures.network_or_mixture(
            parser,
            tfgans.MixtureGenerator,
            lambda seed: build_generator(shape, seed=seed, **common, **generator),
            "num_generators",
        ),
        mixtures.network_or_mixture(
            parser,
            tfgans.MixtureDiscriminator,
            lambda seed: build_discriminator(shape, seed=seed, **common, **discriminator),
            "num_discriminators",
        ),
    )


def num_classes(parser: Parser, source: "Source") -> int | None:
    """Returns the number of classes of a conditional model; None for any other."""
    if not parser.values.conditional:
        return None
    if source.num_classes is None:
        raise ValueError(
            f"--conditional needs classes, and {source.name!r} has none. Leave it out; the classes "
            "of a folder of images are its subfolders, all images in one of them"
        )
    return source.num_classes


def _set(**options: Any) -> dict[str, Any]:
    """Returns the options that a flag sets; the others keep the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
