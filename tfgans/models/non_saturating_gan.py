"""The GAN that is used in practice, with the non-saturating generator."""

import keras

from tfgans.models.fixed_game import SmoothedGame
from tfgans.objectives import NonSaturating


@keras.saving.register_keras_serializable(package="tfgans")
class NonSaturatingGAN(SmoothedGame):
    """The GAN of practice: the generator minimizes -E log sigma(D(G(z))).

    The game of DCGAN. Its gradient is strongest where the discriminator is surest, and it learns
    where no divergence falls step by step (Fedus et al. 2018).

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1, as in DCGAN.
        label_smoothing: Float in [0, 1), default 0. The real target becomes 1 - label_smoothing.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999) (Radford et al. 2016, section 4).

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", section 3; Radford, Metz &
    Chintala 2016, "Unsupervised Representation Learning with DCGANs".
    """

    game = NonSaturating
