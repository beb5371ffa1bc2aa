"""Gradient penalties: which points, which norm, what it costs."""

from tfgans.penalties.gradient_penalty import GradientPenalty
from tfgans.penalties.penalty import Penalty

__all__ = ["GradientPenalty", "Penalty"]
