"""The spread of each group of examples of a batch, as a further channel."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfgans import checks
from tfgans.types import Config, Shape


@keras.saving.register_keras_serializable(package="tfgans")
class MinibatchStdDev(keras.layers.Layer):
    """Appends the mean standard deviation of a group of examples as one more channel.

    It shows a discriminator how much the examples differ, so that it can tell a collapsed generator
    from the data. Over the `group_size` examples of a group the standard deviation sqrt(variance +
    1e-8) is taken at each position and channel; its mean over all of them fills the new channel.
    Its usual place is before the last convolution of the discriminator; of vectors, before the
    last hidden layer.

    A group is `group_size` neighbors in the batch, so parts of a batch (micro-batches, replicas, a
    mixture's slices) have the groups of the whole, as long as their sizes are multiples. The
    authors' code takes every (batch / group_size)-th example instead: as the examples of a batch
    are drawn independently, that is the same in distribution.

    A discriminator with this layer judges an example by its group. So a call must have a multiple
    of `group_size` rows, all real or all generated, and a gradient penalty takes the gradient of
    the sum of a group's logits, as in the authors' code. Refinement, a discriminator of categorical
    routing and a penalty's `fraction`, which need each row by itself, are refused. So is a mixture
    of generators, unless its routing is categorical: the examples of each component lie together,
    so a group would show how much one component's examples differ, not those of the mixture.

    Args:
        group_size: Int of at least 2, examples in a group. Default: 4.
        **options: Those of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Float [batch, ..., channels], batch a multiple of `group_size`: vectors, series,
            maps or volumes.

    Output shape: [batch, ..., channels + 1].

    Raises:
        ValueError: If `group_size` is below 2, or the inputs are numbers [batch].
        tf.errors.InvalidArgumentError: In a graph, if the batch is no multiple of `group_size`.

    Example:

    >>> MinibatchStdDev()(np.zeros((8, 4, 4, 3), "float32")).shape
    TensorShape([8, 4, 4, 4])

    Reference: [Karras et al. 2018](https://arxiv.org/abs/1710.10196), section 3; groups as in
    [Karras et al. 2020](https://arxiv.org/abs/1912.04958).
    """

    def __init__(self, group_size: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.group_size = checks.int_at_least("group_size", group_size, 2)

    def build(self, input_shape: Shape) -> None:
        """Checks the inputs' rank."""
        if len(input_shape) < 2:
            raise ValueError(
                "The inputs must have the shape [batch, ..., channels]. Received: shape "
                f"{tuple(input_shape)}. Put the layer before `Flatten` or the last `Dense`"
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the inputs with the new channel."""
        num_rows = inputs.shape[0]
        message = (
            f"The batch must be a multiple of {self.group_size}, the `group_size` of {self.name!r}"
        )
        if num_rows is not None and num_rows % self.group_size:
            raise ValueError(f"{message}. Received: {num_rows} rows")
        remainder = tf.shape(inputs)[0] % self.group_size
        with tf.control_dependencies([tf.debugging.assert_equal(remainder, 0, message)]):
            inputs = tf.identity(inputs)
        # In float32: float16 holds neither the epsilon nor the sum of squares.
        features = tf.cast(inputs, tf.float32)
        # The sides may be unknown.
        groups = tf.reshape(features, [-1, self.group_size, *ops.shape(inputs)[1:]])
        variance = tf.math.reduce_variance(groups, axis=1)
        axes = list(range(1, len(inputs.shape)))
        spread = tf.reduce_mean(tf.sqrt(variance + 1e-8), axis=axes, keepdims=True)
        spread = tf.cast(tf.repeat(spread, self.group_size, axis=0), inputs.dtype)
        channel = spread + tf.zeros_like(inputs[..., :1])
        return ops.concatenate([inputs, channel], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, ..., channels + 1)."""
        *leading, channels = input_shape
        return (*leading, None if channels is None else channels + 1)

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "group_size": self.group_size}
