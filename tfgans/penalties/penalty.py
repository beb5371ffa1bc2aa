"""The contract that every penalty keeps, and the arithmetic they share."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf

from tfgans import checks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Penalty(abc.ABC):
    """A price on the gradient of the discriminator's logit with respect to its input.

    A penalty knows where its points lie (a subclass says so in `points`), which gradient norm it
    wants and what a deviation costs. Called, it returns one value an example, before its weight.
    It is immutable and serializable, and keeps its arithmetic in float32.

    Args:
        weight: Float of at least 0. The factor before the mean penalty in the discriminator's loss.
        target: Float of at least 0. The gradient norm that costs nothing.
        epsilon: Float above 0, added to the squared norm under the root, whose gradient at zero
            would otherwise be NaN. The authors' codes use none.

    Call arguments:
        discriminator: Callable `(examples, training) -> logits` of shape [batch, 1], usually a
            Keras model. It must treat each example by itself: with batch statistics the gradient
            of one example's logit is not defined, and such a model is refused.
        real: Float tensor [batch, ...].
        fake: Float tensor of the same shape.
        key: The int64[2] random key of this call (see `tfgans.stateless.key`), which makes it a
            pure function. Default: a fresh one from TensorFlow's global generator.
        training: Bool, passed on to the discriminator. Default: True.

    Returns (of the call): float32 tensor [batch].

    Raises:
        ValueError: On a negative or non-finite number, or a discriminator with batch statistics.
    """

    weight: float = 10.0
    target: float = 1.0
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        checks.non_negative("weight", self.weight)
        checks.non_negative("target", self.target)
        checks.positive("epsilon", self.epsilon)

    @abc.abstractmethod
    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the float32 points [batch, ...] at which the gradient is taken."""

    def __call__(
        self,
        discriminator: Callable[..., tf.Tensor],
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        key: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns (||grad D|| - target)^2 for each example: float32 [batch]."""
        refuse_batch_statistics(discriminator)
        if key is None:
            key = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        points = self.points(tf.cast(real, tf.float32), tf.cast(fake, tf.float32), key)
        squared = squared_gradient_norm(discriminator, points, training=training)
        return tf.square(tf.sqrt(squared + self.epsilon) - self.target)

    def get_config(self) -> dict[str, Any]:
        """Returns the hyper-parameters, enough for `from_config`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a penalty from the result of `get_config`."""
        return cls(**config)


def squared_gradient_norm(
    discriminator: Callable[..., tf.Tensor], points: tf.Tensor, *, training: bool = True
) -> tf.Tensor:
    """Returns ||grad_x D(x)||_2^2, summed over all axes but the first: float32 [batch].

    The gradient is of the logit, never of its sigmoid. Differentiable again with respect to the
    discriminator's weights.
    """
    with tf.GradientTape() as tape:
        tape.watch(points)
        logits = tf.cast(discriminator(points, training=training), tf.float32)
    if logits.shape[1:] != (1,):
        raise ValueError(
            "A gradient penalty is on one logit an example: end the discriminator with `Dense(1)`. "
            f"Received: logits of shape {tuple(logits.shape)}"
        )
    # Each logit depends on its own example alone, so the gradient of the sum holds all of them.
    gradient = tf.cast(tape.gradient(logits, points), tf.float32)
    return tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(gradient.shape))))


def refuse_batch_statistics(discriminator: Any) -> None:
    """Raises ValueError if a Keras model normalizes over the batch in training."""
    if not isinstance(discriminator, keras.layers.Layer):
        return
    for layer in discriminator._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ValueError(
                "A gradient penalty needs a discriminator that treats each example by itself. "
                f"Received: {discriminator.name!r}, whose layer {layer.name!r} is a "
                "BatchNormalization. Use LayerNormalization, spectral normalization or none "
                "(`normalization='layer'`, 'spectral' or 'none' in tfgans.networks)."
            )
