"""f-GAN: a game for each f-divergence."""

from typing import Any, Unpack

import keras

from tfgans.models.fixed_game import FixedGame
from tfgans.models.pair import Options
from tfgans.objectives import FDivergence
from tfgans.penalties import Penalty, PenaltySum


@keras.saving.register_keras_serializable(package="tfgans")
class FGAN(FixedGame):
    """f-GAN: the saddle point of the variational bound on an f-divergence.

    At its optimum the discriminator knows the density ratio of data and fakes:
    `gan.objective.density_ratio(logits)`.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the objective applies the
            output activation of the divergence.
        divergence: "kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan" or
            "total_variation". Default: "jensen_shannon", whose bound is finite at any logit.
        non_saturating: Bool, whether the generator maximizes the activation itself, the paper's
            practical form (section 3.2), instead of descending the bound. Default: False.
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 1, as in the paper's single-step Algorithm 1.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0.5, 0.999), those of DCGAN: our choice.

    Reference: Nowozin, Cseke & Tomioka 2016, "f-GAN: Training Generative Neural Samplers using
    Variational Divergence Minimization", equation 6, tables 1 and 2, Algorithm 1.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        divergence: str = "jensen_shannon",
        non_saturating: bool = False,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={
                "divergence": divergence,
                "non_saturating": non_saturating,
                "penalty": penalty,
                "discriminator_steps": discriminator_steps,
            },
            options=options,
            objective=FDivergence(divergence, non_saturating=non_saturating),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
        )
