"""What a network takes and gives, without the batch axis, and whether two of them fit."""

from typing import Any

import keras


def check_networks(generator: Any, discriminator: Any) -> None:
    """Raises ValueError unless the generator's output is the discriminator's input."""
    if generator is discriminator:
        raise ValueError("`generator` and `discriminator` must be two networks. Received one twice")
    made = output_shape(generator, "generator")
    taken = input_shape(discriminator, "discriminator")
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
    logits = output_shape(discriminator, "discriminator")
    if logits != (1,):
        raise ValueError(
            "The discriminator must return one logit an example, of shape [batch, 1]. "
            f"Received: output shape {(None, *logits)}. End it with `Dense(1)`"
        )
    _refuse_probabilities(discriminator)


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
    shape = input_shape(generator, "generator")
    fixed = tuple(size for size in shape if size is not None)
    if len(fixed) != len(shape):
        raise ValueError(
            "The generator's input must have a fixed shape but for the batch. "
            f"Received: {(None, *shape)}"
        )
    return fixed


def input_shape(network: Any, role: str) -> tuple[int | None, ...]:
    """Returns the shape of one input of a built network with a single input tensor."""
    shape = getattr(network, "input_shape", None)
    if shape is None and getattr(network, "built", False):
        # A subclassed model has no `input_shape`, but remembers what it was built on.
        shape = (network.get_build_config() or {}).get("input_shape")
    return _without_batch(shape, role, "input")


def output_shape(network: Any, role: str) -> tuple[int | None, ...]:
    """Returns the shape of one output of a built network with a single output tensor."""
    shape = getattr(network, "output_shape", None)
    if shape is None:
        batch = keras.KerasTensor((None, *input_shape(network, role)))
        shape = getattr(network.compute_output_spec(batch), "shape", None)
    return _without_batch(shape, role, "output")


def _without_batch(shape: Any, role: str, side: str) -> tuple[int | None, ...]:
    if shape is None:
        raise ValueError(
            f"The {role} must be built before it is passed in, so that its {side} shape is known. "
            f"Call it once on a batch, or begin it with `keras.Input`. Received: no {side} shape"
        )
    if not shape or not (shape[0] is None or isinstance(shape[0], int)):
        raise ValueError(
            f"The {role} must have one {side} tensor. Received: {side} shapes {shape!r}"
        )
    return tuple(shape[1:])
