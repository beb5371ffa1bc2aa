"""R3GAN's pair: residual blocks of grouped convolutions, for even image sizes from 8 to 256."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.networks import blocks
from tfgans.networks.head import OneHot
from tfgans.networks.resampling import SmoothDownsampling2D, SmoothUpsampling2D
from tfgans.types import Config, Shape

_LARGEST = 256
_WIDTH = 64
# Maps of more pixels a side have half the channels for each doubling.
_FULL_WIDTH_SIDE = 32
# A map whose smaller side is at most that, or odd, is not halved: 4 to 7 pixels to start from.
_SMALLEST_MAP = 7
# Channels inside a block, for each channel outside.
_EXPANSION = 2
_GROUP_WIDTH = 16
_LABEL_DIM = 64
# Of a leaky ReLU of slope 0.2: 1 / sqrt of the second moment of its output for N(0, 1).
_GAIN = math.sqrt(2 / (1 + 0.2**2))

Width: TypeAlias = int | Sequence[int]


@dataclasses.dataclass(frozen=True)
class _Preset:
    """A published pair.

    Args:
        size: Pixels a side.
        width: Channels, as the builders take them.
        group_width: Channels of a group.
    """

    size: int
    width: int | tuple[int, ...]
    group_width: int = _GROUP_WIDTH


PRESETS: Mapping[str, _Preset] = {
    "cifar10": _Preset(32, 768),
    "ffhq64": _Preset(64, 768),
    "ffhq256": _Preset(256, 768),
    "imagenet32": _Preset(32, 1536, 32),
    "imagenet64": _Preset(64, (1536,) * 5, 32),
}


def r3gan_generator(
    image_shape: Sequence[int],
    *,
    latent_dim: int = 64,
    preset: str | None = None,
    width: Width | None = None,
    depth: int | None = None,
    num_blocks: int = 2,
    group_width: int | None = None,
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns the generator of R3GAN.

    A learned map is scaled, channel by channel, by a linear function of the latent. It passes
    through `depth` + 1 stages of `num_blocks` residual blocks, with a doubling before each stage
    but the first, and a 1x1 convolution draws the image. A block is x + [conv 1x1 - leaky ReLU -
    grouped conv 3x3 - leaky ReLU - conv 1x1] with twice the channels inside. There is no
    normalization and no other nonlinearity, so that at the start, where the last convolution of
    each block is zero, the network is linear.

    As published there is no tanh: in training images may leave [-1, 1], as much as the
    discriminator lets them. At inference they are clipped, as the authors' conversion to 8 bits
    does. Departures: an image of other sizes than 4 times a power of two starts from a map of 4 to
    7 pixels on its smaller side, or from an odd size: 7 for 28 pixels.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 256 pixels a side, both sides divisible
            by 2**depth, 1 to 4 channels.
        latent_dim: Int of at least 1, the size of a latent vector. Default: 64.
        preset: "cifar10", "ffhq64", "ffhq256", "imagenet32" or "imagenet64": `width` and
            `group_width` of the published network for images of that size; arguments that are
            passed have priority. Default: None.
        width: Int of at least 1, the channels at maps of up to 32 pixels (on the larger side),
            half as many with each doubling beyond; or the channels of all stages, smallest map
            first. Default: None, that of the preset, else 64, which suits a CPU.
        depth: Int of at least 1, the number of doublings. Default: None, halve the image
            while both sides are even and the smaller one is above 7. So 1 for 8, 2 for 28, 3 for
            32, 4 for 64, 6 for 256 pixels.
        num_blocks: Int of at least 1, blocks in a stage. Default: 2.
        group_width: Int of at least 1 that divides twice the width, channels in a group of the
            3x3 convolutions; the paper's cardinality is the number of groups. Default: None,
            that of the preset, else 16, or the largest power of two below that fits.
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. A linear embedding of the label is concatenated to the latent.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from float latents [batch, latent_dim] to float32 images
        [batch, *image_shape]. With classes it takes [latents, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range, the sides cannot be halved so often, or the
            preset is of another size.

    Example:

    >>> r3gan_generator((28, 28, 1), latent_dim=32, width=64).count_params()
    215680

    Reference: [Huang et al. 2024](https://arxiv.org/abs/2501.05441), section 3, and the authors'
    code, from which the initial weights and the presets are.
    """
    stages = _stages(image_shape, preset, width, depth, num_blocks, group_width)
    seeds = blocks.layer_seeds("r3gan_generator", seed)
    latents = keras.Input((checks.positive_int("latent_dim", latent_dim),), name="latents")
    labels = blocks.labels_input(num_classes)
    x = latents
    if labels is not None:
        one_hot = OneHot(labels.num_classes, name="one_hot")(labels.tensor)
        embedding = _linear(one_hot, _LABEL_DIM, next(seeds), name="class_embedding")
        x = keras.layers.Concatenate(name="latents_and_class")([latents, embedding])
    x = _linear(x, stages.widths[0], next(seeds), name="project")
    x = LearnedMap(stages.smallest_map, next(seeds), name="project_map")(x)
    for index, filters in enumerate(stages.widths, start=1):
        if filters != x.shape[-1]:
            x = _convolve(x, filters, next(seeds), name=f"stage_{index}_width")
        if index > 1:
            x = SmoothUpsampling2D(name=f"stage_{index}_upsample")(x)
        x = _stage(x, stages, seeds, name=f"stage_{index}")
    x = _convolve(x, stages.image_shape[-1], next(seeds), name="output", dtype="float32")
    images = ClipAtInference(dtype="float32", name="images")(x)
    return keras.Model(blocks.model_inputs(latents, labels), images, name="r3gan_generator")


