"""Networks: functions of a shape that return plain, functional `keras.Model`s."""

from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.mlp import mlp_discriminator, mlp_generator
from tfgans.networks.r3gan import r3gan_discriminator, r3gan_generator
from tfgans.networks.resnet import resnet_discriminator, resnet_generator

__all__ = [
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_discriminator",
    "mlp_generator",
    "r3gan_discriminator",
    "r3gan_generator",
    "resnet_discriminator",
    "resnet_generator",
]
