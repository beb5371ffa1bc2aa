"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

from tfgans import (
    callbacks,
    data,
    layers,
    metrics,
    networks,
    objectives,
    penalties,
    runs,
    serving,
    stateless,
)
from tfgans.layers import MixtureDiscriminator, MixtureGenerator
from tfgans.models import GAN, WGANGP, MinimaxGAN, NonSaturatingGAN

__version__ = "0.1.0"

__all__ = [
    "GAN",
    "WGANGP",
    "MinimaxGAN",
    "MixtureDiscriminator",
    "MixtureGenerator",
    "NonSaturatingGAN",
    "callbacks",
    "data",
    "layers",
    "metrics",
    "networks",
    "objectives",
    "penalties",
    "runs",
    "serving",
    "stateless",
]
