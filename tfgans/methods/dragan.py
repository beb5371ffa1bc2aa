"""DRAGAN: slope 1 around the real examples."""

from collections.abc import Sequence

import keras

from tfgans import checks, optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Minimax, NonSaturating
from tfgans.penalties import DRAGANPenalty
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class DRAGAN(GAN):
    """DRAGAN: a discriminator held near slope 1 in a neighborhood of the data.

    Sharp gradients around some real examples accompany mode collapse; the penalty flattens them
    there, and does not constrain the discriminator elsewhere.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty_weight: Float of at least 0. Default: 10.
        noise: "uniform" (the authors' points), "symmetric" or "gaussian", see `DRAGANPenalty`.
            Default: "uniform".
        scale: Float of at least 0, the distance of the points. Default: 0.5.
        minimax: Bool, whether the generator plays the minimax game; else the non-saturating game,
            as in the authors' code. Default: False.
        discriminator_steps: Int. Default: 1, which the authors advise to keep.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 1e-4, betas (0.5, 0.9).

    Reference: Kodali et al. 2017, "On Convergence and Stability of GANs"; the defaults are those
    of the authors' notebook at github.com/kodalinaveen3/DRAGAN.
    """

    penalty: DRAGANPenalty

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        penalty_weight: float = 10.0,
        noise: str = "uniform",
        scale: float = 0.5,
        minimax: bool = False,
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
            objective=Minimax() if checks.boolean("minimax", minimax) else NonSaturating(),
            penalty=DRAGANPenalty(
                weight=checks.non_negative("penalty_weight", penalty_weight),
                noise=noise,
                scale=scale,
            ),
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
    def penalty_weight(self) -> float:
        """The weight of the penalty."""
        return self.penalty.weight

    @property
    def noise(self) -> str:
        """The noise of the perturbed examples, "uniform", "symmetric" or "gaussian"."""
        return self.penalty.noise

    @property
    def scale(self) -> float:
        """The scale of this noise."""
        return self.penalty.scale

    @property
    def minimax(self) -> bool:
        """Whether the losses are those of the minimax game."""
        return isinstance(self.objective, Minimax)

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of the notebook."""
        return optimizers.adam_pair(1e-4, beta_1=0.5, beta_2=0.9)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "penalty_weight": self.penalty_weight,
            "noise": self.noise,
            "scale": self.scale,
            "minimax": self.minimax,
            "discriminator_steps": self.discriminator_steps,
        }
