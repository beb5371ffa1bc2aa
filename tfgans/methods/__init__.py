"""The named methods: each is the GAN of a paper, with its defaults."""

from tfgans.methods.dcd import DCD
from tfgans.methods.dragan import DRAGAN
from tfgans.methods.fgan import FGAN
from tfgans.methods.gan_gp import GANGP
from tfgans.methods.hinge_gan import HingeGAN
from tfgans.methods.kl_wgan import KLWGAN
from tfgans.methods.least_squares_gan import LeastSquaresGAN
from tfgans.methods.minimax_gan import MinimaxGAN
from tfgans.methods.non_saturating_gan import NonSaturatingGAN
from tfgans.methods.r3gan import R3GAN
from tfgans.methods.sngan import SNGAN
from tfgans.methods.wgan import WGAN
from tfgans.methods.wgan_gp import WGANGP

__all__ = [
    "DCD",
    "DRAGAN",
    "FGAN",
    "GANGP",
    "KLWGAN",
    "R3GAN",
    "SNGAN",
    "WGAN",
    "WGANGP",
    "HingeGAN",
    "LeastSquaresGAN",
    "MinimaxGAN",
    "NonSaturatingGAN",
]
