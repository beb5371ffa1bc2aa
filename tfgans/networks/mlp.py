"""Multilayer perceptrons: for points in the plane, feature vectors and very small images."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfgans import checks
from tfgans.networks import blocks

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
    seed: int | None = None,
) -> keras.Model:
    """Returns a fully connected generator, for data without spatial structure to exploit.

    `depth` hidden layers of `width` units with He initialization, as in the toy experiments of
    WGAN-GP (which take width 512), then one output layer with Glorot initialization. With
    "spectral" the hidden layers are bounded and the output layer is free: data may lie anywhere.

    Args:
        data_shape: Tuple of positive integers, the shape of one example.
        latent_dim: Integer of at least 1, the size of a latent vector. Defaults to 64.
        width: Integer of at least 1, units a hidden layer. Defaults to 128.
        depth: Integer of at least 1, the number of hidden layers. Defaults to 3.
        normalization: "none", "batch", "layer" or "spectral". Defaults to "none".
        activation: "relu", "leaky_relu" or "tanh", of the hidden layers. Defaults to "relu".
        output_activation: "linear", "tanh", or "auto": tanh for images (rank 3), which lie in
            [-1, 1], and linear for the rest. Defaults to "auto".
        seed: Integer of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from float latents [batch, latent_dim] to float32 [batch, *data_shape].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> mlp_generator((2,), latent_dim=2, width=512).output_shape
    (None, 2)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), section 5.1 and its code.
    """
    data_shape = checks.shape("data_shape", data_shape)
    checks.choice("output_activation", output_activation, _OUTPUT_ACTIVATIONS)
    seeds = blocks.layer_seeds("mlp_generator", seed)
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    x = _hidden(latents, width, depth, normalization, activation, seeds)
    units = math.prod(data_shape)
    x = keras.layers.Dense(
        units, kernel_initializer=_glorot(seeds), dtype="float32", name="output"
    )(x)
    if output_activation == "auto":
        output_activation = "tanh" if len(data_shape) == _IMAGE_RANK else "linear"
    if output_activation == "tanh":
        x = keras.layers.Activation("tanh", dtype="float32", name="output_tanh")(x)
    outputs = keras.layers.Reshape(data_shape, dtype="float32", name="examples")(x)
    return keras.Model(latents, outputs, name="mlp_generator")


def mlp_discriminator(
    data_shape: Sequence[int],
    *,
    width: int = 128,
    depth: int = 3,
    normalization: str = "none",
    activation: str = "leaky_relu",
    seed: int | None = None,
) -> keras.Model:
    """Returns a fully connected discriminator (or critic), one logit an example.

    `depth` hidden layers of `width` units with He initialization, then a logit with Glorot
    initialization. "spectral" bounds every layer, the logit's too. "batch" mixes the examples of a
    batch and does not go with a gradient penalty.

    Args:
        data_shape: Tuple of positive integers, the shape of one example.
        width: Integer of at least 1, units a hidden layer. Defaults to 128.
        depth: Integer of at least 1, the number of hidden layers. Defaults to 3.
        normalization: "none", "batch", "layer" or "spectral". Defaults to "none".
        activation: "relu", "leaky_relu" (slope 0.2) or "tanh", of the hidden layers. Defaults to
            "leaky_relu".
        seed: Integer of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from [batch, *data_shape] to float32 logits [batch, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> mlp_discriminator((2,), width=512, activation="relu").output_shape
    (None, 1)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), section 5.1 and its code.
    """
    data_shape = checks.shape("data_shape", data_shape)
    seeds = blocks.layer_seeds("mlp_discriminator", seed)
    inputs = keras.Input(data_shape, name="examples")
    x = keras.layers.Flatten(name="flatten")(inputs)
    x = _hidden(x, width, depth, normalization, activation, seeds)
    logit = keras.layers.Dense(1, kernel_initializer=_glorot(seeds), dtype="float32", name="logits")
    return keras.Model(inputs, blocks.spectral(logit, normalization)(x), name="mlp_discriminator")


def _hidden(
    x: Any,
    width: int,
    depth: int,
    normalization: str,
    activation: str,
    seeds: Iterator[int | None],
) -> Any:
    width = checks.positive_int("width", width)
    checks.choice("normalization", normalization, blocks.NORMALIZATIONS)
    checks.choice("activation", activation, blocks.ACTIVATIONS)
    for index in range(1, checks.positive_int("depth", depth) + 1):
        dense = keras.layers.Dense(
            width,
            use_bias=blocks.needs_bias(normalization),
            kernel_initializer=keras.initializers.HeNormal(next(seeds)),
            name=f"hidden_{index}",
        )
        x = blocks.spectral(dense, normalization)(x)
        name = f"hidden_{index}_norm"
        x = blocks.normalize(x, normalization=normalization, seed=next(seeds), name=name)
        x = blocks.activate(x, activation=activation, name=f"hidden_{index}_{activation}")
    return x


def _glorot(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(next(seeds))
