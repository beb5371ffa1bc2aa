"""Layers that Keras does not have, or implements differently."""

from tfgans.layers.conditional_affine import ConditionalAffine
from tfgans.layers.instance_noise import InstanceNoise
from tfgans.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "ConditionalAffine",
    "InstanceNoise",
    "SpectralNormalization",
]
