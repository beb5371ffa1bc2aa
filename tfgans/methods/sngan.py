"""SNGAN: the hinge game with a spectrally normalized discriminator."""

import warnings
from collections.abc import Sequence

import keras

from tfgans import compat, optimizers
from tfgans.augmentation import Augmentation
from tfgans.gan import GAN
from tfgans.layers import InstanceNoise, SpectralNormalization
from tfgans.layers.spectral_normalization import has_kernel
from tfgans.objectives import Hinge
from tfgans.penalties import Penalty, PenaltySum
from tfgans.regularizers import Regularizer
from tfgans.types import Config


@keras.saving.register_keras_serializable(package="tfgans")
class SNGAN(GAN):
    """SNGAN: hinge losses, and a discriminator with spectral normalization in all layers.

    The discriminator must have `tfgans.layers.SpectralNormalization` around its layers, as the
    builders of `tfgans.networks` make it with `normalization="spectral"`; there is a warning if a
    layer with a kernel or embeddings is without. Keras's layer of that name does not suffice: it
    writes to the kernel at each training call, also in a penalty.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int, default 5, as in the experiments with residual networks.
        instance_noise: `tfgans.layers.InstanceNoise`, or None (the default), see `GAN`.
        augmentation: `tfgans.augmentation.Augmentation`, or None (the default), see `GAN`.
        regularizers: List of `tfgans.regularizers.Regularizer`. Default: none, see `GAN`.
        num_classes: Int of at least 2, or None (the default), see `GAN`.
        ema: Float in [0, 1), or None (the default), see `GAN`.
        seed: Int, of the draws of training, see `GAN`. Default: 0.
        name: String, optional.

    Default optimizers: Adam 2e-4, betas (0, 0.9).

    Raises:
        ValueError: If the discriminator has no spectral normalization, or that of Keras.

    Reference: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks",
    Algorithm 1, equations 16 and 17.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
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
        if isinstance(discriminator, keras.layers.Layer):
            _check_normalization(discriminator)
        super().__init__(
            generator,
            discriminator,
            objective=Hinge(),
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

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Returns a new (generator, discriminator) optimizer pair: Adam without momentum."""
        return optimizers.adam_pair(2e-4, beta_1=0.0, beta_2=0.9)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, networks included."""
        return {
            **self._shared_config(),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "discriminator_steps": self.discriminator_steps,
        }


def _check_normalization(discriminator: keras.layers.Layer) -> None:
    layers = compat.all_layers(discriminator)
    for layer in layers:
        if isinstance(layer, keras.layers.SpectralNormalization):
            raise ValueError(
                "`SNGAN` needs `tfgans.layers.SpectralNormalization`: Keras's layer of that name "
                f"writes to the kernel in each training call. Received: {discriminator.name!r} "
                f"with {layer.name!r}. Wrap its layer in that of tfgans"
            )
    normalized = [layer for layer in layers if isinstance(layer, SpectralNormalization)]
    wrapped = {id(layer.layer) for layer in normalized}
    free = [
        layer.name
        for layer in layers
        if has_kernel(layer) and not isinstance(layer, SpectralNormalization)
        if id(layer) not in wrapped
    ]
    if normalized and free:
        warnings.warn(
            f"The discriminator {discriminator.name!r} has layers without spectral normalization, "
            f"so its slope is not bounded as the paper's is: {', '.join(free)}. Wrap them in "
            "`tfgans.layers.SpectralNormalization`, and replace separable convolutions, which it "
            "cannot normalize",
            stacklevel=3,
        )
    if not normalized:
        raise ValueError(
            "The discriminator of `SNGAN` must hold `tfgans.layers.SpectralNormalization`. "
            f"Received: {discriminator.name!r}, without. Build it with "
            "`normalization='spectral'`, or use `HingeGAN`"
        )
