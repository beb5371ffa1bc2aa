"""LSGAN."""

import keras

from tfgans.models.fixed_game import SmoothedGame
from tfgans.objectives import LeastSquares


@keras.saving.register_keras_serializable(package="tfgans")
class LeastSquaresGAN(SmoothedGame):
    """LSGAN: the discriminator regresses to labels, with no sigmoid.

    Fakes far on the real side of the boundary are pulled back to it, where a logistic loss would
    let them be. With the labels 0, 1 and 1 of the paper's equation 9.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1.
        label_smoothing: Float in [0, 1), default 0. The real target becomes 1 - label_smoothing.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), those of DCGAN: our choice.

    Reference: Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9.
    """

    game = LeastSquares
