"""DCGAN's convolutional pair, for images of any size from 8 to 128 pixels a side."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import keras

from tfgans import checks
from tfgans.networks import blocks, head

_STDDEV = 0.02  # of every kernel, as in DCGAN


def dcgan_generator(
    image_shape: Sequence[int],
    *,
    latent_dim: int = 128,
    width: int = 64,
    depth: int | None = None,
    normalization: str = "batch",
    num_classes: int | None = None,
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
        latent_dim: Int of at least 1, the size of a latent vector. Default: 128.
        width: Int of at least 1, channels of the map that the last stage turns into the image.
            Default: 64.
        depth: Int of at least 1, the number of stages, at most log2 of the smaller side.
            Default: None, the fewest that start from a map of at most 4 pixels on the smaller
            side, and at least 2: 2 for 8, 3 for 28 and 32, 4 for 64, 5 for 128 pixels.
        normalization: "none", "batch", "layer" or "spectral". Default: "batch".
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. Each class has a separate gain and offset at every normalization, or in its
            place.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from float latents [batch, latent_dim] to float32 images
        [batch, *image_shape] in [-1, 1]. With classes it takes [latents, labels], labels
        int32 [batch].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> dcgan_generator((28, 28, 1), width=32).output_shape
    (None, 28, 28, 1)

    Reference: [Radford et al. 2016](https://arxiv.org/abs/1511.06434), section 3 and figure 1;
    kernel size from [Odena et al. 2016](https://distill.pub/2016/deconv-checkerboard/).
    """
    image_shape, depth = _check(image_shape, width=width, depth=depth, normalization=normalization)
    labels = blocks.labels_input(num_classes)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("dcgan_generator", seed), labels)
    # Stage i doubles sizes[i - 1] to sizes[i], or to a pixel less.
    sizes = [_halved(image_shape, depth - index) for index in range(depth + 1)]
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    x = _project(latents, (*sizes[0], width * 2 ** (depth - 1)), recipe)
    for index in range(1, depth):
        name, filters = f"upsample_{index}", width * 2 ** (depth - 1 - index)
        layer = recipe.spectral(_deconvolution(filters, recipe, name=name, use_bias=recipe.bias))
        x = _enlarge(x, layer, sizes[index])
        x = recipe.normalize_activate(x, activation="relu", name=name)
    output = _deconvolution(image_shape[-1], recipe, name="output", dtype="float32")
    x = _enlarge(x, output, sizes[depth])
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(blocks.model_inputs(latents, labels), images, name="dcgan_generator")


def dcgan_discriminator(
    image_shape: Sequence[int],
    *,
    width: int = 64,
    depth: int | None = None,
    normalization: str = "none",
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a convolutional discriminator (or critic) with one logit per image.

    `depth` 5x5 convolutions of stride 2 with LeakyReLU(0.2), channels doubling from `width`, then a
    logit. "batch" and "layer" do not normalize the first convolution, which sees the pixels, or the
    logit; "spectral" bounds every layer. The default is no normalization, which works with every
    objective and penalty. DCGAN itself uses "batch", which mixes the examples of a batch and so
    cannot be combined with a gradient penalty.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 128 pixels a side, 1 to 4 channels.
        width: Int of at least 1, channels of the first convolution. Default: 64.
        depth: Int of at least 1, the number of convolutions, at most log2 of the smaller side.
            Default: None, the rule of `dcgan_generator`.
        normalization: "none", "batch", "layer" or "spectral". Default: "none".
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. The logit is then a projection: w.h + b + V[label].h of the features h.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from images [batch, *image_shape] to float32 logits [batch, 1]. With classes
        it takes [images, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> dcgan_discriminator((28, 28, 1), normalization="spectral").output_shape
    (None, 1)

    Reference: [Radford et al. 2016](https://arxiv.org/abs/1511.06434), section 3.
    """
    image_shape, depth = _check(image_shape, width=width, depth=depth, normalization=normalization)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("dcgan_discriminator", seed))
    images = keras.Input(image_shape, name="images")
    labels = blocks.labels_input(num_classes)
    x = images
    for index in range(1, depth + 1):
        x = _downsample(x, index, width * 2 ** (index - 1), recipe)
    x = keras.layers.Flatten(name="flatten")(x)
    logits = head.logits(x, labels, recipe=recipe, initializer=functools.partial(_normal, recipe))
    return keras.Model(blocks.model_inputs(images, labels), logits, name="dcgan_discriminator")


def _project(
    latents: keras.KerasTensor, shape: tuple[int, ...], recipe: blocks.Recipe
) -> keras.KerasTensor:
    dense = keras.layers.Dense(
        math.prod(shape),
        use_bias=recipe.bias,
        kernel_initializer=_normal(recipe),
        name="project",
    )
    x = recipe.spectral(dense)(latents)
    x = keras.layers.Reshape(shape, name="project_map")(x)
    return recipe.normalize_activate(x, activation="relu", name="project")


def _deconvolution(
    filters: int,
    recipe: blocks.Recipe,
    *,
    name: str,
    use_bias: bool = True,
    dtype: str | None = None,
) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=_normal(recipe),
        name=name,
        dtype=dtype,
    )


def _enlarge(
    x: keras.KerasTensor, layer: keras.layers.Layer, size: tuple[int, int]
) -> keras.KerasTensor:
    """Returns the layer's output without the last row or column that `size` does not have."""
    x = layer(x)
    excess = (x.shape[1] - size[0], x.shape[2] - size[1])
    if not any(excess):
        return x
    cropping = ((0, excess[0]), (0, excess[1]))
    # The crop keeps the layer's dtype: the output is float32 under mixed precision too.
    return keras.layers.Cropping2D(cropping, dtype=x.dtype, name=f"{layer.name}_crop")(x)


def _downsample(
    x: keras.KerasTensor, index: int, filters: int, recipe: blocks.Recipe
) -> keras.KerasTensor:
    name = f"downsample_{index}"
    if index == 1 and recipe.normalization != "spectral":
        recipe = dataclasses.replace(recipe, normalization="none")
    convolution = keras.layers.Conv2D(
        filters,
        5,
        strides=2,
        padding="same",
        use_bias=recipe.bias,
        kernel_initializer=_normal(recipe),
        name=name,
    )
    x = recipe.spectral(convolution)(x)
    return recipe.normalize_activate(x, activation="leaky_relu", name=name)


def _normal(recipe: blocks.Recipe) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, _STDDEV, seed=next(recipe.seeds))


def _halved(image_shape: tuple[int, ...], times: int) -> tuple[int, int]:
    """Returns height and width after `times` halvings that round up, as strided layers do."""
    height, width = (math.ceil(side / 2**times) for side in image_shape[:2])
    return height, width


def _check(
    image_shape: Sequence[int], *, width: int, depth: int | None, normalization: str
) -> tuple[tuple[int, ...], int]:
    """Returns the image shape as a tuple and the depth, chosen if None; raises ValueError."""
    image_shape = blocks.image_shape(image_shape)
    checks.positive_int("width", width)
    checks.choice("normalization", normalization, blocks.NORMALIZATIONS)
    if depth is None:
        return image_shape, max(2, math.ceil(math.log2(min(image_shape[:2]) / 4)))
    return image_shape, blocks.image_depth(depth, image_shape)
