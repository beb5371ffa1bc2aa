"""A run: its directory, its plan, and the one call that carries it out."""

from tfgans.training.cluster import STRATEGIES, WorkerLost, make_strategy
from tfgans.training.directory import RunDirectory, load_final, load_model
from tfgans.training.plan import plan
from tfgans.training.settings import draw_labels
from tfgans.training.train import Interrupted, train

__all__ = [
    "STRATEGIES",
    "Interrupted",
    "RunDirectory",
    "WorkerLost",
    "draw_labels",
    "load_final",
    "load_model",
    "make_strategy",
    "plan",
    "train",
]
