"""Layers that Keras does not have, or not like this; and mixtures of networks."""

from tfgans.layers.conditional_affine import ConditionalAffine
from tfgans.layers.instance_noise import InstanceNoise
from tfgans.layers.mixture import Mixture
from tfgans.layers.mixture_discriminator import MixtureDiscriminator
from tfgans.layers.mixture_generator import MixtureGenerator
from tfgans.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "ConditionalAffine",
    "InstanceNoise",
    "Mixture",
    "MixtureDiscriminator",
    "MixtureGenerator",
    "SpectralNormalization",
]
