"""GAN-GP: the non-saturating game with the gradient penalty of WGAN-GP."""

from collections.abc import Sequence

import keras

from tfgans import checks, optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import NonSaturating
from tfgans.penalties import GradientPenalty
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class GANGP(GAN):
    """GAN-GP: non-saturating losses, and slope 1 on the lines between real and generated examples.

    The penalty was designed for the Wasserstein game; it also helps the non-saturating game.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty_weight: Float of at least 0. Default: 10.
        discriminator_steps: Int. Default: 1.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 1e-4, betas (0.5, 0.9), those of `DRAGAN`, so that the two are
    comparable; the paper searched over them.

    Reference: Fedus et al. 2018, "Many Paths to Equilibrium: GANs Do Not Need to Decrease a
    Divergence At Every Step", section 2.3.
    """

    penalty: GradientPenalty

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        penalty_weight: float = 10.0,
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
            objective=NonSaturating(),
            penalty=GradientPenalty(weight=checks.non_negative("penalty_weight", penalty_weight)),
            discriminator_steps=discriminator_steps,
            instance_noise=instance_noise,
            augmentation=augmentation,
            regularizers=regularizers,
            num_classes=num_classes,
            ema=ema,
            seed=seed,
            name=name,
        )

    @property
    def penalty_weight(self) -> float:
        """The weight of the penalty."""
        return self.penalty.weight

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of `DRAGAN`."""
        return optimizers.adam_pair(1e-4, beta_1=0.5, beta_2=0.9)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "penalty_weight": self.penalty_weight,
            "discriminator_steps": self.discriminator_steps,
        }
