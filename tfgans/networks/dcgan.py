"""DCGAN's convolutional pair, for images of any size from 8 to 128 pixels a side."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfgans import checks
from tfgans.networks import blocks

_SMALLEST, _LARGEST = 8, 128
_MOST_CHANNELS = 4
_STDDEV = 0.02  # of every kernel, as in DCGAN


def dcgan_generator(
    image_shape: Sequence[int],
    *,
    latent_dim: int = 128,
    width: int = 64,
    depth: int | None = None,
    normalization: str = "batch",
    seed: int | None = None,
) -> keras.Model:
    """Returns a convolutional generator, the usual choice for images of up to 128 pixels.

    A latent is projected to a small map, which `depth` transposed convolutions of stride 2 enlarge
    to the image; channels halve at each stage down to `width`, and the last stage draws the image,
    which tanh bounds. Two departures from the paper:

    * Kernels are 4x4, not 5x5: a multiple of the stride gives every pixel the same number of taps
      and so no checkerboard.
    * A stage that overshoots is cropped by a row or a column, so the sizes are those of the
      discriminator's strided convolutions in reverse and any image size fits.

    With "spectral" the output layer is left free, since tanh must be able to reach black and white.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 128 pixels a side, 1 to 4 channels.
        latent_dim: Integer of at least 1, the size of a latent vector. Defaults to 128.
        width: Integer of at least 1, channels of the map that the last stage turns into the image.
            Defaults to 64.
        depth: Integer of at least 1, the number of stages, at most log2 of the smaller side.
            Defaults to None: the fewest that start from a map of at most 4 pixels on the smaller
            side, and at least 2: 2 for 8, 3 for 28 and 32, 4 for 64, 5 for 128 pixels.
        normalization: "none", "batch", "layer" or "spectral". Defaults to "batch".
        seed: Integer of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from float latents [batch, latent_dim] to float32 images
        [batch, *image_shape] in [-1, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> dcgan_generator((28, 28, 1), width=32).output_shape
    (None, 28, 28, 1)

    Reference: [Radford et al. 2016](https://arxiv.org/abs/1511.06434), section 3 and figure 1;
    kernel size from [Odena et al. 2016](https://distill.pub/2016/deconv-checkerboard/).
    """
    image_shape, depth = _check(image_shape, width=width, depth=depth, normalization=normalization)
    seeds = blocks.layer_seeds("dcgan_generator", seed)
    # Stage i doubles sizes[i - 1] to sizes[i], or one pixel less.
    sizes = [_halved(image_shape, depth - index) for index in range(depth + 1)]
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    x = _project(latents, (*sizes[0], width * 2 ** (depth - 1)), normalization, seeds)
    for index in range(1, depth):
        name, filters = f"upsample_{index}", width * 2 ** (depth - 1 - index)
        deconvolution = _deconvolution(filters, normalization, seeds, name=name)
        x = _enlarge(x, blocks.spectral(deconvolution, normalization), sizes[index])
        x = _normalize_activate(x, name, "relu", normalization, seeds)
    output = _deconvolution(image_shape[-1], "none", seeds, name="output", dtype="float32")
    x = _enlarge(x, output, sizes[depth])
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="dcgan_generator")


def dcgan_discriminator(
    image_shape: Sequence[int],
    *,
    width: int = 64,
    depth: int | None = None,
    normalization: str = "none",
    seed: int | None = None,
) -> keras.Model:
    """Returns a convolutional discriminator (or critic), one logit an image.

    `depth` 5x5 convolutions of stride 2 with LeakyReLU(0.2), channels doubling from `width`, then a
    logit. "batch" and "layer" leave out the first convolution, which sees the pixels, and the
    logit; "spectral" bounds every layer. The default is no normalization, which goes with every
    objective and penalty; DCGAN itself takes "batch", which mixes the examples of a batch and so
    does not go with a gradient penalty.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 128 pixels a side, 1 to 4 channels.
        width: Integer of at least 1, channels of the first convolution. Defaults to 64.
        depth: Integer of at least 1, the number of convolutions, at most log2 of the smaller side.
            Defaults to None, the rule of `dcgan_generator`.
        normalization: "none", "batch", "layer" or "spectral". Defaults to "none".
        seed: Integer of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from images [batch, *image_shape] to float32 logits [batch, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> dcgan_discriminator((28, 28, 1), normalization="spectral").output_shape
    (None, 1)

    Reference: [Radford et al. 2016](https://arxiv.org/abs/1511.06434), section 3.
    """
    image_shape, depth = _check(image_shape, width=width, depth=depth, normalization=normalization)
    seeds = blocks.layer_seeds("dcgan_discriminator", seed)
    images = keras.Input(image_shape, name="images")
    x = images
    for index in range(1, depth + 1):
        x = _downsample(x, index, width * 2 ** (index - 1), normalization, seeds)
    x = keras.layers.Flatten(name="flatten")(x)
    logit = keras.layers.Dense(1, kernel_initializer=_normal(seeds), dtype="float32", name="logits")
    return keras.Model(images, blocks.spectral(logit, normalization)(x), name="dcgan_discriminator")


def _project(
    latents: Any, shape: tuple[int, ...], normalization: str, seeds: Iterator[int | None]
) -> Any:
    dense = keras.layers.Dense(
        math.prod(shape),
        use_bias=blocks.needs_bias(normalization),
        kernel_initializer=_normal(seeds),
        name="project",
    )
    x = blocks.spectral(dense, normalization)(latents)
    x = keras.layers.Reshape(shape, name="project_map")(x)
    return _normalize_activate(x, "project", "relu", normalization, seeds)


def _deconvolution(
    filters: int,
    normalization: str,
    seeds: Iterator[int | None],
    *,
    name: str,
    dtype: str | None = None,
) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=blocks.needs_bias(normalization),
        kernel_initializer=_normal(seeds),
        name=name,
        dtype=dtype,
    )


def _enlarge(x: Any, layer: keras.layers.Layer, size: tuple[int, int]) -> Any:
    """Returns the layer's output without the last row or column that `size` does not have."""
    x = layer(x)
    excess = (x.shape[1] - size[0], x.shape[2] - size[1])
    if not any(excess):
        return x
    cropping = ((0, excess[0]), (0, excess[1]))
    # The crop keeps the layer's dtype: the output is float32 under mixed precision too.
    return keras.layers.Cropping2D(cropping, dtype=x.dtype, name=f"{layer.name}_crop")(x)


def _downsample(
    x: Any, index: int, filters: int, normalization: str, seeds: Iterator[int | None]
) -> Any:
    name = f"downsample_{index}"
    if index == 1 and normalization != "spectral":
        normalization = "none"
    convolution = keras.layers.Conv2D(
        filters,
        5,
        strides=2,
        padding="same",
        use_bias=blocks.needs_bias(normalization),
        kernel_initializer=_normal(seeds),
        name=name,
    )
    x = blocks.spectral(convolution, normalization)(x)
    return _normalize_activate(x, name, "leaky_relu", normalization, seeds)


def _normalize_activate(
    x: Any, name: str, activation: str, normalization: str, seeds: Iterator[int | None]
) -> Any:
    x = blocks.normalize(x, normalization=normalization, seed=next(seeds), name=f"{name}_norm")
    return blocks.activate(x, activation=activation, name=f"{name}_{activation}")


def _normal(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, _STDDEV, seed=next(seeds))


def _halved(image_shape: tuple[int, ...], times: int) -> tuple[int, int]:
    """Returns height and width after `times` halvings that round up, as strided layers do."""
    height, width = (math.ceil(side / 2**times) for side in image_shape[:2])
    return height, width


def _check(
    image_shape: Sequence[int], *, width: int, depth: int | None, normalization: str
) -> tuple[tuple[int, ...], int]:
    """Returns the image shape as a tuple and the depth, chosen if None; raises ValueError."""
    image_shape = checks.shape("image_shape", image_shape, rank=3)
    smaller = min(image_shape[:2])
    if smaller < _SMALLEST or max(image_shape[:2]) > _LARGEST or image_shape[2] > _MOST_CHANNELS:
        raise ValueError(
            f"`image_shape` must be (height, width, channels) with {_SMALLEST} to {_LARGEST} "
            f"pixels a side and 1 to {_MOST_CHANNELS} channels. Received: {image_shape!r}. Resize "
            "the images, or pass a network of your own: any Keras model fits."
        )
    checks.positive_int("width", width)
    checks.choice("normalization", normalization, blocks.NORMALIZATIONS)
    if depth is None:
        return image_shape, max(2, math.ceil(math.log2(smaller / 4)))
    depth, deepest = checks.positive_int("depth", depth), int(math.log2(smaller))
    if depth > deepest:
        raise ValueError(
            f"`depth` must be at most {deepest} for a smaller side of {smaller} pixels: each "
            f"stage halves it. Received: {depth}"
        )
    return image_shape, depth
