"""The GAN with the non-saturating generator loss, the usual choice in practice."""

from collections.abc import Sequence

import keras

from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import NonSaturating
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class NonSaturatingGAN(GAN):
    """The non-saturating GAN: the generator minimizes -E log sigma(D(G(z))).

    The game of DCGAN. The generator's gradient is largest where the discriminator is most certain,
    and training can succeed even where no divergence decreases in every step (Fedus et al. 2018).

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 1, as in DCGAN.
        label_smoothing: Float in [0, 1), default 0. The real target becomes 1 - label_smoothing.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999) (Radford et al. 2016, section 4).

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", section 3; Radford, Metz &
    Chintala 2016, "Unsupervised Representation Learning with DCGANs".
    """

    objective: NonSaturating

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
            objective=NonSaturating(label_smoothing=label_smoothing),
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
