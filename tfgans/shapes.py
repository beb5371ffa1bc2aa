"""What a network takes and gives, without the batch axis."""

from typing import Any

import keras


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