def r3gan_discriminator(
    image_shape: Sequence[int],
    *,
    preset: str | None = None,
    width: Width | None = None,
    depth: int | None = None,
    num_blocks: int = 2,
    group_width: int | None = None,
    num_classes: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns the discriminator of R3GAN, with one logit per image.

    The generator in reverse: a 1x1 convolution, stages of residual blocks with a halving after each
    but the last, and a learned map that weighs the positions of each channel, from which a linear
    layer makes the logit. See `r3gan_generator`, also for the blocks.

    Args:
        image_shape: Tuple (height, width, channels): 8 to 256 pixels a side, both sides divisible
            by 2**depth, 1 to 4 channels.
        preset: "cifar10", "ffhq64", "ffhq256", "imagenet32", "imagenet64" or None (the default).
            See `r3gan_generator`, as for the next arguments.
        width: Int of at least 1, or one for each stage, smallest map first; None (the default)
            for that of the preset, or 64.
        depth: Int of at least 1, the number of halvings, or None (the default).
        num_blocks: Int of at least 1, blocks in a stage. Default: 2.
        group_width: Int of at least 1, channels in a group, or None (the default).
        num_classes: Int of at least 2, the number of classes, or None (the default) for no
            labels. The logit is then V[label].h of linear features h: an example is judged only as
            one of its class.
        seed: Int of at least 0 that fixes the initial weights, or None for Keras's global seed.

    Returns:
        A `keras.Model` from images [batch, *image_shape] to float32 logits [batch, 1]. With classes
        it takes [images, labels], labels int32 [batch].

    Raises:
        ValueError: If an argument is out of its range, the sides cannot be halved so often, or the
            preset is of another size.

    Example:

    >>> r3gan_discriminator((28, 28, 1), width=64).output_shape
    (None, 1)

    Reference: [Huang et al. 2024](https://arxiv.org/abs/2501.05441), section 3, and the authors'
    code.
    """
    stages = _stages(image_shape, preset, width, depth, num_blocks, group_width)
    seeds = blocks.layer_seeds("r3gan_discriminator", seed)
    images = keras.Input(stages.image_shape, name="images")
    labels = blocks.labels_input(num_classes)
    x = _convolve(images, stages.widths[-1], next(seeds), name="input")
    for index in range(len(stages.widths), 0, -1):
        x = _stage(x, stages, seeds, name=f"stage_{index}")
        if index > 1:
            x = SmoothDownsampling2D(name=f"stage_{index}_downsample")(x)
            if stages.widths[index - 2] != x.shape[-1]:
                x = _convolve(x, stages.widths[index - 2], next(seeds), name=f"stage_{index}_width")
    kernel = stages.smallest_map
    x = keras.layers.DepthwiseConv2D(
        kernel,
        use_bias=False,
        # Each channel is a map of its own: VarianceScaling would count all of them.
        depthwise_initializer=_normal(1 / math.sqrt(math.prod(kernel)), next(seeds)),
        name="features_map",
    )(x)
    x = keras.layers.Flatten(name="features")(x)
    if labels is None:
        logits = _linear(x, 1, next(seeds), name="logits", dtype="float32")
    else:
        logits = _judge_class(x, labels, seeds)
    return keras.Model(blocks.model_inputs(images, labels), logits, name="r3gan_discriminator")


@keras.saving.register_keras_serializable(package="tfgans")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` that convolves its groups one after another.

    Keras 3.15 compiles each grouped convolution with XLA, which TensorFlow Serving switches off,
    and which is slow on a CPU: a step forward and back with 1536 channels in 96 groups took 87 CPU
    seconds, against .09 here (batch 16, 16x16 pixels, a thread). TensorFlow's kernel has no
    gradient on some CPUs. The values are the same up to rounding. It has not been measured on a
    GPU.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Returns the convolution of inputs [batch, height, width, channels], without bias."""
        convolve = super().convolution_op
        parts = [keras.ops.split(tensor, self.groups, axis=-1) for tensor in (inputs, kernel)]
        convolved = [convolve(*part) for part in zip(*parts, strict=True)]
        return keras.ops.concatenate(convolved, axis=-1)


@keras.saving.register_keras_serializable(package="tfgans")
class LearnedMap(keras.layers.Layer):
    """Multiplies a learned map by rows of scales: [batch, c] to [batch, height, width, c].

    Args:
        map_size: Tuple (height, width), the size of the map, which starts as N(0, 1).
        seed: Int, of the initial map; or None, for Keras's global seed.
        name: As of every Keras layer, like `dtype` and `trainable`.
        dtype: As of every Keras layer.
        trainable: As of every Keras layer.
    """

    def __init__(
        self,
        map_size: Sequence[int],
        seed: int | None = None,
        *,
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.map_size = checks.shape("map_size", map_size, rank=2)
        self.seed = None if seed is None else checks.integer("seed", seed)

    def build(self, input_shape: Shape) -> None:
        """Makes the map."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.map_size, input_shape[-1]),
            initializer=_normal(1.0, self.seed),
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the scaled maps."""
        return inputs[:, tf.newaxis, tf.newaxis, :] * self.kernel

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, height, width, channels)."""
        return (input_shape[0], *self.map_size, input_shape[-1])

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "map_size": self.map_size, "seed": self.seed}


@keras.saving.register_keras_serializable(package="tfgans")
class ClipAtInference(keras.layers.Layer):
    """Clips images to [-1, 1] at inference, and returns them as they are in training."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the images."""
        return inputs if training else tf.clip_by_value(inputs, -1.0, 1.0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the images."""
        return tuple(input_shape)


@dataclasses.dataclass(frozen=True)
class _Stages:
    """The checked settings that both networks share.

    Args:
        image_shape: The shape of the images.
        widths: Channels of each stage, smallest map first.
        num_blocks: Blocks in a stage.
        group_width: Channels in a group, or None.
    """

    image_shape: tuple[int, ...]
    widths: tuple[int, ...]
    num_blocks: int
    group_width: int | None

    @property
    def smallest_map(self) -> tuple[int, int]:
        """Height and width of the map of the first stage."""
        factor = 2 ** (len(self.widths) - 1)
        return self.image_shape[0] // factor, self.image_shape[1] // factor

    @property
    def gain(self) -> float:
        """The gain of the first two convolutions of a block: smaller for more blocks (Fixup)."""
        return _GAIN * (len(self.widths) * self.num_blocks) ** -0.25

    def groups(self, channels: int) -> int:
        """Returns the groups of a convolution of so many channels; raises ValueError."""
        if self.group_width is None:
            return channels // math.gcd(channels, _GROUP_WIDTH)
        if channels % self.group_width:
            raise ValueError(
                f"`group_width` must divide the channels inside each block, {channels} for a stage "
                f"of width {channels // _EXPANSION}. Received: {self.group_width}. Take "
                f"{math.gcd(channels, self.group_width)}, or another width"
            )
        return channels // self.group_width


def _stages(
    image_shape: Sequence[int],
    preset: str | None,
    width: Width | None,
    depth: int | None,
    num_blocks: int,
    group_width: int | None,
) -> _Stages:
    shape = blocks.image_shape(image_shape, largest=_LARGEST)
    if preset is not None:
        settings = PRESETS[checks.choice("preset", preset, PRESETS)]
        if shape[:2] != (settings.size, settings.size):
            raise ValueError(
                f"preset={preset!r} is a network for images of {settings.size}x{settings.size} "
                f"pixels. Received: {shape!r}. Resize the images, or pass `width` instead"
            )
        width = settings.width if width is None else width
        group_width = settings.group_width if group_width is None else group_width
    depth = blocks.even_depth(depth, shape, smallest_map=_SMALLEST_MAP)
    return _Stages(
        shape,
        _widths(_WIDTH if width is None else width, shape, depth),
        checks.positive_int("num_blocks", num_blocks),
        None if group_width is None else checks.positive_int("group_width", group_width),
    )


def _widths(width: Width, shape: tuple[int, ...], depth: int) -> tuple[int, ...]:
    if isinstance(width, Sequence):
        widths = checks.shape("width", width)
        if len(widths) != depth + 1:
            raise ValueError(
                f"`width` must be an integer, or {depth + 1} integers, one for each stage of a "
                f"network of depth {depth}. Received: {width!r}"
            )
        return widths
    width = checks.positive_int("width", width)
    sizes = [max(shape[:2]) // 2 ** (depth - index) for index in range(depth + 1)]
    # Doublings beyond the size of full width, rounded up.
    halvings = [max(0, math.ceil(math.log2(side / _FULL_WIDTH_SIDE))) for side in sizes]
    return tuple(max(1, width // 2**times) for times in halvings)


def _stage(
    x: keras.KerasTensor, stages: _Stages, seeds: Iterator[int | None], *, name: str
) -> keras.KerasTensor:
    for index in range(1, stages.num_blocks + 1):
        x = _block(x, stages, seeds, name=f"{name}_block_{index}")
    return x


def _block(
    x: keras.KerasTensor, stages: _Stages, seeds: Iterator[int | None], *, name: str
) -> keras.KerasTensor:
    filters, inner = x.shape[-1], _EXPANSION * x.shape[-1]
    shortcut = x
    for index, (size, groups) in enumerate([(1, 1), (3, stages.groups(inner))], start=1):
        x = GroupedConv2D(
            inner,
            size,
            padding="same",
            groups=groups,
            kernel_initializer=_scaled(stages.gain, next(seeds)),
            name=f"{name}_conv_{index}",
        )(x)
        x = blocks.activate(x, activation="leaky_relu", name=f"{name}_leaky_relu_{index}")
    x = keras.layers.Conv2D(
        filters, 1, use_bias=False, kernel_initializer="zeros", name=f"{name}_conv_3"
    )(x)
    return keras.layers.Add(name=name)([shortcut, x])


def _judge_class(
    x: keras.KerasTensor, labels: blocks.Labels, seeds: Iterator[int | None]
) -> keras.KerasTensor:
    """Returns the product of linear features with the embedding of the label."""
    features = _linear(x, x.shape[-1], next(seeds), name="class_features", dtype="float32")
    one_hot = OneHot(labels.num_classes, dtype="float32", name="one_hot")(labels.tensor)
    gain = 1 / math.sqrt(x.shape[-1])
    rows = _linear(
        one_hot, x.shape[-1], next(seeds), gain=gain, name="class_embedding", dtype="float32"
    )
    return keras.layers.Dot(axes=-1, dtype="float32", name="logits")([features, rows])


def _convolve(
    x: keras.KerasTensor, filters: int, seed: int | None, *, name: str, dtype: str | None = None
) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters, 1, use_bias=False, kernel_initializer=_scaled(1.0, seed), name=name, dtype=dtype
    )(x)


def _linear(
    x: keras.KerasTensor,
    units: int,
    seed: int | None,
    *,
    name: str,
    gain: float = 1.0,
    dtype: str | None = None,
) -> keras.KerasTensor:
    return keras.layers.Dense(
        units, use_bias=False, kernel_initializer=_scaled(gain, seed), name=name, dtype=dtype
    )(x)


def _scaled(gain: float, seed: int | None) -> keras.initializers.Initializer:
    """Returns N(0, gain^2 / fan_in); of a grouped convolution the fan-in is that of its group."""
    return keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal", seed=seed)


def _normal(stddev: float, seed: int | None) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, stddev, seed=seed)
