"""f-GAN: a game for each f-divergence."""

from collections.abc import Sequence

import keras

from tfgans import checks
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import FDivergence
from tfgans.objectives.f_divergence import NAMES
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class FGAN(GAN):
    """f-GAN: the saddle point of the variational bound on an f-divergence.

    At its optimum, the discriminator determines the density ratio of data and fakes, which
    `gan.objective.density_ratio(logits)` returns (except for "total_variation"). With
    "jensen_shannon" and "gan", the game is that of `MinimaxGAN`, up to a constant.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the objective applies the
            output activation of the divergence.
        divergence: "kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan" or
            "total_variation". Default: "jensen_shannon", whose bound is finite at any logit.
        non_saturating: Bool, whether the generator maximizes the activation itself, the paper's
            practical form (section 3.2), instead of descending the bound. Default: False.
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 1. The paper's Algorithm 1 moves both players at once, by
            gradients at the same point; here the generator follows the updated discriminator.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), those of DCGAN: our choice.

    Reference: Nowozin, Cseke & Tomioka 2016, "f-GAN: Training Generative Neural Samplers using
    Variational Divergence Minimization", equation 6, tables 1 and 2, Algorithm 1.
    """

    objective: FDivergence

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        divergence: str = "jensen_shannon",
        non_saturating: bool = False,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
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
            objective=FDivergence(
                checks.choice("divergence", divergence, NAMES), non_saturating=non_saturating
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
    def divergence(self) -> str:
        """The name of the divergence."""
        return self.objective.name

    @property
    def non_saturating(self) -> bool:
        """Whether the generator has the non-saturating loss."""
        return self.objective.non_saturating

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "divergence": self.divergence,
            "non_saturating": self.non_saturating,
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
        }
