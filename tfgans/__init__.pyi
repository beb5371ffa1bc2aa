"""The public names; `tfgans/__init__.py` imports each when it is first used."""

from . import (
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
from .layers import MixtureDiscriminator, MixtureGenerator
from .models import (
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

__version__: str

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
