"""`GAN`, a Keras model, and the named methods, a file each."""

from tfgans.models.dcd import DCD
from tfgans.models.dragan import DRAGAN
from tfgans.models.fgan import FGAN
from tfgans.models.gan import GAN
from tfgans.models.gan_gp import GANGP
from tfgans.models.hinge_gan import HingeGAN
from tfgans.models.kl_wgan import KLWGAN
from tfgans.models.least_squares_gan import LeastSquaresGAN
from tfgans.models.minimax_gan import MinimaxGAN
from tfgans.models.non_saturating_gan import NonSaturatingGAN
from tfgans.models.r3gan import R3GAN
from tfgans.models.sngan import SNGAN
from tfgans.models.wgan import WGAN
from tfgans.models.wgan_gp import WGANGP

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
    "NonSaturatingGAN",
]
