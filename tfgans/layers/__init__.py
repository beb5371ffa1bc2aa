"""Layers that Keras lacks and GANs need."""

from tfgans.layers.spectral_normalization import SpectralNormalization

__all__ = ["SpectralNormalization"]
