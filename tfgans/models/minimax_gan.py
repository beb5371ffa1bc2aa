"""The original GAN, with the minimax generator."""

import keras

from tfgans.models.fixed_game import SmoothedGame
from tfgans.objectives import Minimax


@keras.saving.register_keras_serializable(package="tfgans")
class MinimaxGAN(SmoothedGame):
    """The zero-sum GAN: both players share one payoff.

    The generator minimizes E log(1 - sigma(D(G(z)))). Its gradient vanishes when the discriminator
    wins, which is what it is for: to study that. `NonSaturatingGAN` is the one to train with.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1 (Algorithm 1 with k = 1, as in its experiments).
        label_smoothing: Float in [0, 1), default 0. The real target becomes 1 - label_smoothing.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), as in DCGAN; the paper itself used momentum.

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1.
    """

    game = Minimax
