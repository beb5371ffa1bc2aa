"""DRAGAN: slope 1 around the real examples."""

from typing import Any, Unpack

import keras

from tfgans import checks
from tfgans.models import optimizers
from tfgans.models.fixed_game import FixedGame
from tfgans.models.pair import Options
from tfgans.objectives import Minimax, NonSaturating
from tfgans.penalties import DRAGANPenalty


@keras.saving.register_keras_serializable(package="tfgans")
class DRAGAN(FixedGame):
    """DRAGAN: a discriminator held near slope 1 in a neighbourhood of the data.

    Sharp gradients around some real examples go with mode collapse; the penalty flattens them
    there, and leaves the rest of space alone.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty_weight: Float of at least 0. Default: 10.
        noise: "uniform" (the authors' points), "symmetric" or "gaussian", see `DRAGANPenalty`.
            Default: "uniform".
        scale: Float of at least 0, how far the points lie. Default: 0.5.
        minimax: Bool, whether the generator plays the minimax game; else the non-saturating one,
            as in the authors' code. Default: False.
        discriminator_steps: Int. Default: 1, which the authors advise to keep.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 1e-4, betas (0.5, 0.9).

    Reference: Kodali et al. 2017, "On Convergence and Stability of GANs"; the defaults are those
    of the authors' notebook at github.com/kodalinaveen3/DRAGAN.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty_weight: float = 10.0,
        noise: str = "uniform",
        scale: float = 0.5,
        minimax: bool = False,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={
                "penalty_weight": penalty_weight,
                "noise": noise,
                "scale": scale,
                "minimax": minimax,
                "discriminator_steps": discriminator_steps,
            },
            options=options,
            objective=Minimax() if checks.boolean("minimax", minimax) else NonSaturating(),
            penalty=DRAGANPenalty(weight=penalty_weight, noise=noise, scale=scale),
            discriminator_steps=discriminator_steps,
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of the notebook."""
        return optimizers.adam_pair(1e-4, beta_1=0.5, beta_2=0.9)
