"""Resampling of maps by 2 with the filter [1, 3, 3, 1], as in R3GAN's networks.

The layers take maps [batch, height, width, channels]. Outside of a map are zeros, so a constant map
becomes smaller at its border.
"""

import keras
import numpy as np
import tensorflow as tf

from tfgans.types import Shape

# The outer product of [1, 3, 3, 1] with itself, with a sum of 1: float [4, 4].
_FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
_STRIDES = [1, 2, 2, 1]


@keras.saving.register_keras_serializable(package="tfgans")
class SmoothUpsampling2D(keras.layers.Layer):
    """Doubles height and width of a map; inside, it is bilinear interpolation."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the enlarged map."""
        # The adjoint of the convolution below, and four times as much: a pixel becomes four. Its
        # operation in TensorFlow cannot be converted to ONNX and LiteRT.
        return _doubled(_doubled(inputs, axis=1), axis=2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, 2 height, 2 width, channels)."""
        batch, height, width, channels = input_shape
        doubled = [None if side is None else 2 * side for side in (height, width)]
        return (batch, *doubled, channels)


def _doubled(maps: tf.Tensor, axis: int) -> tf.Tensor:
    """Returns maps of twice the size along an axis: 3/4 of each value and 1/4 of its neighbor."""
    known = tf.shape(maps)
    sizes = [known[index] if size is None else size for index, size in enumerate(maps.shape)]
    padded = tf.pad(maps, [[1, 1] if index == axis else [0, 0] for index in range(4)])
    halves = []
    for part in (slice(None, -2), slice(2, None)):  # The neighbor before, and the one after.
        # Not `tf.slice`, which has no second derivative under XLA.
        neighbors = padded[tuple(part if index == axis else slice(None) for index in range(4))]
        halves.append(0.75 * maps + 0.25 * neighbors)
    doubled = [size * (1 + (index == axis)) for index, size in enumerate(sizes)]
    return tf.reshape(tf.stack(halves, axis=axis + 1), doubled)


@keras.saving.register_keras_serializable(package="tfgans")
class SmoothDownsampling2D(keras.layers.Layer):
    """Halves height and width of a map, which must be even."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the reduced map."""
        kernel = np.repeat(_FILTER[:, :, np.newaxis, np.newaxis], inputs.shape[-1], axis=2)
        return tf.nn.depthwise_conv2d(inputs, tf.constant(kernel, inputs.dtype), _STRIDES, "SAME")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, height / 2, width / 2, channels)."""
        batch, height, width, channels = input_shape
        halved = [None if side is None else side // 2 for side in (height, width)]
        return (batch, *halved, channels)
