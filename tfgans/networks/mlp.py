"""Multilayer perceptrons: for points in the plane, feature vectors and very small images."""

import functools
import math
from collections.abc import Sequence

import keras

from tfgans import checks
from tfgans.networks import blocks, head

_OUTPUT_ACTIVATIONS = ("auto", "linear", "tanh")
_IMAGE_RANK = 3


def mlp_generator(
    data_shape: Sequence[int],
    *,
    latent_dim: int = 64,
    width: int = 128,
    depth: int = 3,
    normalization: str = "none",
    activation: str = "relu",
    output_activation: str = "auto",
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a fully connected generator, for data without spatial structure to exploit.

    `depth` hidden layers of `width` units with He initialization, as in the toy experiments of
    WGAN-GP (which take width 512), then an output layer with Glorot initialization. With
    "spectral" the hidden layers are bounded and the output layer is free: data may lie anywhere.

    Args:
        data_shape: Tuple of positive integers, the shape of an example.
        latent_dim: Int of at least 1, the size of a latent vector. Default: 64.
        width: Int of at least 1, units per hidden layer. Default: 128.
        depth: Int of at least 1, the number of hidden layers. Default: 3.
        normalization: "none", "batch", "layer" or "spectral". Default: "none".
        activation: "relu", "leaky_relu" or "tanh", of the hidden layers. Default: "relu".
        output_activation: "linear", "tanh", or "auto": tanh for images (rank 3), which lie in
            [-1, 1], and linear for the rest. Default: "auto".
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. Each class has a separate gain and offset at every normalization, or in its
            place.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from float latents [batch, latent_dim] to float32 [batch, *data_shape].
        With classes it takes [latents, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> mlp_generator((2,), latent_dim=2, width=512).output_shape
    (None, 2)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), section 3.1 and its code.
    """
    data_shape = checks.shape("data_shape", data_shape)
    checks.choice("output_activation", output_activation, _OUTPUT_ACTIVATIONS)
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    labels = blocks.labels_input(num_classes)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("mlp_generator", seed), labels)
    x = _hidden(latents, width, depth, activation, recipe)
    units = math.prod(data_shape)
    x = keras.layers.Dense(
        units, kernel_initializer=blocks.glorot(recipe.seeds), dtype="float32", name="output"
    )(x)
    if output_activation == "auto":
        output_activation = "tanh" if len(data_shape) == _IMAGE_RANK else "linear"
    if output_activation == "tanh":
        x = keras.layers.Activation("tanh", dtype="float32", name="output_tanh")(x)
    outputs = keras.layers.Reshape(data_shape, dtype="float32", name="examples")(x)
    return keras.Model(blocks.model_inputs(latents, labels), outputs, name="mlp_generator")


def mlp_discriminator(
    data_shape: Sequence[int],
    *,
    width: int = 128,
    depth: int = 3,
    normalization: str = "none",
    activation: str = "leaky_relu",
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a fully connected discriminator (or critic) with one logit per example.

    `depth` hidden layers of `width` units with He initialization, then a logit with Glorot
    initialization. "spectral" bounds every layer, including that of the logit. "batch" mixes the
    examples of a batch and cannot be combined with a gradient penalty.

    Args:
        data_shape: Tuple of positive integers, the shape of an example.
        width: Int of at least 1, units per hidden layer. Default: 128.
        depth: Int of at least 1, the number of hidden layers. Default: 3.
        normalization: "none", "batch", "layer" or "spectral". Default: "none".
        activation: "relu", "leaky_relu" (slope 0.2) or "tanh", of the hidden layers. Defaults to
            "leaky_relu".
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. The logit is then a projection: w.h + b + V[label].h of the features h.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from [batch, *data_shape] to float32 logits [batch, 1]. With classes it
        takes [examples, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> mlp_discriminator((2,), width=512, activation="relu").output_shape
    (None, 1)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), section 3.1 and its code.
    """
    data_shape = checks.shape("data_shape", data_shape)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("mlp_discriminator", seed))
    examples = keras.Input(data_shape, name="examples")
    labels = blocks.labels_input(num_classes)
    x = keras.layers.Flatten(name="flatten")(examples)
    x = _hidden(x, width, depth, activation, recipe)
    initializer = functools.partial(blocks.glorot, recipe.seeds)
    logits = head.logits(x, labels, recipe=recipe, initializer=initializer)
    inputs = blocks.model_inputs(examples, labels)
    return keras.Model(inputs, logits, name="mlp_discriminator")


def _hidden(
    x: keras.KerasTensor, width: int, depth: int, activation: str, recipe: blocks.Recipe
) -> keras.KerasTensor:
    width = checks.positive_int("width", width)
    checks.choice("normalization", recipe.normalization, blocks.NORMALIZATIONS)
    checks.choice("activation", activation, blocks.ACTIVATIONS)
    for index in range(1, checks.positive_int("depth", depth) + 1):
        dense = keras.layers.Dense(
            width,
            use_bias=recipe.bias,
            kernel_initializer=keras.initializers.HeNormal(next(recipe.seeds)),
            name=f"hidden_{index}",
        )
        x = recipe.spectral(dense)(x)
        x = recipe.normalize_activate(x, activation=activation, name=f"hidden_{index}")
    return x
