"""Training runs: a directory, a plan, and everything needed to stop and continue."""

from tfgans.callbacks.evaluation import EvaluationRow
from tfgans.freed_memory import keep_freed_memory
from tfgans.training.cluster import STRATEGIES, WorkerLost, make_strategy
from tfgans.training.directory import CHECKPOINTS, RunDirectory, load_checkpoint, load_model
from tfgans.training.run import Interrupted, Run
from tfgans.training.settings import draw_labels
from tfgans.training.time_limit import TimeSpent

__all__ = [
    "CHECKPOINTS",
    "STRATEGIES",
    "EvaluationRow",
    "Interrupted",
    "Run",
    "RunDirectory",
    "TimeSpent",
    "WorkerLost",
    "draw_labels",
    "keep_freed_memory",
    "load_checkpoint",
    "load_model",
    "make_strategy",
]
