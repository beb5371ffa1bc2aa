"""KL-WGAN: a critic that weights the fakes by its estimate of the density ratio."""

from collections.abc import Sequence

import keras

from tfgans import optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import KLWasserstein
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class KLWGAN(GAN):
    """KL-WGAN: WGAN, with the fakes of a batch weighted by exp(D(G(z))), normalized.

    The weights are modeled on the density ratio of data and fakes, which the linear form without
    the gradient of the weights estimates; see `tfgans.objectives.KLWasserstein`. As in the
    authors' code, the critic must be kept smooth: build it with spectral normalization
    (`normalization="spectral"`), or pass a penalty.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the critic.
        form: "hinge", which the authors train with, or "linear". Default: "hinge".
        temperature: Float above 0, by which the logits in the weights are divided. Default: 1; the
            authors use 5 for images.
        weight_gradient: Bool, whether the gradient passes through the weights. Default: True, as
            in the authors' training code.
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 5, as in the synthetic experiments, each on a fresh batch
            here; the authors use the same batch for all five. For images they use 4.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: RMSprop 2e-4, of the synthetic experiments, with the rho of 0.99 and the
    epsilon of 1e-8 of the authors' framework.

    Reference: Song & Ermon 2020, "Bridging the Gap Between f-GANs and Wasserstein GANs"; the
    authors' code at github.com/ermongroup/f-wgan.
    """

    objective: KLWasserstein

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        form: str = "hinge",
        temperature: float = 1.0,
        weight_gradient: bool = True,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 5,
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
            objective=KLWasserstein(
                form=form, temperature=temperature, weight_gradient=weight_gradient
            ),
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
    def form(self) -> str:
        """The form of the losses, "hinge" or "linear"."""
        return self.objective.form

    @property
    def temperature(self) -> float:
        """The number by which the logits in the weights are divided."""
        return self.objective.temperature

    @property
    def weight_gradient(self) -> bool:
        """Whether the weights have a gradient."""
        return self.objective.weight_gradient

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: RMSprop of the authors."""
        return optimizers.rmsprop_pair(2e-4)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "form": self.form,
            "temperature": self.temperature,
            "weight_gradient": self.weight_gradient,
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
        }
