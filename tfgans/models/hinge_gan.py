"""The GAN with a hinge."""

from typing import Any

import keras

from tfgans.models import optimizers
from tfgans.models.fixed_game import PlainGame
from tfgans.objectives import Hinge


@keras.saving.register_keras_serializable(package="tfgans")
class HingeGAN(PlainGame):
    """The hinge game: examples that lie beyond a margin of 1 teach the discriminator no more.

    Something should keep the discriminator smooth: a penalty, or spectral normalization, with
    which this is `SNGAN`.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0, 0.9), those of `SNGAN`, which made the game common.

    Reference: Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, equations 16 and 17.
    """

    game = Hinge

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of `SNGAN`."""
        return optimizers.adam_pair(2e-4, beta_1=0.0, beta_2=0.9)
