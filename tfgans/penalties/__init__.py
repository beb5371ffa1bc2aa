"""Constraints on the slope of a discriminator: gradient penalties and weight clipping.

Spectral normalization is a layer: `tfgans.layers.SpectralNormalization`, which leaves the kernel
alone in the forward pass.
"""

from tfgans.penalties.clipping import clip_weights
from tfgans.penalties.dragan_penalty import DRAGANPenalty
from tfgans.penalties.gradient_penalty import GradientPenalty
from tfgans.penalties.penalty import Penalty
from tfgans.penalties.penalty_sum import PenaltySum
from tfgans.penalties.zero_centered import R1Penalty, R2Penalty

__all__ = [
    "DRAGANPenalty",
    "GradientPenalty",
    "Penalty",
    "PenaltySum",
    "R1Penalty",
    "R2Penalty",
    "clip_weights",
]
