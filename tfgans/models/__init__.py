"""`GAN`, a Keras model, and the named methods, a file each."""

from tfgans.models.gan import GAN
from tfgans.models.minimax_gan import MinimaxGAN
from tfgans.models.non_saturating_gan import NonSaturatingGAN
from tfgans.models.wgan_gp import WGANGP

__all__ = ["GAN", "WGANGP", "MinimaxGAN", "NonSaturatingGAN"]
