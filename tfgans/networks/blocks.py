"""Shared parts of the builders: checks, normalization, activation, labels and layer seeds."""

import dataclasses
import itertools
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfgans import checks, shapes
from tfgans.layers.conditional_affine import ConditionalAffine
from tfgans.layers.spectral_normalization import SpectralNormalization

NORMALIZATIONS = ("none", "batch", "layer", "spectral")
ACTIVATIONS = ("relu", "leaky_relu", "tanh")
_SMALLEST, _LARGEST = 8, 128
_MOST_CHANNELS = 4


class Labels(NamedTuple):
    """The labels that a network takes, int32 [batch], and the number of classes."""

    tensor: keras.KerasTensor
    num_classes: int


def labels_input(num_classes: int | None) -> Labels | None:
    """Returns a network's second input, or None for a network without classes.

    Raises:
        ValueError: If `num_classes` is neither None nor an integer of at least 2.
    """
    if num_classes is None:
        return None
    num_classes = checks.int_at_least("num_classes", num_classes, 2)
    return Labels(keras.Input((), dtype="int32", name="labels"), num_classes)


def model_inputs(
    first: keras.KerasTensor, labels: Labels | None
) -> keras.KerasTensor | list[keras.KerasTensor]:
    """Returns what `keras.Model` takes as inputs: `first`, or [first, labels]."""
    return first if labels is None else [first, labels.tensor]


def layer_seeds(builder: str, seed: int | None) -> Iterator[int | None]:
    """Returns an endless iterator of layer seeds, a function of builder and seed.

    Args:
        builder: Name of the network, so that a generator and a discriminator of the same seed
            differ.
        seed: Int of at least 0, or None: then each seed is None, which Keras takes as a draw
            from its global seed.

    Raises:
        ValueError: If `seed` is neither None nor an integer of at least 0.
    """
    if seed is None:
        return itertools.repeat(None)
    entropy = [zlib.crc32(builder.encode()), checks.int_at_least("seed", seed, 0)]
    return (_seed([*entropy, index]) for index in itertools.count())


def image_shape(value: Sequence[int], *, largest: int = _LARGEST) -> tuple[int, ...]:
    """Returns an image shape as a tuple; raises ValueError if the builder does not support it."""
    shapes.check_data_format()
    shape = checks.shape("image_shape", value, rank=3)
    if min(shape[:2]) < _SMALLEST or max(shape[:2]) > largest or shape[2] > _MOST_CHANNELS:
        raise ValueError(
            f"`image_shape` must be (height, width, channels) with {_SMALLEST} to {largest} "
            f"pixels a side and 1 to {_MOST_CHANNELS} channels. Received: {shape!r}. Load the "
            "images in another size (`image_size`), or pass another network: any Keras model works"
        )
    return shape


def image_depth(depth: int, shape: tuple[int, ...]) -> int:
    """Returns a checked depth; raises ValueError if it leaves less than a pixel."""
    smaller = min(shape[:2])
    depth, deepest = checks.positive_int("depth", depth), int(math.log2(smaller))
    if depth > deepest:
        raise ValueError(
            f"`depth` must be at most {deepest} for a smaller side of {smaller} pixels: each "
            f"stage halves it. Received: {depth}"
        )
    return depth


