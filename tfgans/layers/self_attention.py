"""Self-attention over the positions of a map."""

from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, shapes
from tfgans.layers.spectral_normalization import SpectralNormalization
from tfgans.types import Config, Shape

_MAP_RANK = 4
# Channels of queries and keys, and of values, as parts of the map's.
_KEY_PART, _VALUE_PART = 8, 2


@keras.saving.register_keras_serializable(package="tfgans")
class SelfAttention(keras.layers.Layer):
    """Adds to each position of a map what it attends to: x + scale * conv(attention of x).

    Queries and keys are 1x1 convolutions of the map to an eighth of its channels, values to half;
    keys and values are max-pooled 2x2. The weights of a position are the softmax over all keys of
    query.key, without a division by the root of the dimension. `scale` starts at 0, so the layer
    starts as the identity. Its usual place is one map of medium size in each network.

    Args:
        spectral: Bool, whether the four convolutions are wrapped in `SpectralNormalization`, as in
            the paper. Default: True.
        seed: Int, of the initial weights; or None (the default), for Keras's global seed.
        **options: Those of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Float [batch, height, width, channels]: sides of at least 2, at least 8 channels. A
            last odd row or column has no keys.
        training: Bool, whether spectral normalization moves on. Default: False.

    Output shape: that of the inputs.

    Raises:
        ValueError: If the inputs are no such maps.

    Example:

    >>> SelfAttention()(np.zeros((2, 8, 8, 16), "float32")).shape
    TensorShape([2, 8, 8, 16])

    Reference: [Zhang et al. 2019](https://arxiv.org/abs/1805.08318), section 3, and the authors'
    code, which pools.
    """

    def __init__(self, spectral: bool = True, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.spectral = checks.boolean("spectral", spectral)
        self.seed = None if seed is None else checks.integer("seed", seed)

    def build(self, input_shape: Shape) -> None:
        """Makes the convolutions and the scale."""
        shapes.check_data_format()
        shape = tuple(input_shape)
        channels = shape[-1] or 0
        small = any(side is None or side < 2 for side in shape[1:3])
        if len(shape) != _MAP_RANK or small or channels < _KEY_PART:
            raise ValueError(
                "The inputs must be maps [batch, height, width, channels] with sides of at least 2 "
                f"and at least {_KEY_PART} channels. Received: shape {shape}"
            )
        values = channels // _VALUE_PART
        self.queries = self._convolution("queries", channels // _KEY_PART, channels, 0)
        self.keys = self._convolution("keys", channels // _KEY_PART, channels, 1)
        self.values = self._convolution("values", values, channels, 2)
        self.outputs = self._convolution("outputs", channels, values, 3)
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")
        super().build(input_shape)

    def _convolution(
        self, name: str, filters: int, channels: int, index: int
    ) -> keras.layers.Layer:
        seed = None if self.seed is None else self.seed + index
        convolution: keras.layers.Layer = keras.layers.Conv2D(
            filters,
            1,
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name=name,
        )
        if self.spectral:
            # Its vector moves in training, unless it is frozen too.
            convolution = SpectralNormalization(
                convolution, dtype=self.dtype_policy, trainable=self.trainable, name=name
            )
        convolution.build((None, 1, 1, channels))
        return convolution

    def attention(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the weights: float32 [batch, positions, keys], rows with a sum of 1."""
        queries = _flat(self.queries(inputs, training=training))
        keys = _flat(_pool(self.keys(inputs, training=training)))
        # In float32: products may be more than float16 holds.
        scores = tf.matmul(
            tf.cast(queries, tf.float32), tf.cast(keys, tf.float32), transpose_b=True
        )
        return tf.nn.softmax(scores)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the maps with what their positions attend to."""
        weights = self.attention(inputs, training=training)
        values = _flat(_pool(self.values(inputs, training=training)))
        attended = tf.matmul(tf.cast(weights, values.dtype), values)
        attended = tf.reshape(attended, [-1, *inputs.shape[1:3], values.shape[-1]])
        return inputs + self.scale * self.outputs(attended, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "spectral": self.spectral, "seed": self.seed}


def _pool(features: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(features, 2, 2, "VALID")


def _flat(features: tf.Tensor) -> tf.Tensor:
    """Returns a map as [batch, positions, channels]."""
    height, width, channels = features.shape[1:]
    return tf.reshape(features, [-1, height * width, channels])
