"""The games: losses on logits, always (real_logits, fake_logits), never reduced."""

from tfgans.objectives.minimax import Minimax, NonSaturating
from tfgans.objectives.objective import Objective
from tfgans.objectives.wasserstein import Wasserstein

__all__ = ["Minimax", "NonSaturating", "Objective", "Wasserstein"]
