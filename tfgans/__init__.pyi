"""The public names; `tfgans/__init__.py` imports each when it is first used."""

from . import (
    callbacks,
    data,
    layers,
    metrics,
    mixtures,
    networks,
    objectives,
    penalties,
    random,
    refinement,
    runs,
    serving,
)
from .gan import GAN
from .methods import (
    DCD,
    DRAGAN,
    FGAN,
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
from .mixtures import MixtureDiscriminator, MixtureGenerator

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
    "mixtures",
    "networks",
    "objectives",
    "penalties",
    "random",
    "refinement",
    "runs",
    "serving",
]
