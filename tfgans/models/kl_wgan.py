"""KL-WGAN: a critic that weighs the fakes by the density ratio it implies."""

from typing import Any, Unpack

import keras

from tfgans.models import optimizers
from tfgans.models.fixed_game import FixedGame
from tfgans.models.pair import Options
from tfgans.objectives import KLWasserstein
from tfgans.penalties import Penalty, PenaltySum


@keras.saving.register_keras_serializable(package="tfgans")
class KLWGAN(FixedGame):
    """KL-WGAN: WGAN, with the fakes of a batch weighted by exp(D(G(z))), normalized.

    The weights estimate the density ratio of data and fakes, and the optimum of the linear form is
    KL(P || Q). As in the authors' code something must keep the critic smooth: build it with
    spectral normalization (`normalization="spectral"`), or pass a penalty.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1]; the critic.
        form: "hinge", which the authors train with, or "linear". Default: "hinge".
        temperature: Float above 0, by which the logits in the weights are divided. Default: 1;
            the authors' images take 5.
        weight_gradient: Bool, whether the gradient passes through the weights. Default: True, as
            in the authors' training code.
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 5, of the synthetic experiments, each on a fresh batch
            here; the authors take one batch for all five. Their images take 4.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: RMSprop 2e-4, of the synthetic experiments.

    Reference: Song & Ermon 2020, "Bridging the Gap Between f-GANs and Wasserstein GANs"; the
    authors' code at github.com/ermongroup/f-wgan.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        form: str = "hinge",
        temperature: float = 1.0,
        weight_gradient: bool = True,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 5,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={
                "form": form,
                "temperature": temperature,
                "weight_gradient": weight_gradient,
                "penalty": penalty,
                "discriminator_steps": discriminator_steps,
            },
            options=options,
            objective=KLWasserstein(
                form=form, temperature=temperature, weight_gradient=weight_gradient
            ),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
        )

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: RMSprop of the authors."""
        return optimizers.rmsprop_pair(2e-4)
