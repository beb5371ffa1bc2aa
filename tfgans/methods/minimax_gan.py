"""The original GAN, with the minimax generator."""

from collections.abc import Sequence

import keras

from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Minimax
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class MinimaxGAN(GAN):
    """The zero-sum GAN: both players share a payoff.

    The generator minimizes E log(1 - sigma(D(G(z)))). Its gradient vanishes when the discriminator
    wins: use it to study that, and `NonSaturatingGAN` to train.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1 (Algorithm 1 with k = 1, as in its experiments).
        label_smoothing: Float in [0, 1), default 0. The real target becomes 1 - label_smoothing.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), as in DCGAN; the paper itself used momentum.

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1.
    """

    objective: Minimax

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        label_smoothing: float = 0.0,
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
            objective=Minimax(label_smoothing=label_smoothing),
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

    @property
    def label_smoothing(self) -> float:
        """How much is subtracted from the target of real examples, 1."""
        return self.objective.label_smoothing

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
            "label_smoothing": self.label_smoothing,
        }
