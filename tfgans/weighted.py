"""Values of examples, and their weights."""

from typing import NamedTuple, Self

import tensorflow as tf


class Weighted(NamedTuple):
    """Values and their weights.

    A plain network gives one column with weights of 1. A mixture weights rows or columns so that
    `mean` is the mean over the mixture, with a gradient to the mixture's weights.

    Attributes:
        values: Float32 [rows, columns] (logits, losses), or [rows, ...] (examples).
        weights: Float32 [rows, 1], [1, columns] or [rows, columns]; None if all are 1.
        layer_loss: Scalar, the losses that the layers of the network added in this call (activity
            regularizers and `add_loss`); None without losses.
    """

    values: tf.Tensor
    weights: tf.Tensor | None = None
    layer_loss: tf.Tensor | None = None

    def with_values(self, values: tf.Tensor) -> Self:
        """Returns other values with the same weights."""
        return self._replace(values=values)

    def scaled_by(self, weights: tf.Tensor | None) -> Self:
        """Returns the values with their weights multiplied by `weights`; None is 1."""
        if weights is None:
            return self
        return self._replace(weights=weights if self.weights is None else self.weights * weights)

    def mean(self) -> tf.Tensor:
        """Returns the mean over rows of the weighted sum over columns: a scalar.

        Raises:
            ValueError: If the values are not [rows, columns]: weights would broadcast to them.
        """
        if self.values.shape.rank not in (2, None):
            raise ValueError(
                "A weighted mean is of values [rows, columns]. Received: values of shape "
                f"{self.values.shape}. Reduce each example to a number, and pass these as a column "
                "to `with_values`"
            )
        terms = self.values if self.weights is None else self.values * self.weights
        return tf.reduce_mean(tf.reduce_sum(terms, axis=1))
