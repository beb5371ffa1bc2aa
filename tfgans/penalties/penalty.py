"""The base class of penalties, and their shared arithmetic."""

import abc
import dataclasses
import math
from collections.abc import Callable

import keras
import tensorflow as tf

from tfgans import checks, compat, random
from tfgans.random import Role
from tfgans.settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Penalty(Settings, abc.ABC):
    """A penalty on the gradient of the discriminator's logit with respect to its input.

    A subclass defines the points in `points`; the target norm and the cost of a deviation are
    arguments. A call returns a value per example, before the weight.
    It is immutable and serializable, and keeps its arithmetic in float32. A subclass is a frozen
    dataclass, whose fields are saved with a model, registered with Keras.

    Args:
        weight: Float of at least 0. The factor before the mean penalty in the discriminator's loss.
        target: Float of at least 0. The gradient norm t that costs nothing; an example costs
            `(||g|| - t)^2`. With 0 that is the squared norm itself. TF-GAN's formula is
            `(||g|| / t - 1)^2`: with the same t ours is `t^2` times theirs, so their weight over
            `t^2` gives the same loss. Default: 1, where both agree.
        one_sided: Bool. Whether only a norm above the target costs. Default: False; Gulrajani et
            al. prefer the two-sided form.
        every: Int of at least 1. An approximation: the penalty is computed only in every n-th
            update of the discriminator, with n times the weight, which keeps its mean over many
            updates ("lazy" regularization; StyleGAN2, Karras et al. 2020, appendix B, also adapts
            the rate and the betas of Adam, which is not done here). Under a strategy of
            several replicas it cannot be combined with `SpectralNormalization`, which
            synchronizes the replicas. Default: 1.
        fraction: Float in (0, 1]. An approximation: only this part of the batch is penalized, a
            random subset, each row weighted up so that the expectation does not change. Default: 1.
        epsilon: Float above 0, added to the squared norm under the root, whose gradient at zero
            would otherwise be NaN. The authors' codes use none. Not used with a target of 0.

    Call arguments:
        discriminator: Callable `(inputs, training) -> logits` of shape [batch, 1], usually a
            Keras model. It must treat each example by itself, since the gradient of one example's
            logit is not defined otherwise: a model with `BatchNormalization` is refused, even if
            that is frozen. `MinibatchStdDev` is accepted, and makes the penalty approximate.
        real: Float tensor [batch, ...].
        fake: Float tensor of the same shape.
        labels: Int tensor [batch], of a conditional discriminator, whose inputs are then the list
            [examples, labels]. Real and fake example i have the same class. Default: None.
        key: The int64[2] random key of this call (see `tfgans.random.key`), which makes it a
            pure function. Default: a new key from TensorFlow's global generator.
        update: Scalar int tensor, the number of this discriminator update, which `every` counts
            by. Default: None, the penalty always counts.
        training: Bool, passed on to the discriminator. Without training `every` and
            `fraction` have no effect: the whole batch counts. Default: True.

    Returns (of the call): float32 tensor [batch].

    Raises:
        ValueError: On a number out of its range, real and fake examples of different shapes, a
            discriminator with `BatchNormalization`, or points of another shape than the examples.

    Example: gradients of norm 1 around the fake examples.

    ```python
    @keras.saving.register_keras_serializable(package="my_package")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class AroundFakes(tfgans.penalties.Penalty):
        radius: float = 0.1

        def points(self, real, fake, key):
            shape = [tf.shape(fake)[0], *fake.shape[1:]]
            return fake + self.radius * tfgans.random.normal(shape, key)
    ```
    """

    weight: float = 10.0
    target: float = 1.0
    one_sided: bool = False
    every: int = 1
    fraction: float = 1.0
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        checks.non_negative("weight", self.weight)
        checks.non_negative("target", self.target)
        checks.boolean("one_sided", self.one_sided)
        if self.one_sided and self.target == 0:
            raise ValueError(
                "`one_sided` means nothing with a target of 0: no norm lies below. Received: "
                f"one_sided={self.one_sided}, target={self.target}. Leave it out"
            )
        checks.positive_int("every", self.every)
        checks.positive("epsilon", self.epsilon)
        if checks.positive("fraction", self.fraction) > 1:
            raise ValueError(
                f"`fraction` must be in (0, 1]. Received: {checks.short(self.fraction)}"
            )

    @abc.abstractmethod
    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the points at which the gradient is taken.

        Args:
            real: Float32 [batch, ...].
            fake: Float32 tensor of the same shape.
            key: The int64[2] random key of this call.

        Returns:
            Float tensor of the same shape: a point for each example.
        """

    @property
    def is_lazy(self) -> bool:
        """Whether some updates are without the penalty."""
        return self.every > 1

    def __call__(
        self,
        discriminator: Callable[..., tf.Tensor],
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        key: tf.Tensor | None = None,
        update: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns the penalty of each example: float32 [batch]."""
        refuse_batch_statistics(discriminator)
        if key is None:
            key = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        real, fake = tf.cast(real, tf.float32), tf.cast(fake, tf.float32)
        if not real.shape.is_compatible_with(fake.shape):
            raise ValueError(
                "A penalty needs as many fake as real examples, of the same shape. Received: real "
                f"{real.shape}, fake {fake.shape}"
            )
        points = tf.cast(self.points(real, fake, key), tf.float32)
        if not points.shape.is_compatible_with(real.shape):
            raise ValueError(
                f"`points` must return a point for each example, of shape {real.shape}. Received: "
                f"shape {points.shape} of {self!r}. For several points per example, use a "
                "`PenaltySum`"
            )

        def compute() -> tf.Tensor:
            if not training or self.fraction == 1:
                return self._penalties(discriminator, points, labels, training)
            return self._penalties_of_some(discriminator, points, labels, key)

        if update is None or not training or self.every == 1:
            return compute()
        rows = tf.shape(points)[:1]
        return tf.cond(
            tf.equal(tf.cast(update, tf.int64) % self.every, 0),
            lambda: self.every * compute(),
            lambda: tf.zeros(rows),
        )

    def _penalties(
        self,
        discriminator: Callable[..., tf.Tensor],
        points: tf.Tensor,
        labels: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor:
        squared = squared_gradient_norm(discriminator, points, labels=labels, training=training)
        if self.target == 0:
            return squared
        excess = tf.sqrt(squared + self.epsilon) - self.target
        return tf.square(tf.nn.relu(excess) if self.one_sided else excess)

    def _penalties_of_some(
        self,
        discriminator: Callable[..., tf.Tensor],
        points: tf.Tensor,
        labels: tf.Tensor | None,
        key: tf.Tensor,
    ) -> tf.Tensor:
        """Returns scaled penalties of evenly spread rows from a random start; 0 for the rest."""
        rows = tf.shape(points)[0] if points.shape[0] is None else points.shape[0]
        if isinstance(rows, int):
            count = math.ceil(self.fraction * rows)
        else:  # In float64, as in Python: a batch of unknown size must not round otherwise.
            count = tf.cast(tf.math.ceil(self.fraction * tf.cast(rows, tf.float64)), tf.int32)
        shift = random.uniform([1], random.fold(key, Role.PENALTY_FRACTION))[0]
        first = tf.cast(shift * tf.cast(rows, tf.float32), tf.int32)
        chosen = (first + tf.range(count) * rows // count) % rows
        some = tf.gather(points, chosen)
        some_labels = None if labels is None else tf.gather(labels, chosen)
        penalties = self._penalties(discriminator, some, some_labels, training=True)
        scale = tf.cast(rows, tf.float32) / tf.cast(count, tf.float32)
        return tf.scatter_nd(chosen[:, tf.newaxis], scale * penalties, [rows])


def squared_gradient_norm(
    discriminator: Callable[..., tf.Tensor],
    points: tf.Tensor,
    *,
    labels: tf.Tensor | None = None,
    training: bool = True,
) -> tf.Tensor:
    """Returns ||grad_x D(x)||_2^2, summed over all axes but the first: float32 [batch].

    The gradient is of the logit, never of its sigmoid. Differentiable again with respect to the
    discriminator's weights.
    """
    with tf.GradientTape() as tape:
        tape.watch(points)
        inputs = points if labels is None else [points, labels]
        logits = tf.cast(discriminator(inputs, training=training), tf.float32)
    if logits.shape[1:] != (1,):
        raise ValueError(
            "A gradient penalty needs one logit per example: end the discriminator with "
            f"`Dense(1)`. Received: logits of shape {tuple(logits.shape)}"
        )
    # Each logit depends on its example alone, so the gradient of the sum holds all gradients.
    gradient = tape.gradient(logits, points)
    if gradient is None:
        raise ValueError(
            "A gradient penalty needs logits that depend on the examples. Received: a "
            f"discriminator without a gradient, {checks.short(discriminator)}"
        )
    gradient = tf.cast(gradient, tf.float32)
    return tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(gradient.shape))))


def refuse_batch_statistics(discriminator: Callable[..., tf.Tensor]) -> None:
    """Raises ValueError if a Keras model normalizes over the batch in training."""
    if not isinstance(discriminator, keras.layers.Layer):
        return
    for layer in compat.all_layers(discriminator):
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ValueError(
                "A gradient penalty needs a discriminator that treats each example by itself. "
                f"Received: {discriminator.name!r}, whose layer {layer.name!r} is a "
                "BatchNormalization. Use LayerNormalization, spectral normalization or none "
                "(`normalization='layer'`, 'spectral' or 'none' in tfgans.networks)."
            )
