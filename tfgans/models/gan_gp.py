"""GAN-GP: the non-saturating game with the gradient penalty of WGAN-GP."""

from typing import Any

import keras

from tfgans.models import optimizers
from tfgans.models.fixed_game import PenalizedGame
from tfgans.objectives import NonSaturating


@keras.saving.register_keras_serializable(package="tfgans")
class GANGP(PenalizedGame):
    """GAN-GP: non-saturating losses, and slope 1 on the lines between real and generated examples.

    The penalty was made for the Wasserstein game; it helps the game that no Wasserstein distance
    explains as well.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty_weight: Float of at least 0. Default: 10.
        discriminator_steps: Int. Default: 1.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 1e-4, betas (0.5, 0.9), those of `DRAGAN`, so that the two compare;
    the paper swept them, and its text was not at hand.

    Reference: Fedus et al. 2018, "Many Paths to Equilibrium: GANs Do Not Need to Decrease a
    Divergence At Every Step", section 2.3.
    """

    game = NonSaturating

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of `DRAGAN`."""
        return optimizers.adam_pair(1e-4, beta_1=0.5, beta_2=0.9)
