"""Finds the activation that a network ends in, and refuses those that do not fit its role."""

import re

import keras

from tfgans import compat, shapes

# By names in lower case without underscores: the operation of `keras.ops.hard_sigmoid` is
# `HardSigmoid`.
_SHARES = frozenset({"sigmoid", "hardsigmoid", "sparsesigmoid", "softmax", "softmaxv2"})
_PROBABILITIES = _SHARES | {"tanh", "hardtanh", "softsign"}
# Their values do not reach -1.
_NO_IMAGES = _SHARES | {"relu", "relu6", "softplus", "exponential", "exp"}
# Layers and operations whose outputs are values of their input, means of them, or zeros.
_PASSING = re.compile(
    r"((Global)?(Average|Max)Pooling|Cropping|UpSampling|ZeroPadding)[123]D|(Spatial)?Dropout.*"
    r"|Cast|ExpandDims|Flatten|GetItem|Identity|Mean|Permute|RepeatVector|Reshape|Squeeze|Transpose"
)
_IMAGE_RANK = 3
_UNKNOWN = ("", "")


def refuse_probabilities(discriminator: keras.layers.Layer) -> None:
    """Raises ValueError if a discriminator ends in an activation that makes probabilities.

    Args:
        discriminator: Built network with an output [batch, 1]; no mixture.

    Raises:
        ValueError: If it ends in a sigmoid, tanh, softmax or softsign, in one of the ways that
            `last_activation` knows.

    Example:

    >>> from tfgans.last_activation import refuse_probabilities
    >>> refuse_probabilities(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    """
    name, layer = last_activation(discriminator)
    if _plain(name) in _PROBABILITIES:
        raise ValueError(
            "The discriminator must return logits, before any sigmoid: the losses apply it. "
            f"Received: {discriminator.name!r}, which ends in the activation {name!r} in {layer!r}"
            ". Remove that activation"
        )


def check_image_generator(generator: keras.layers.Layer) -> None:
    """Raises ValueError if a generator of images ends in an activation that misses part of [-1, 1].

    Images lie in [-1, 1]. Outputs that do not have the rank of images [batch, height, width,
    channels] are not checked.

    Args:
        generator: Built network with a single output; no mixture.

    Raises:
        ValueError: If it ends in a sigmoid, softmax, relu, softplus or exponential, in one of the
            ways that `last_activation` knows.
    """
    if len(shapes.output_shape(generator, "generator")) != _IMAGE_RANK:
        return
    name, layer = last_activation(generator)
    if _plain(name) in _NO_IMAGES:
        raise ValueError(
            "A generator of images must reach all of [-1, 1], in which images lie. Received: "
            f"{generator.name!r}, which ends in the activation {name!r} in {layer!r}. End it with "
            "'tanh'"
        )


def last_activation(network: keras.layers.Layer) -> tuple[str, str]:
    """Returns the activation that a network ends in, and the layer or operation that has it.

    It may be the `activation` of a layer of Keras, a layer, an operation of `keras.ops` or a named
    function in a `Lambda`, in nested or wrapped layers too, and before layers that reshape, cast or
    pool. What `call` of another class does is not known.

    Args:
        network: Built network.

    Returns:
        The name of the function or operation, such as "sigmoid", and the name of its layer; ("",
        "") if the end of the network is not known.
    """
    return _end_of_layer(network) or _UNKNOWN


def _end_of_layer(layer: keras.Operation) -> tuple[str, str] | None:
    """Returns the last activation of a layer or operation; None if it passes its input on."""
    if isinstance(layer, keras.layers.Wrapper):
        return _end_of_layer(layer.layer)
    if not type(layer).__module__.startswith("keras."):
        return _UNKNOWN
    kind = type(layer).__name__
    if isinstance(layer, keras.Model):
        # Sequential or functional.
        outputs = layer.outputs or []
        return _end_of_tensor(outputs[0]) if len(outputs) == 1 else _UNKNOWN
    if kind == "InputLayer" or _PASSING.fullmatch(kind):
        return None
    if isinstance(layer, keras.layers.Lambda):
        function = layer.function
    elif isinstance(layer, keras.layers.ReLU) and layer.negative_slope:
        return _UNKNOWN
    else:
        function = getattr(layer, "activation", type(layer))
    name = str(getattr(function, "__name__", ""))
    is_nothing = isinstance(layer, keras.layers.Activation) and name == "linear"
    return None if is_nothing else (name, layer.name)


def _end_of_tensor(tensor: keras.KerasTensor) -> tuple[str, str] | None:
    """Returns the last activation before a tensor; None if it is an input, but for its shape."""
    operation, inputs = compat.producer(tensor)
    end = _end_of_layer(operation)
    if end is not None or not inputs:
        return end
    return _end_of_tensor(inputs[0]) if len(inputs) == 1 else _UNKNOWN


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
