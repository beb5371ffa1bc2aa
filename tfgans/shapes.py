"""Input and output shapes of networks, without the batch axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgans.types import Inputs, Shape


def input_shape(network: keras.Model, role: str) -> tuple[int | None, ...]:
    """Returns the input shape of a built network, without that of labels."""
    if isinstance(getattr(network, "input", None), Mapping):
        raise ValueError(
            f"The {role} must take a tensor, or the list [tensor, labels]. Received: a model whose "
            f"inputs are the dictionary {sorted(network.input)}. Build it from a list of inputs, "
            "for example `keras.Model(model.inputs, model.output)`"
        )
    shape = _input_shapes(network)
    return _without_batch(shape[0] if takes_labels(network) else shape, role, "input")


def takes_labels(network: keras.Model) -> bool:
    """Returns whether a built network takes a list of a tensor and a label per example."""
    shape = _input_shapes(network)
    return (
        isinstance(shape, list | tuple)
        and len(shape) == 2
        and isinstance(shape[1], list | tuple)
        and len(shape[1]) == 1
    )


def with_labels(batch: tf.Tensor, labels: tf.Tensor | None) -> Inputs:
    """Returns the inputs of a network: `batch`, or the list [batch, labels] if there are labels."""
    return batch if labels is None else [batch, labels]


def are_compatible(first: Sequence[int | None], second: Sequence[int | None]) -> bool:
    """Returns whether two shapes have the same rank and sizes; a size that is None fits any."""
    return len(first) == len(second) and all(
        left is None or right is None or left == right
        for left, right in zip(first, second, strict=True)
    )


def output_shape(network: keras.Model, role: str) -> tuple[int | None, ...]:
    """Returns the output shape of a built network with a single output tensor."""
    _refuse_dictionary(getattr(network, "output", None), role)
    shape = getattr(network, "output_shape", None)
    if shape is None:
        batch = keras.KerasTensor((None, *input_shape(network, role)))
        labels = keras.KerasTensor((None,), "int32") if takes_labels(network) else None
        spec = network.compute_output_spec(with_labels(batch, labels))
        _refuse_dictionary(spec, role)
        shape = getattr(spec, "shape", None)
    return _without_batch(shape, role, "output")


def _refuse_dictionary(output: object, role: str) -> None:
    if isinstance(output, Mapping):
        names = sorted(map(str, output))
        raise ValueError(
            f"The {role} must return a tensor. Received: a dictionary with the keys {names}. Build "
            f"it of that output, say `keras.Model(model.inputs, model.output[{names[0]!r}])`"
        )


def batch_size(batch: Inputs) -> int | tf.Tensor:
    """Returns the length of axis 0: an int if it is known, else a scalar tensor.

    A batch is what a network takes: a tensor, or the list [tensor, labels].
    """
    first = tf.nest.flatten(batch)[0]
    return tf.shape(first)[0] if first.shape[0] is None else first.shape[0]


def batch_axis(shape: Shape | Sequence[Shape]) -> int | None:
    """Returns the batch size in a shape, or in the first of several shapes."""
    first = shape[0]
    return first[0] if isinstance(first, tuple | list) else first


def _input_shapes(network: keras.Model) -> Any:
    shape = getattr(network, "input_shape", None)
    if shape is None and getattr(network, "built", False):
        # A subclassed model has no `input_shape`, but remembers what it was built on.
        shape = (network.get_build_config() or {}).get("input_shape")
    return shape


def _without_batch(shape: Any, role: str, kind: str) -> tuple[int | None, ...]:
    if shape is None:
        raise ValueError(
            f"The {role} must be built before it is passed in, so that its {kind} shape is known. "
            f"Call it once on a batch, or begin it with `keras.Input`. Received: no {kind} shape"
        )
    if not shape or not (shape[0] is None or isinstance(shape[0], int)):
        labels = ", and take labels as `keras.Input((), dtype='int32')`" * (kind == "input")
        raise ValueError(
            f"The {role} must have one {kind} tensor. Received: {kind} shapes {shape!r}. "
            f"Concatenate several {kind}s to one tensor{labels}"
        )
    return tuple(shape[1:])


def tile_rows(batch: Inputs, times: int | tf.Tensor) -> Inputs:
    """Returns copies of a batch, one after the other."""
    return tf.nest.map_structure(
        lambda rows: tf.tile(rows, [times, *[1] * (len(rows.shape) - 1)]), batch
    )


def check_data_format() -> None:
    """Raises ValueError if Keras's layers take the channels first."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "Images must have their channels last. Received: the Keras setting "
            "image_data_format='channels_first'. Call "
            "`keras.config.set_image_data_format('channels_last')`"
        )
