"""WGAN with weight clipping."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfgans import checks, optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Wasserstein
from tfgans.random import Stream
from tfgans.regularizers import Regularizer
from tfgans.types import Config

# The authors' schedule, in updates of the generator: long critic training before each of the
# first 25, and before every 500th.
_FIRST, _PERIOD, _LONG = 25, 500, 100


@keras.saving.register_keras_serializable(package="tfgans")
class WGAN(GAN):
    """WGAN: a critic whose parameters are clipped to a small range, which bounds its slope.

    The critic minimizes E D(G(z)) - E D(x), the generator -E D(G(z)). After each update of the
    critic all its parameters (biases and the gains of normalizations too) are moved into
    [-weight_clip, weight_clip]. `WGANGP` bounds the slope with a penalty instead.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the critic.
        weight_clip: Float above 0. Default: 0.01.
        discriminator_steps: Int. Default: 5.
        critic_warmup: Bool, whether to train the critic 100 updates before each of the first 25
            updates of the generator, and before every 500th, as in the authors' code. A training
            step is `discriminator_steps` critic updates in any case; most steps of such a phase
            do not update the generator, and `generator_loss` is the mean over those that do (0 in
            an epoch without any). Runs on a single device. Default: False, as in the paper.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: RMSprop 5e-5, with the rho of 0.99 and the epsilon of 1e-8 of the
    authors' framework, which differ from those of Keras.

    Reference: Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", Algorithm 1. The authors' code
    (github.com/martinarjovsky/WassersteinGAN) clips before each update; here it is after, as in
    the paper.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        weight_clip: float = 0.01,
        discriminator_steps: int = 5,
        critic_warmup: bool = False,
        instance_noise: InstanceNoise | None = None,
        augmentation: Augmentation | None = None,
        regularizers: Sequence[Regularizer] = (),
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            objective=Wasserstein(),
            weight_clip=checks.positive("weight_clip", weight_clip),
            discriminator_steps=discriminator_steps,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            num_classes=num_classes,
            ema=ema,
            seed=seed,
            name=name,
        )
        self.critic_warmup = checks.boolean("critic_warmup", critic_warmup)

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: RMSprop of the paper."""
        return optimizers.rmsprop_pair(5e-5)

    def _check_optimizers(
        self, generator_and_discriminator: Sequence[optimizers.Optimizer]
    ) -> None:
        if self.critic_warmup and self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "`critic_warmup` runs on a single device: under a strategy an optimizer must not "
                "be called in a branch. Received: several replicas. Leave it out"
            )
        super()._check_optimizers(generator_and_discriminator)

    def generator_update(
        self, real: tf.Tensor, labels: tf.Tensor | None = None, *, stream: Stream
    ) -> None:
        """Updates the generator, except in the warm-up of the critic."""
        update = super().generator_update
        if not self.critic_warmup:
            update(real, labels, stream=stream)
            return

        def run() -> tf.Tensor:
            update(real, labels, stream=stream)
            return tf.constant(True)

        due = generator_is_due(self._step, self.discriminator_steps)
        tf.cond(due, run, lambda: tf.constant(False))

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "weight_clip": self.weight_clip,
            "discriminator_steps": self.discriminator_steps,
            "critic_warmup": self.critic_warmup,
        }


def generator_is_due(step: int | tf.Tensor | keras.Variable, discriminator_steps: int) -> tf.Tensor:
    """Returns whether the generator is updated in a training step of `critic_warmup`: bool scalar.

    Args:
        step: Scalar int tensor, training steps done before this step.
        discriminator_steps: Int, critic updates in each of them.
    """
    step = tf.cast(tf.convert_to_tensor(step), tf.int64)
    block = math.ceil(_LONG / discriminator_steps)
    first = _FIRST * block
    # Then single steps up to update 499; then a long phase, 499 single steps, and so on.
    singles = _PERIOD - _FIRST
    later = (step - first - singles) % (block + _PERIOD - 1)
    return tf.where(
        step < first,
        (step + 1) % block == 0,
        (step < first + singles) | (later >= block - 1),
    )
