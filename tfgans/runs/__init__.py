"""A run: its directory, its plan, and the one call that carries it out."""

from tfgans.runs.cluster import STRATEGIES, WorkerLost, make_strategy
from tfgans.runs.directory import RunDirectory, load_final, load_model
from tfgans.runs.plan import plan
from tfgans.runs.settings import draw_labels
from tfgans.runs.train import Interrupted, train

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
