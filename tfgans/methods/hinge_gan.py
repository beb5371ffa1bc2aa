"""The GAN with hinge losses."""

from collections.abc import Sequence

import keras

from tfgans import optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Hinge
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class HingeGAN(GAN):
    """The hinge game: examples beyond a margin of 1 have no gradient for the discriminator.

    The discriminator should be kept smooth by a penalty, or by spectral normalization: then this is
    `SNGAN`.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0, 0.9), those of `SNGAN`.

    Reference: Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, equations 16 and 17.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
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
            objective=Hinge(),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            num_classes=num_classes,
            ema=ema,
            seed=seed,
            name=name,
        )

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of `SNGAN`."""
        return optimizers.adam_pair(2e-4, beta_1=0.0, beta_2=0.9)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
        }
