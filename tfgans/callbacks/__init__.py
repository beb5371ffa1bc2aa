"""Callbacks for `fit`. Keras's callbacks work beside them."""

from tfgans.callbacks.adapt_components import AdaptComponents
from tfgans.callbacks.backup import Backup
from tfgans.callbacks.doctor import Doctor
from tfgans.callbacks.evaluation import Evaluation
from tfgans.callbacks.graceful_stop import GracefulStop
from tfgans.callbacks.mixture_monitor import MixtureMonitor
from tfgans.callbacks.progress import Progress
from tfgans.callbacks.sample_grid import SampleGrid
from tfgans.callbacks.stop_on_nan import StopOnNaN

__all__ = [
    "AdaptComponents",
    "Backup",
    "Doctor",
    "Evaluation",
    "GracefulStop",
    "MixtureMonitor",
    "Progress",
    "SampleGrid",
    "StopOnNaN",
]
