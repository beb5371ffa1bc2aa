"""R3GAN's game: relativistic pairs, R1 and R2, and settings that follow the images seen."""

from collections.abc import Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from tfgans import checks, optimizers, replicas, shapes
from tfgans.augmentation import AdaptiveAugment, Augmentation
from tfgans.data import batches
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Relativistic
from tfgans.penalties import Penalty, PenaltySum, R1Penalty, R2Penalty
from tfgans.random import Stream
from tfgans.regularizers import Regularizer
from tfgans.schedules import R3GANSchedule, ScheduledValues
from tfgans.types import Config, Inputs, Logs

Optimizer: TypeAlias = keras.optimizers.Optimizer


@keras.saving.register_keras_serializable(package="tfgans")
class R3GAN(GAN):
    """R3GAN: compares each fake with a real example and penalizes the gradient at both.

    The discriminator minimizes E softplus(D(G(z)) - D(x)) plus gamma / 2 times the squared gradient
    norm at the real (R1) and at the fake examples (R2), the generator E softplus(D(x) - D(G(z))).
    Any networks may be used; those of the paper are `tfgans.networks.r3gan_generator` and
    `r3gan_discriminator`. The generator is compared with the real batch of the last discriminator
    update; the authors' code draws another batch for it. `penalty` in the logs is the sum,
    weighted; with a schedule, weighted as for a gamma of 1.

    With a schedule, learning rates, beta_2 of Adam, gamma, the average of the generator and, if the
    schedule says so, p of an `AdaptiveAugment` are functions of `images_seen`. Then `sample` uses
    the average, each step sets the learning rates of both optimizers, whatever they were, and the
    optimizers must be `tfgans.optimizers.ScheduledAdam`, as the default ones are.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        gamma: Float of at least 0, twice the weight of R1 and of R2. Default: that of the schedule,
            else 1, our choice: the paper sets it for each data set.
        schedule: `tfgans.schedules.R3GANSchedule`, or None (the default): all settings are
            constant.
        discriminator_steps: Int. Default: 1.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`. None with a schedule, which sets it.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Raises:
        ValueError: If `gamma` or `ema` is passed beside a schedule.

    Default optimizers: Adam 2e-4, betas (0, 0.99), our choice of constants between the start and
    the end of the authors' schedules; with a schedule its start, and epsilon 1e-8, as in the
    authors' code.

    Example:

    ```python
    schedule = tfgans.schedules.R3GANSchedule(num_images=100_000, gamma=(0.5, 0.05))
    gan = tfgans.R3GAN(generator, discriminator, schedule=schedule)
    ```

    Reference: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline",
    section 2; Jolicoeur-Martineau 2019, "The relativistic discriminator".
    """

    penalty: PenaltySum

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        gamma: float | None = None,
        schedule: R3GANSchedule | None = None,
        discriminator_steps: int = 1,
        instance_noise: InstanceNoise | None = None,
        augmentation: Augmentation | None = None,
        regularizers: Sequence[Regularizer] = (),
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if schedule is not None:
            _check_schedule(schedule, gamma=gamma, ema=ema, augmentation=augmentation)
        elif gamma is None:
            gamma = 1.0
        # With a schedule the weight in force is that of gamma = 1, times the present gamma.
        weight = 0.5 if gamma is None else checks.non_negative("gamma", gamma) / 2
        super().__init__(
            generator,
            discriminator,
            objective=Relativistic(),
            penalty=PenaltySum((R1Penalty(weight=weight), R2Penalty(weight=weight))),
            discriminator_steps=discriminator_steps,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            num_classes=num_classes,
            # Makes the average, whose decay `_average_decay` returns.
            ema=ema if schedule is None else 0.0,
            seed=seed,
            name=name,
        )
        self.schedule = schedule
        self._images_seen = self._add_counter("images_seen")
        # What `images_seen` was at the start of the present step.
        self._images_before = self._add_counter("images_before")

    @property
    def gamma(self) -> float | None:
        """Twice the weight of each of the two penalties; None with a schedule, which sets it."""
        return None if self.schedule is not None else 2 * self.penalty.terms[0].weight

    @property
    def images_seen(self) -> int:
        """Real examples in the updates of the discriminator so far, repeated ones too."""
        return int(tf.convert_to_tensor(self._images_seen.value))

    @property
    def current_penalty(self) -> Penalty | PenaltySum | None:
        """`penalty`, with the present gamma of the schedule."""
        if self.schedule is None:
            return self.penalty
        weight = float(self.schedule.at(self.images_seen).gamma) / 2
        return PenaltySum((R1Penalty(weight=weight), R2Penalty(weight=weight)))

    def default_optimizers(self) -> tuple[Optimizer, Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam with no momentum."""
        if self.schedule is None:
            return optimizers.adam_pair(2e-4, beta_1=0.0, beta_2=0.99)
        rate, beta_2 = self.schedule.learning_rate[0], self.schedule.beta_2[0]
        generator_optimizer, discriminator_optimizer = (
            optimizers.ScheduledAdam(rate, beta_1=0.0, beta_2=beta_2, epsilon=1e-8)
            for _ in range(2)
        )
        return generator_optimizer, discriminator_optimizer

    def train_step(self, data: Inputs) -> Logs:
        """Takes a training step, with the settings of the schedule at its start. See `GAN`."""
        if self.schedule is not None:
            with batches.after_data(data):
                images = tf.convert_to_tensor(self._images_seen.value)
                self._images_before.assign(images)
                values = self.schedule.at(images)
                for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
                    inner = optimizers.inner_optimizer(optimizer)
                    inner.learning_rate.assign(values.learning_rate)
                    inner.beta_2.assign(values.beta_2)
                if self.schedule.augmentation is not None and isinstance(
                    self.augmentation, AdaptiveAugment
                ):
                    self.augmentation.p.assign(values.augmentation)
        return super().train_step(data)

    def discriminator_update(
        self,
        real: tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
    ) -> None:
        """Updates the discriminator once, and counts the real examples. See `GAN`."""
        super().discriminator_update(real, labels, stream=stream)
        num_rows = tf.cast(shapes.batch_size(real), tf.int64)
        self._images_seen.assign_add(replicas.sum_over_replicas(num_rows))

    def _penalty_weight(self, penalty: Penalty | PenaltySum) -> float | tf.Tensor:
        if self.schedule is None:
            return super()._penalty_weight(penalty)
        return self._values(self.schedule).gamma

    def _average_decay(self) -> tf.Tensor:
        if self.schedule is None:
            return super()._average_decay()
        images = tf.convert_to_tensor(self._images_seen.value - self._images_before.value)
        half_life = self._values(self.schedule).ema_half_life
        # At a half-life of 0 the decay is 0.
        return tf.pow(0.5, tf.cast(images, tf.float32) / tf.maximum(half_life, 1e-9))

    def _values(self, schedule: R3GANSchedule) -> ScheduledValues:
        """Returns the settings of this step."""
        return schedule.at(tf.convert_to_tensor(self._images_before.value))

    def _check_optimizers(self, generator_and_discriminator: Sequence[Optimizer]) -> None:
        for optimizer in generator_and_discriminator if self.schedule is not None else ():
            inner = optimizers.inner_optimizer(optimizer)
            if not isinstance(inner, optimizers.ScheduledAdam):
                raise ValueError(
                    "A schedule moves beta_2, so it needs optimizers where beta_2 is a variable. "
                    f"Received: {optimizer.name!r}. Use "
                    "`tfgans.optimizers.ScheduledAdam`, or call `compile` without optimizers"
                )
            if not isinstance(inner.learning_rate, keras.Variable):
                raise ValueError(
                    "The schedule of the model sets the learning rate. Received: "
                    f"{optimizer.name!r} with a schedule of its learning rate. Pass a float"
                )

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        scheduled = self.schedule is not None
        return {
            **self._shared_config(),
            **({"ema": None} if scheduled else {}),
            "gamma": self.gamma,
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "discriminator_steps": self.discriminator_steps,
        }


def _check_schedule(
    schedule: R3GANSchedule,
    *,
    gamma: float | None,
    ema: float | None,
    augmentation: Augmentation | None,
) -> None:
    """Raises ValueError for a value of another type, or settings that the schedule moves."""
    checks.instance("schedule", schedule, R3GANSchedule, "tfgans.schedules.R3GANSchedule(...)")
    for name, value, advice in (
        ("gamma", gamma, "Pass `R3GANSchedule(gamma=(start, end), ...)`"),
        ("ema", ema, "Pass `R3GANSchedule(ema_half_life=(start, end), ...)`"),
    ):
        if value is not None:
            raise ValueError(
                f"With a schedule, which sets it, `{name}` must be None. Received: {value!r}. "
                f"{advice}"
            )
    if schedule.augmentation is None:
        return
    if not isinstance(augmentation, AdaptiveAugment) or augmentation.is_adaptive:
        raise ValueError(
            "The schedule moves p of an augmentation with `target=None`. Received: "
            f"augmentation={augmentation!r}. Pass `tfgans.augmentation.AdaptiveAugment('bgc', "
            "target=None)`, or a schedule with augmentation=None"
        )
    largest = max(schedule.augmentation)
    if largest > augmentation.p_max:
        raise ValueError(
            f"A schedule must keep p at most at the `p_max` of the augmentation, which is "
            f"{augmentation.p_max:g}. Received: R3GANSchedule(augmentation="
            f"{schedule.augmentation}). Pass `AdaptiveAugment(..., p_max={largest:g})`"
        )
