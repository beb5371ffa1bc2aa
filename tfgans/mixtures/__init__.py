"""Mixtures of networks: MIX+GAN's generators and discriminators, with learned weights."""

from tfgans.mixtures.discriminator import MixtureDiscriminator
from tfgans.mixtures.generator import MixtureGenerator
from tfgans.mixtures.mixture import Mixture, components_of

__all__ = ["Mixture", "MixtureDiscriminator", "MixtureGenerator", "components_of"]
