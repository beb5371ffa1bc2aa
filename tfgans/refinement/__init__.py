"""Samples made better after the generator: Langevin steps that climb the discriminator."""

from tfgans.refinement.langevin import Langevin, langevin

__all__ = ["Langevin", "langevin"]
