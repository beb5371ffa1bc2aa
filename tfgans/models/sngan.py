"""SNGAN: the hinge game with a spectrally normalized discriminator."""

from typing import Any, Unpack

import keras

from tfgans.layers import SpectralNormalization
from tfgans.models.hinge_gan import HingeGAN
from tfgans.models.pair import Options
from tfgans.penalties import Penalty, PenaltySum


@keras.saving.register_keras_serializable(package="tfgans")
class SNGAN(HingeGAN):
    """SNGAN: hinge losses, and a discriminator whose layers all have a spectral norm of 1.

    The discriminator must hold `tfgans.layers.SpectralNormalization`, as the builders of
    `tfgans.networks` make it with `normalization="spectral"`; Keras's own layer of that name
    writes to the kernel at each call, also in a penalty, and is not what is asked for.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 5, as in the experiments with residual networks.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.

    Default optimizers: Adam 2e-4, betas (0, 0.9).

    Raises:
        ValueError: If the discriminator has no spectral normalization.

    Reference: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks",
    Algorithm 1, equations 16 and 17.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 5,
        **options: Unpack[Options],
    ) -> None:
        if isinstance(discriminator, keras.layers.Layer) and not any(
            isinstance(layer, SpectralNormalization) for layer in discriminator._flatten_layers()
        ):
            raise ValueError(
                "The discriminator of `SNGAN` must hold `tfgans.layers.SpectralNormalization`. "
                f"Received: {discriminator.name!r}, without. Build it with "
                "`normalization='spectral'`, or use `HingeGAN`"
            )
        super().__init__(
            generator,
            discriminator,
            penalty=penalty,
            discriminator_steps=discriminator_steps,
            **options,
        )