def even_depth(depth: int | None, shape: tuple[int, ...], *, smallest_map: int) -> int:
    """Returns the number of halvings, checked: both sides must be multiples of 2**depth.

    Args:
        depth: Int of at least 1, or None: halve at least once, and as long as both sides are even
            and the smaller one is above `smallest_map`.
        shape: The shape of the images.
        smallest_map: Int, pixels.

    Raises:
        ValueError: If a side is not a multiple of 2**depth.
    """
    height_width = shape[:2]
    if depth is None:
        depth = 1
        while min(height_width) > smallest_map * 2**depth and not any(
            side % 2 ** (depth + 1) for side in height_width
        ):
            depth += 1
    factor = 2 ** image_depth(depth, shape)
    if any(side % factor for side in height_width):
        nearest = tuple(factor * max(1, round(side / factor)) for side in height_width)
        raise ValueError(
            f"Both sides of `image_shape` must be multiples of 2**depth = {factor}: each of the "
            f"{depth} halvings must come out even. Received: {shape!r}, depth={depth}. "
            f"Resize the images, say to {nearest}, or take a smaller depth"
        )
    return depth


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The common settings of the layers of a network.

    Attributes:
        normalization: One of `NORMALIZATIONS`.
        seeds: Iterator of `layer_seeds`.
        labels: What makes the normalizations conditional, or None.
    """

    normalization: str
    seeds: Iterator[int | None]
    labels: Labels | None = None

    @property
    def bias(self) -> bool:
        """Whether a layer before normalization needs a bias: batch statistics cancel it."""
        return self.normalization != "batch"

    def spectral(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns `layer`, wrapped if the normalization is "spectral"."""
        if self.normalization == "spectral":
            return SpectralNormalization(layer, name=layer.name)
        return layer

    def normalize_activate(
        self, features: keras.KerasTensor, *, activation: str, name: str
    ) -> keras.KerasTensor:
        """Returns features after normalization and activation, both named after `name`."""
        features = self.normalize(features, name=f"{name}_norm")
        return activate(features, activation=activation, name=f"{name}_{activation}")

    def normalize(self, features: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """Returns normalized features for "batch" and "layer", and `features` for the others.

        "batch" has DCGAN's gain N(1, 0.02), and statistics that replicas share: unshared moving
        statistics drift apart unnoticed. "layer" normalizes an example over all its axes with a
        gain and an offset per channel, as in the code of WGAN-GP: group normalization with a single
        group.

        With labels, gain and offset are those of the example's class, whatever the normalization:
        they also reach each layer of a network without normalization.
        """
        seed, shared = next(self.seeds), self.labels is None
        if self.normalization == "batch":
            features = keras.layers.BatchNormalization(
                momentum=0.9,
                epsilon=1e-5,
                center=shared,
                scale=shared,
                gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02, seed=seed),
                synchronized=True,
                name=name,
            )(features)
        elif self.normalization == "layer":
            features = keras.layers.GroupNormalization(
                groups=1, epsilon=1e-5, center=shared, scale=shared, name=name
            )(features)
        if self.labels is None:
            return features
        affine = ConditionalAffine(self.labels.num_classes, name=f"{name}_affine")
        return affine([features, self.labels.tensor])


def activate(features: keras.KerasTensor, *, activation: str, name: str) -> keras.KerasTensor:
    """Returns activated features; the slope of "leaky_relu" is DCGAN's 0.2."""
    function = leaky_relu if activation == "leaky_relu" else activation
    return keras.layers.Activation(function, name=name)(features)


@keras.saving.register_keras_serializable(package="tfgans")
def leaky_relu(features: keras.KerasTensor) -> keras.KerasTensor:
    """Returns max(0.2 x, x), bit for bit what `keras.layers.LeakyReLU(0.2)` gives.

    TensorFlow 2.21 tries to fuse LeakyRelu into the convolution before it, fails in graphs
    with gradients, says so on stderr and drops the whole pass: 13 % more CPU time per step of
    WGAN-GP on DCGAN 32x32, measured on 2 cores. In this order the slope at 0 is 0.2, as there.
    """
    return keras.ops.maximum(0.2 * features, features)


def glorot(seeds: Iterator[int | None], *, gain: float = 1.0) -> keras.initializers.Initializer:
    """Returns Glorot's uniform initializer with the next seed, its draws `gain` times as large."""
    if gain == 1.0:
        return keras.initializers.GlorotUniform(next(seeds))
    return keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform", seed=next(seeds))


def _seed(entropy: list[int]) -> int:
    # 31 bits fit the int32 and the uint32 that Keras may store a seed in.
    return int(np.random.SeedSequence(entropy).generate_state(1)[0]) >> 1
