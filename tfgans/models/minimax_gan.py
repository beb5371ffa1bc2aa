"""The original GAN, with the minimax generator."""

from typing import Any, Unpack

import keras

from tfgans.models.gan import GAN
from tfgans.models.pair import Options
from tfgans.objectives import Minimax
from tfgans.penalties import Penalty


@keras.saving.register_keras_serializable(package="tfgans")
class MinimaxGAN(GAN):
    """The zero-sum GAN: both players share one payoff.

    The generator minimizes E log(1 - sigma(D(G(z)))). Its gradient vanishes when the discriminator
    wins, which is what it is for: to study that. `NonSaturatingGAN` is the one to train with.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1 (Algorithm 1 with k = 1, as in its experiments).
        **options: `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), as in DCGAN; the paper itself used momentum.

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty: Penalty | None = None,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            objective=Minimax(),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
            **options,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        config = super().get_config()
        del config["objective"]
        return config
