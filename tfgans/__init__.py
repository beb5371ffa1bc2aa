"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

from tfgans import (
    callbacks,
    data,
    layers,
    metrics,
    networks,
    objectives,
    penalties,
    refinement,
    runs,
    serving,
    stateless,
)
from tfgans.layers import MixtureDiscriminator, MixtureGenerator
from tfgans.models import (
    DCD,
    DRAGAN,
    FGAN,
    GAN,
    GANGP,
    KLWGAN,
    R3GAN,
    SNGAN,
    WGAN,
    WGANGP,
    HingeGAN,
    LeastSquaresGAN,
    MinimaxGAN,
    NonSaturatingGAN,
)

__version__ = "0.1.0"

__all__ = [
    "DCD",
    "DRAGAN",
    "FGAN",
    "GAN",
    "GANGP",
    "KLWGAN",
    "R3GAN",
    "SNGAN",
    "WGAN",
    "WGANGP",
    "HingeGAN",
    "LeastSquaresGAN",
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
    "refinement",
    "runs",
    "serving",
    "stateless",
]
