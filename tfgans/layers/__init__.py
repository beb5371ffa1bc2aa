"""Layers that Keras does not have, or implements differently."""

from tfgans.layers.conditional_affine import ConditionalAffine
from tfgans.layers.instance_noise import InstanceNoise
from tfgans.layers.minibatch_std_dev import MinibatchStdDev
from tfgans.layers.self_attention import SelfAttention
from tfgans.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "ConditionalAffine",
    "InstanceNoise",
    "MinibatchStdDev",
    "SelfAttention",
    "SpectralNormalization",
]
