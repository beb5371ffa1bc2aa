"""Noise on the inputs of a discriminator, with a level that falls in training."""

import numbers

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.types import Config, Shape

SCHEDULES = ("constant", "linear", "exponential", "adaptive")
# The lowest adaptive level, relative to `stddev`: from 0 it could not rise again.
_LEAST = 1e-3


@keras.saving.register_keras_serializable(package="tfgans")
class InstanceNoise(keras.layers.Layer):
    """Adds Gaussian noise to examples, real and fake alike, at a level that falls in training.

    Two distributions on thin manifolds hardly overlap: a perfect discriminator exists, and its
    gradient vanishes where the generator needs it. With enough noise on both they overlap,
    and the gradient pulls the generator towards the data. Put it before the discriminator in the
    steps of both players, with independent keys for real and fake examples.

    The papers say to lower the level and give no schedule; these are ours. At step t of training:

    - "constant": stddev
    - "linear": stddev max(0, 1 - t / decay_steps)
    - "exponential": stddev exp(-t / decay_steps)
    - "adaptive": moved by `adapt`. A discriminator that is right more often than `target_accuracy`
      gets more noise, else less, by a factor exp(rate) a call.

    The level is a weight that no optimizer moves, so it is saved and resumed with the rest.

    Args:
        stddev: Float above 0, the level at the start, in the unit of the data.
        schedule: "constant", "linear", "exponential" or "adaptive". Default: "linear".
        decay_steps: Int of at least 1, the steps to 0 ("linear") or to 1/e of stddev
            ("exponential"); needed there, and only there.
        target_accuracy: Float in (0.5, 1), of "adaptive" only. Default: 0.75.
        rate: Float above 0, of "adaptive" only. Default: 0.01.
        max_stddev: Float of at least stddev, of "adaptive" only: the highest level. The lowest is
            stddev / 1000. Default: 10 stddev.
        name: String, optional.

    Call arguments:
        examples: Float tensor [batch, ...], of a static shape but for axis 0.
        key: The int64[2] key of this draw (see `tfgans.random.key`). Needed in training.
        training: Bool, whether to add the noise. Default: False, which returns the examples.

    Output shape: that of the examples, and their dtype. The arithmetic is float32. A mask of the
    examples passes through. `keras.layers.TimeDistributed` passes no key to the layer that it
    wraps, so there the layer works in inference only; in training, add the noise to the whole
    sequence.

    Raises:
        ValueError: On an argument out of its range, missing, or of another schedule; in training
            without a key.

    Example:

    >>> noise = InstanceNoise(0.1, decay_steps=1000)
    >>> noise.anneal(500)
    >>> float(noise.level)
    0.05000000074505806
    >>> noise(np.ones((2, 4), "float32"), key=tfgans.random.key(0), training=True).shape
    TensorShape([2, 4])

    Reference: Arjovsky & Bottou 2017, "Towards Principled Methods for Training Generative
    Adversarial Networks", section 3. Sonderby et al. 2017, "Amortised MAP Inference for Image
    Super-resolution" (instance noise).
    """

    def __init__(
        self,
        stddev: float,
        *,
        schedule: str = "linear",
        decay_steps: int | None = None,
        target_accuracy: float | None = None,
        rate: float | None = None,
        max_stddev: float | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32", autocast=False)
        self.stddev = checks.positive("stddev", stddev)
        self.schedule = checks.choice("schedule", schedule, SCHEDULES)
        self.decay_steps = _decay_steps(schedule, decay_steps)
        self.target_accuracy, self.rate, self.max_stddev = _adaptive_options(
            schedule,
            self.stddev,
            target_accuracy=target_accuracy,
            rate=rate,
            max_stddev=max_stddev,
        )
        self.level = self.add_weight(
            name="level",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(self.stddev),
            trainable=False,
            autocast=False,
            # Replicas see the same step and accuracy, so the first decides for all.
            aggregation="only_first_replica",
        )
        self.supports_masking = True
        self.built = True  # The level does not depend on the examples.

    @property
    def is_adaptive(self) -> bool:
        """Whether `adapt` moves the level, and `anneal` does not."""
        return self.schedule == "adaptive"

    def call(
        self, examples: tf.Tensor, key: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """Returns the examples, in training with noise of the present level."""
        if not training:
            return examples
        if key is None:
            raise ValueError(
                "`key` must be passed in training: the int64[2] key of this draw, say "
                "`tfgans.random.key(seed, step, index)`, a different key for each batch. "
                "Received: None"
            )
        if not tf.as_dtype(examples.dtype).is_floating:
            raise ValueError(
                "Noise can be added to floats only. Received: examples of "
                f"{tf.as_dtype(examples.dtype).name}. Scale images to [-1, 1] first"
            )
        noise = random.normal([tf.shape(examples)[0], *examples.shape[1:]], key)
        level = tf.stop_gradient(tf.convert_to_tensor(self.level))
        return tf.cast(tf.cast(examples, tf.float32) + level * noise, examples.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the examples."""
        return tuple(input_shape)

    def compute_output_spec(
        self,
        examples: keras.KerasTensor,
        key: keras.KerasTensor | None = None,  # noqa: ARG002
        training: bool = False,  # noqa: ARG002
    ) -> keras.KerasTensor:
        """Returns the shape and dtype of the examples."""
        return keras.KerasTensor(examples.shape, dtype=examples.dtype)

    def anneal(self, step: int | tf.Tensor | keras.Variable) -> None:
        """Sets the level for a step of training; an adaptive level stays as it is.

        Args:
            step: Int of at least 0, or a scalar integer tensor: the steps done.
        """
        if self.is_adaptive:
            return
        if isinstance(step, numbers.Number):
            checks.int_at_least("step", step, 0)
        factor = tf.ones([])
        if self.decay_steps is not None:
            part = tf.cast(step, tf.float32) / self.decay_steps
            linear = self.schedule == "linear"
            factor = tf.maximum(0.0, 1.0 - part) if linear else tf.exp(-part)
        self.level.assign(self.stddev * factor)

    def adapt(self, accuracy: float | tf.Tensor) -> None:
        """Moves an adaptive level after an update of the discriminator; any other stays as it is.

        Args:
            accuracy: Scalar in [0, 1], the fraction of the noisy examples of the update that the
                discriminator classified correctly. Under `tf.distribute` that of the global batch.
        """
        if self.target_accuracy is None or self.rate is None:
            return
        if isinstance(accuracy, numbers.Real) and not 0 <= float(accuracy) <= 1:
            raise ValueError(f"`accuracy` must lie in [0, 1]. Received: {checks.short(accuracy)}")
        received = tf.cast(accuracy, tf.float32)
        # Both comparisons are false for NaN, which leaves the level.
        more = tf.cast(received > self.target_accuracy, tf.float32)
        less = tf.cast(received < self.target_accuracy, tf.float32)
        level = tf.convert_to_tensor(self.level) * tf.exp(self.rate * (more - less))
        self.level.assign(tf.clip_by_value(level, _LEAST * self.stddev, self.max_stddev))

    def get_config(self) -> Config:
        """Returns the constructor's arguments."""
        return {
            "stddev": self.stddev,
            "schedule": self.schedule,
            "decay_steps": self.decay_steps,
            "target_accuracy": self.target_accuracy,
            "rate": self.rate,
            "max_stddev": self.max_stddev,
            "name": self.name,
        }


def _decay_steps(schedule: str, decay_steps: int | None) -> int | None:
    if schedule in ("linear", "exponential"):
        if decay_steps is None:
            raise ValueError(
                f"`decay_steps` must be an integer of at least 1 for schedule={schedule!r}. "
                "Received: None. Pass the number of training steps in which the noise fades"
            )
        return checks.positive_int("decay_steps", decay_steps)
    if decay_steps is not None:
        raise ValueError(
            "`decay_steps` is of the schedules 'linear' and 'exponential'. "
            f"Received: {checks.short(decay_steps)} with schedule={schedule!r}. Leave it out"
        )
    return None


def _adaptive_options(
    schedule: str,
    stddev: float,
    *,
    target_accuracy: float | None,
    rate: float | None,
    max_stddev: float | None,
) -> tuple[float | None, float | None, float | None]:
    """Returns target accuracy, rate and largest level: checked, or all None where not adaptive."""
    options = {"target_accuracy": target_accuracy, "rate": rate, "max_stddev": max_stddev}
    if schedule != "adaptive":
        for name, value in options.items():
            if value is not None:
                raise ValueError(
                    f"`{name}` is of the schedule 'adaptive'. "
                    f"Received: {checks.short(value)} with schedule={schedule!r}. Leave it out"
                )
        return None, None, None
    defaults = {"target_accuracy": 0.75, "rate": 0.01, "max_stddev": 10 * stddev}
    target, factor, highest = (
        checks.positive(name, default if options[name] is None else options[name])
        for name, default in defaults.items()
    )
    if not 0.5 < target < 1:
        raise ValueError(
            "`target_accuracy` must lie above 0.5, which is chance, and below 1. "
            f"Received: {checks.short(target)}"
        )
    if highest < stddev:
        raise ValueError(
            f"`max_stddev` must be at least `stddev`, {stddev!r}, the level at the start. "
            f"Received: {checks.short(highest)}"
        )
    return target, factor, highest
