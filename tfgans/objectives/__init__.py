"""The games: losses on logits, always (real_logits, fake_logits), never reduced.

Beside them `donsker_varadhan`, the bound of the KL divergence that a trained critic gives.
"""

from tfgans.objectives.f_divergence import FDivergence
from tfgans.objectives.hinge import Hinge
from tfgans.objectives.kl_wasserstein import KLWasserstein, donsker_varadhan
from tfgans.objectives.least_squares import LeastSquares
from tfgans.objectives.minimax import Minimax, NonSaturating
from tfgans.objectives.objective import Objective
from tfgans.objectives.relativistic import Relativistic
from tfgans.objectives.wasserstein import Wasserstein

__all__ = [
    "FDivergence",
    "Hinge",
    "KLWasserstein",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Relativistic",
    "Wasserstein",
    "donsker_varadhan",
]
