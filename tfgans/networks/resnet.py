"""The residual pair of WGAN-GP and SNGAN, for images of any even size from 8 to 128 pixels a side.

Two families, as in the papers' tables. Images of up to 32 pixels (on the larger side) have `width`
channels throughout, and a discriminator that ends in two blocks at the same resolution. Larger
images have `width` channels at full resolution, twice as many after each halving, up to 16 times,
and a discriminator that ends in a single such block. With the defaults, and SNGAN's `width=256` for
the generator of CIFAR-10, these are the channels and the resolutions of the published networks: of
WGAN-GP for CIFAR-10, of SNGAN for CIFAR-10 (32), STL-10 (48) and ImageNet (128). In SNGAN's code
for 64 pixels the last block of the discriminator halves as well, from 4 to 2 pixels.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import keras

from tfgans import checks
from tfgans.networks import blocks, head

_SMALL = 32
_SMALL_WIDTH, _LARGE_WIDTH = 128, 64
_MOST_WIDTHS = 16
# A map whose smaller side is at most that, or odd, is not halved: 4 or 6 pixels for a generator to
# start from; for a discriminator to end with 8 in CIFAR-10's table, 4 and 3 in those beyond.
_GENERATOR_MAP = 6
_DISCRIMINATOR_MAP, _LARGE_DISCRIMINATOR_MAP = 8, 4


def resnet_generator(
    image_shape: Sequence[int],
    *,
    latent_dim: int = 128,
    width: int | None = None,
    depth: int | None = None,
    normalization: str = "batch",
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a residual generator, slower than DCGAN's and better on most images.

    A latent is projected to a small map, which `depth` blocks double to the image's size. A block
    is [norm - ReLU - upsample - conv 3x3 - norm - ReLU - conv 3x3] plus a shortcut [upsample -
    conv 1x1]; after the last come norm - ReLU - conv 3x3 - tanh. Upsampling repeats pixels.

    Kernels start as in the code of both papers: Glorot's uniform draw, sqrt(2) times as large in
    front of the ReLUs (the 3x3 convolutions of the blocks); WGAN-GP calls that He's. Departures: a
    convolution between batch normalizations has no bias, which they would cancel, the gain of
    batch normalization starts as DCGAN's, and the last normalization is conditional too. With
    "spectral" the output layer is left free, since tanh must be able to reach black and white.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 128 pixels a side, both sides divisible
            by 2**depth, 1 to 4 channels.
        latent_dim: Int of at least 1, the size of a latent vector. Default: 128.
        width: Int of at least 1, channels at full resolution. Default: None, 128 for images
            of up to 32 pixels, where SNGAN takes 256, and 64 for larger ones.
        depth: Int of at least 1, the number of blocks, each of which doubles the map. Default:
            None, halve the image while both sides are even and the smaller one is above 6. So 1
            for 8, 2 for 28, 3 for 32 and 48, 4 for 64, 5 for 128 pixels.
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
        ValueError: If an argument is out of its range, or the sides cannot be halved so often.

    Example:

    >>> resnet_generator((32, 32, 3), width=256).output_shape
    (None, 32, 32, 3)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), appendix;
    [Miyato et al. 2018](https://arxiv.org/abs/1802.05957), tables 4 to 6.
    """
    image_shape = blocks.image_shape(image_shape)
    depth = blocks.even_depth(depth, image_shape, smallest_map=_GENERATOR_MAP)
    channels = [_channels(image_shape, width, depth - index) for index in range(depth + 1)]
    checks.choice("normalization", normalization, blocks.NORMALIZATIONS)
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    labels = blocks.labels_input(num_classes)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("resnet_generator", seed), labels)
    start = (image_shape[0] // 2**depth, image_shape[1] // 2**depth, channels[0])
    project = keras.layers.Dense(
        math.prod(start), kernel_initializer=blocks.glorot(recipe.seeds), name="project"
    )
    x = keras.layers.Reshape(start, name="project_map")(recipe.spectral(project)(latents))
    for index in range(1, depth + 1):
        x = _up_block(x, channels[index], recipe, name=f"block_{index}")
    x = _activate_sum(x, recipe, name="features")
    free = dataclasses.replace(recipe, normalization="none")
    x = _convolve(x, image_shape[-1], 3, free, gain=1.0, name="output", dtype="float32")
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(blocks.model_inputs(latents, labels), images, name="resnet_generator")


def resnet_discriminator(
    image_shape: Sequence[int],
    *,
    width: int | None = None,
    depth: int | None = None,
    normalization: str = "none",
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a residual discriminator (or critic) with one logit per image.

    `depth` blocks that halve, then blocks that do not: two for images of up to 32 pixels, one for
    larger ones. A block is [ReLU - conv 3x3 - ReLU - conv 3x3 - average pool] plus a shortcut
    [average pool - conv 1x1], or nothing but the input where neither size nor channels change. The
    first block sees the pixels and has no ReLU in front. After the last come ReLU, the sum over all
    positions, as in SNGAN, and a logit; WGAN-GP takes the mean.

    "batch" and "layer" normalize before the ReLUs of all blocks but the first; "spectral" bounds
    every layer, including shortcuts and the logit, as in SNGAN. The default is no normalization,
    which works with every objective and penalty; "batch" mixes the examples of a batch and so
    cannot be combined with a gradient penalty. Kernels start as in `resnet_generator`.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 128 pixels a side, both sides divisible
            by 2**depth, 1 to 4 channels.
        width: Int of at least 1, channels of the first block. Default: None, 128 for images
            of up to 32 pixels, 64 for larger ones.
        depth: Int of at least 1, the number of blocks that halve. Default: None, halve while
            both sides are even and the smaller one is above 8 (4 for images of more than 32
            pixels), and at least once. So 1 for 8, 2 for 28 and 32, 4 for 48 and 64, 5 for 128
            pixels: not always what the generator has.
        normalization: "none", "batch", "layer" or "spectral". Default: "none".
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. The logit is then a projection: w.h + b + V[label].h of the features h.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from images [batch, *image_shape] to float32 logits [batch, 1]. With classes
        it takes [images, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range, or the sides cannot be halved so often.

    Example:

    >>> resnet_discriminator((32, 32, 3), normalization="spectral").output_shape
    (None, 1)

    Reference: [Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), appendix;
    [Miyato et al. 2018](https://arxiv.org/abs/1802.05957), tables 4 to 6.
    """
    image_shape = blocks.image_shape(image_shape)
    small = _is_small(image_shape)
    smallest_map = _DISCRIMINATOR_MAP if small else _LARGE_DISCRIMINATOR_MAP
    depth = blocks.even_depth(depth, image_shape, smallest_map=smallest_map)
    checks.choice("normalization", normalization, blocks.NORMALIZATIONS)
    recipe = blocks.Recipe(normalization, blocks.layer_seeds("resnet_discriminator", seed))
    images = keras.Input(image_shape, name="images")
    labels = blocks.labels_input(num_classes)
    x = images
    for index in range(depth + (2 if small else 1)):
        filters = _channels(image_shape, width, index)
        name = f"block_{index + 1}"
        x = _down_block(x, filters, recipe, name=name, first=index == 0, halve=index < depth)
    x = keras.layers.Activation(relu_of_sum, name="features_relu")(x)
    # In float32: the sum over a map may be more than float16 holds.
    x = head.GlobalSumPooling2D(dtype="float32", name="features")(x)
    initializer = functools.partial(blocks.glorot, recipe.seeds)
    logits = head.logits(x, labels, recipe=recipe, initializer=initializer)
    return keras.Model(blocks.model_inputs(images, labels), logits, name="resnet_discriminator")


def _up_block(
    x: keras.KerasTensor, filters: int, recipe: blocks.Recipe, *, name: str
) -> keras.KerasTensor:
    # A 1x1 convolution of repeated pixels is the repeated convolution: it costs a quarter.
    shortcut = _convolve(x, filters, 1, recipe, gain=1.0, name=f"{name}_shortcut")
    shortcut = keras.layers.UpSampling2D(2, name=f"{name}_shortcut_upsample")(shortcut)
    x = _activate_sum(x, recipe, name=f"{name}_input")
    x = keras.layers.UpSampling2D(2, name=f"{name}_upsample")(x)
    x = _convolve(x, filters, 3, recipe, name=f"{name}_conv_1", use_bias=recipe.bias)
    x = recipe.normalize_activate(x, activation="relu", name=f"{name}_conv_1")
    x = _convolve(x, filters, 3, recipe, name=f"{name}_conv_2")
    return keras.layers.Add(name=name)([x, shortcut])


def _down_block(
    x: keras.KerasTensor,
    filters: int,
    recipe: blocks.Recipe,
    *,
    name: str,
    first: bool,
    halve: bool,
) -> keras.KerasTensor:
    if first and recipe.normalization != "spectral":
        recipe = dataclasses.replace(recipe, normalization="none")
    shortcut, inner = x, filters if first else x.shape[-1]
    if halve:
        shortcut = keras.layers.AveragePooling2D(2, name=f"{name}_shortcut_pool")(shortcut)
    if halve or filters != x.shape[-1]:
        shortcut = _convolve(shortcut, filters, 1, recipe, gain=1.0, name=f"{name}_shortcut")
    if not first:
        x = _activate_sum(x, recipe, name=f"{name}_input")
    x = _convolve(x, inner, 3, recipe, name=f"{name}_conv_1", use_bias=recipe.bias)
    x = recipe.normalize_activate(x, activation="relu", name=f"{name}_conv_1")
    x = _convolve(x, filters, 3, recipe, name=f"{name}_conv_2")
    if halve:
        x = keras.layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return keras.layers.Add(name=name)([x, shortcut])


def _activate_sum(x: keras.KerasTensor, recipe: blocks.Recipe, *, name: str) -> keras.KerasTensor:
    x = recipe.normalize(x, name=f"{name}_norm")
    return keras.layers.Activation(relu_of_sum, name=f"{name}_relu")(x)


@keras.saving.register_keras_serializable(package="tfgans")
def relu_of_sum(features: keras.KerasTensor) -> keras.KerasTensor:
    """Returns max(0, x): ReLU in a form for what leaves a block's sum.

    TensorFlow 2.21 tries to fuse Relu with the sum and the convolution before it, fails in
    graphs with gradients, says so on stderr and drops the whole pass, as for `blocks.leaky_relu`.
    In this order the slope at 0 is 0, as there.
    """
    return keras.ops.maximum(0.0, features)


def _convolve(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    recipe: blocks.Recipe,
    *,
    name: str,
    gain: float = math.sqrt(2),
    use_bias: bool = True,
    dtype: str | None = None,
) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(
        filters,
        size,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=blocks.glorot(recipe.seeds, gain=gain),
        name=name,
        dtype=dtype,
    )
    return recipe.spectral(convolution)(x)


def _is_small(image_shape: tuple[int, ...]) -> bool:
    return max(image_shape[:2]) <= _SMALL


def _channels(image_shape: tuple[int, ...], width: int | None, halvings: int) -> int:
    """Returns the channels of a map after so many halvings of the image; raises ValueError."""
    small = _is_small(image_shape)
    if width is None:
        width = _SMALL_WIDTH if small else _LARGE_WIDTH
    width = checks.positive_int("width", width)
    return width if small else width * min(2**halvings, _MOST_WIDTHS)
