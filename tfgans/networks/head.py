"""The head of a discriminator: from a map to features, from features and labels to the logit."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfgans import checks
from tfgans.networks import blocks
from tfgans.types import Config, Shape


@keras.saving.register_keras_serializable(package="tfgans")
class GlobalSumPooling2D(keras.layers.Layer):
    """Returns the sum of a map over its positions: [batch, height, width, c] to [batch, c].

    Keras has the mean and the maximum.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the sums."""
        return ops.sum(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, channels)."""
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable(package="tfgans")
class OneHot(keras.layers.Layer):
    """Returns labels as one-hot rows: int [batch] to float [batch, num_classes].

    Args:
        num_classes: Int of at least 1.
        **options: Those of `keras.layers.Layer`.
    """

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.num_classes = checks.positive_int("num_classes", num_classes)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the rows."""
        return ops.one_hot(inputs, self.num_classes, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch, num_classes)."""
        return (*input_shape, self.num_classes)

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


def logits(
    features: keras.KerasTensor,
    labels: blocks.Labels | None,
    *,
    recipe: blocks.Recipe,
    initializer: Callable[[], keras.initializers.Initializer],
) -> keras.KerasTensor:
    """Returns float32 logits [batch, 1] of features h [batch, channels].

    Without labels w.h + b. With labels y the projection w.h + b + V[y].h: the first part says
    whether an example is like the data, the second whether it is like its class. "spectral" bounds
    w and V. `initializer` makes an initializer for each of them.

    Reference: [Miyato & Koyama 2018](https://arxiv.org/abs/1802.05637), equation 3.
    """
    dense = keras.layers.Dense(1, kernel_initializer=initializer(), dtype="float32", name="logits")
    unconditional = recipe.spectral(dense)(features)
    if labels is None:
        return unconditional
    one_hot = OneHot(labels.num_classes, dtype="float32", name="one_hot")
    # As a dense layer the table has a dense gradient, and spectral normalization takes it.
    embedding = keras.layers.Dense(
        features.shape[-1],
        use_bias=False,
        kernel_initializer=initializer(),
        dtype="float32",
        name="class_embedding",
    )
    rows = recipe.spectral(embedding)(one_hot(labels.tensor))
    projection = keras.layers.Dot(axes=-1, dtype="float32", name="projection")([features, rows])
    added = keras.layers.Add(dtype="float32", name="conditional_logits")
    return added([unconditional, projection])
