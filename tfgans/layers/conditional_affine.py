"""A gain and an offset per channel and class."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfgans import checks
from tfgans.types import Config, Shape

_LABELS_RANK = 1


@keras.saving.register_keras_serializable(package="tfgans")
class ConditionalAffine(keras.layers.Layer):
    """Returns features * gain[label] + offset[label], channel by channel.

    Tells a network the class of each example. After a normalization without gain and
    offset (`center=False, scale=False`) it makes the normalization conditional: after batch
    normalization, conditional batch normalization. All classes start with gain 1 and offset 0, and
    so are equal at first.

    The rows are selected by a product with one-hot labels, not by an index. The gradient of each
    table is then dense, so that an optimizer applies it in one pass, and XLA can compile it.

    Args:
        num_classes: Int of at least 1. Labels lie in [0, num_classes); the layer cannot
            detect other labels, and turns their features to zero.
        **options: Those of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: List of features, float [batch, ..., channels], and labels, int [batch].

    Output shape: that of the features. A mask of the features passes through.

    Raises:
        ValueError: If `num_classes` is below 1, or the inputs are not features and labels.

    Example:

    >>> layer = ConditionalAffine(10)
    >>> layer([np.ones((2, 4, 4, 3), "float32"), np.array([7, 0])]).shape
    TensorShape([2, 4, 4, 3])

    Reference: [Dumoulin et al. 2017](https://arxiv.org/abs/1610.07629), equation 5;
    [de Vries et al. 2017](https://arxiv.org/abs/1707.00683), section 3.
    """

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.num_classes = checks.positive_int("num_classes", num_classes)
        self.supports_masking = True

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Makes the two tables: [num_classes, channels]."""
        table = (self.num_classes, _features_shape(input_shape)[-1])
        self.gain = self.add_weight(name="gain", shape=table, initializer="ones")
        self.offset = self.add_weight(name="offset", shape=table, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the features, scaled and shifted by the gain and offset of each class."""
        features, labels = inputs
        one_hot = ops.one_hot(labels, self.num_classes, dtype=self.compute_dtype)
        # A row per example, the same for all positions between batch and channels.
        rows = (-1, *[1] * (len(features.shape) - 2), features.shape[-1])
        gain, offset = (
            ops.reshape(ops.matmul(one_hot, table), rows) for table in (self.gain, self.offset)
        )
        return features * gain + offset

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Returns the shape of the features."""
        return _features_shape(input_shape)

    def compute_mask(
        self,
        inputs: list[keras.KerasTensor],  # noqa: ARG002
        previous_mask: list[tf.Tensor | None] | None = None,
    ) -> tf.Tensor | None:
        """Returns the mask of the features."""
        return None if previous_mask is None else previous_mask[0]

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


def _features_shape(input_shape: Sequence[Shape]) -> Shape:
    """Returns the first shape of two; raises ValueError if they are not features and labels."""
    shapes = [tuple(shape) for shape in input_shape if isinstance(shape, list | tuple)]
    pair = len(shapes) == len(input_shape) == 2
    if not pair or len(shapes[0]) <= _LABELS_RANK or len(shapes[1]) != _LABELS_RANK:
        raise ValueError(
            "The inputs must be a list of features [batch, ..., channels] and labels [batch]. "
            f"Received: shapes {input_shape!r}. Call the layer as `layer([features, labels])`"
        )
    return shapes[0]
