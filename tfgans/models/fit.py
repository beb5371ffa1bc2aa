"""Whether two networks fit each other."""

from typing import Any

import keras

from tfgans import shapes
from tfgans.layers import MixtureDiscriminator, MixtureGenerator
from tfgans.layers.mixture import holds_mixture


def check_networks(generator: Any, discriminator: Any) -> None:
    """Raises ValueError unless the generator's output is the discriminator's input."""
    if generator is discriminator:
        raise ValueError("`generator` and `discriminator` must be two networks. Received one twice")
    _check_kinds(generator, discriminator)
    made = shapes.output_shape(generator, "generator")
    taken = shapes.input_shape(discriminator, "discriminator")
    fits = len(made) == len(taken) and all(
        size is None or wanted is None or size == wanted
        for size, wanted in zip(made, taken, strict=True)
    )
    if not fits:
        raise ValueError(
            "The generator's output must have the shape of the discriminator's input. "
            f"Received: generator output {made}, discriminator input {taken}. "
            "Build both for the same `source.data_shape`"
        )
    mixed = isinstance(discriminator, MixtureDiscriminator)
    logits = shapes.output_shape(discriminator, "discriminator")
    if not mixed and logits != (1,):
        raise ValueError(
            "The discriminator must return one logit an example, of shape [batch, 1]. "
            f"Received: output shape {(None, *logits)}. End it with `Dense(1)`, or make several "
            "networks a `tfgans.MixtureDiscriminator`"
        )
    for network in discriminator.components if mixed else [discriminator]:
        _refuse_probabilities(network)


def _check_kinds(generator: Any, discriminator: Any) -> None:
    kinds = {MixtureGenerator: generator, MixtureDiscriminator: discriminator}
    for kind, network in kinds.items():
        if isinstance(network, kind) or not isinstance(network, keras.layers.Layer):
            continue
        if holds_mixture(network):
            raise ValueError(
                f"A mixture in this place must be a `tfgans.{kind.__name__}` itself: inside "
                f"another network its weights would not learn. Received: {network!r}. Put "
                "further layers into the components"
            )


def _refuse_probabilities(discriminator: Any) -> None:
    last = (getattr(discriminator, "layers", None) or [discriminator])[-1]
    name = getattr(getattr(last, "activation", None), "__name__", None)
    if name in ("sigmoid", "softmax"):
        raise ValueError(
            "The discriminator must return logits, before any sigmoid: the losses apply it. "
            f"Received: a last layer {last.name!r} with activation {name!r}. Remove the activation"
        )


def latent_shape(generator: Any) -> tuple[int, ...]:
    """Returns the shape of one latent, which must be fixed: latents are drawn by it."""
    shape = shapes.input_shape(generator, "generator")
    fixed = tuple(size for size in shape if size is not None)
    if len(fixed) != len(shape):
        raise ValueError(
            "The generator's input must have a fixed shape but for the batch. "
            f"Received: {(None, *shape)}"
        )
    return fixed
