"""Samples made better after the generator: Langevin steps that climb the discriminator."""

from tfgans.refinement.langevin import langevin
from tfgans.refinement.settings import Langevin

__all__ = ["Langevin", "langevin"]
