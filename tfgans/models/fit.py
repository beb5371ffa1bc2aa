"""Whether two networks fit each other."""

from typing import Any

from tfgans import shapes
from tfgans.layers import MixtureDiscriminator


def check_networks(generator: Any, discriminator: Any) -> None:
    """Raises ValueError unless the generator's output is the discriminator's input."""
    if generator is discriminator:
        raise ValueError("`generator` and `discriminator` must be two networks. Received one twice")
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
