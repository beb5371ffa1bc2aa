"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

from tfgans import (
    callbacks,
    data,
    layers,
    networks,
    objectives,
    penalties,
    runs,
    serving,
    stateless,
)
from tfgans.models import GAN, WGANGP, MinimaxGAN, NonSaturatingGAN

__version__ = "0.1.0"

__all__ = [
    "GAN",
    "WGANGP",
    "MinimaxGAN",
    "NonSaturatingGAN",
    "callbacks",
    "data",
    "layers",
    "networks",
    "objectives",
    "penalties",
    "runs",
    "serving",
    "stateless",
]
