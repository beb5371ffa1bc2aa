"""R3GAN's game: relativistic pairs, R1 and R2."""

import keras

from tfgans import checks, optimizers
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise
from tfgans.objectives import Relativistic
from tfgans.penalties import PenaltySum, R1Penalty, R2Penalty
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class R3GAN(GAN):
    """R3GAN: compares each fake with a real example and penalizes the gradient at both.

    The discriminator minimizes E softplus(D(G(z)) - D(x)) plus gamma / 2 times the squared
    gradient norm at the real (R1) and at the fake examples (R2), the generator E softplus(D(x) -
    D(G(z))). The class has the game of the paper, not its network architecture: any networks may be
    used. `penalty` in the logs is the sum, weighted.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        gamma: Float of at least 0, twice the weight of R1 and of R2. Default: 1, our choice: the
            paper sets it for each data set.
        discriminator_steps: Int. Default: 1.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of all noise. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0, 0.99).

    Reference: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline",
    section 2; Jolicoeur-Martineau 2019, "The relativistic discriminator".
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        gamma: float = 1.0,
        discriminator_steps: int = 1,
        instance_noise: InstanceNoise | None = None,
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        weight = checks.non_negative("gamma", gamma) / 2
        super().__init__(
            generator,
            discriminator,
            objective=Relativistic(),
            penalty=PenaltySum((R1Penalty(weight=weight), R2Penalty(weight=weight))),
            discriminator_steps=discriminator_steps,
            instance_noise=instance_noise,
            num_classes=num_classes,
            ema=ema,
            seed=seed,
            name=name,
        )
        self.gamma = gamma

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam with no momentum."""
        return optimizers.adam_pair(2e-4, beta_1=0.0, beta_2=0.99)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "gamma": self.gamma,
            "discriminator_steps": self.discriminator_steps,
        }
