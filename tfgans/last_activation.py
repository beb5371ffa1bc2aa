"""The activation with which a network ends, and what it must not be."""

import keras

from tfgans import shapes

# By names in lower case without underscores: the operation of `keras.ops.hard_sigmoid` is
# `HardSigmoid`.
_SHARES = frozenset({"sigmoid", "hardsigmoid", "sparsesigmoid", "softmax", "softmaxv2"})
_PROBABILITIES = _SHARES | {"tanh", "hardtanh", "softsign"}
# Their values do not reach -1.
_NO_IMAGES = _SHARES | {"relu", "relu6", "softplus", "exponential", "exp"}
# Layers and operations that only select, move or average the values of their input.
_PASSING = frozenset(
    {"AveragePooling2D", "Cast", "Cropping2D", "Dropout", "ExpandDims", "Flatten"}
    | {"GlobalAveragePooling1D", "GlobalAveragePooling2D", "Identity", "Mean", "Permute"}
    | {"Reshape", "Squeeze", "Transpose", "UpSampling2D"}
)
_IMAGE_RANK = 3


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
            ". Remove it"
        )


def check_image_generator(generator: keras.layers.Layer) -> None:
    """Raises ValueError if a generator of images ends in an activation that misses a part of them.

    Images lie in [-1, 1]. Outputs of another rank than that of images [batch, height, width,
    channels] pass.

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

    It may be the `activation` of a layer, a layer, an operation of `keras.ops` or the function of a
    `Lambda`, in nested or wrapped layers too, and before layers that reshape, cast or average. What
    `call` of a subclassed model does is not known.

    Args:
        network: Built network.

    Returns:
        The name of the function or operation, such as "sigmoid", and the name of its layer; ("",
        "") if the end of the network is not known.
    """
    sequential = isinstance(network, keras.Sequential)
    operations = network.layers if sequential else getattr(network, "operations", None)
    if operations:
        # In the order of the graph: before an operation of one input comes its input's.
        for operation in reversed(operations):
            if type(operation).__name__ not in _PASSING:
                return last_activation(operation)
        return "", ""
    if isinstance(network, keras.layers.Wrapper):
        return last_activation(network.layer)
    function = getattr(network, "activation", getattr(network, "function", type(network)))
    return str(getattr(function, "__name__", "")), network.name


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
