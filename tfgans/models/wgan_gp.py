"""WGAN with gradient penalty."""

from typing import Any, Unpack

import keras

from tfgans.models import optimizers
from tfgans.models.fixed_game import PenalizedGame
from tfgans.models.pair import Options
from tfgans.objectives import Wasserstein


@keras.saving.register_keras_serializable(package="tfgans")
class WGANGP(PenalizedGame):
    """WGAN-GP: a critic held near slope 1 on the lines between real and generated examples.

    The critic minimizes E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x_hat)||_2 - 1)^2, the
    generator -E D(G(z)). The critic must not use BatchNormalization.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the critic.
        penalty_weight: Float of at least 0. Default: 10, as in all experiments of the paper.
        discriminator_steps: Int. Default: 5.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 1e-4, betas (0, 0.9), as in Algorithm 1. The authors' toy, MNIST and
    CIFAR code has beta_1 = 0.5; for that, pass a new `keras.optimizers.Adam(1e-4, beta_1=0.5,
    beta_2=0.9)` for each player.

    Reference: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", Algorithm 1.
    """

    game = Wasserstein

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 5,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            penalty_weight=penalty_weight,
            discriminator_steps=discriminator_steps,
            **options,
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of Algorithm 1."""
        return optimizers.adam_pair(1e-4, beta_1=0.0, beta_2=0.9)
