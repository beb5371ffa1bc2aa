"""Ends a run by time."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfgans import files
from tfgans.callbacks.callback import Callback

# Callbacks between two times at which the workers of a cluster agree.
_AGREE_EVERY = 10


class TimeLimit(Callback):
    """Stops training when a run has trained for its time, over all its processes.

    Args:
        minutes: Float of at least 0, the training time of the whole run.
        path: JSON file with the seconds so far, read by a process that continues the run.
        writes: Whether this process writes the file.
        when_reached: Called without arguments in the step at which the time is over.
        total: Callable from a float to its sum over all workers of a cluster, which all of them
            call, so that they stop at the same step. Default: None, there is a single process.

    Attributes:
        reached: Bool, whether the time is over.
    """

    def __init__(
        self,
        minutes: float,
        path: Path,
        *,
        writes: bool,
        when_reached: Callable[[], None],
        total: Callable[[float], float] | None = None,
    ) -> None:
        super().__init__()
        self._limit = 60 * minutes
        self._path = path
        self._writes = writes
        self._when_reached = when_reached
        self._total = total
        self._seconds = 0.0
        self._began: float | None = None
        self._calls = 0
        self.reached = False

    def restore(self, step: int) -> None:
        """Reads the seconds of a run that stands at `step`.

        Raises:
            ValueError: If the file is damaged.
        """
        if step and self._path.exists():
            self._seconds = _read(self._path)
        self.reached = self.seconds_left() <= 0

    def seconds_left(self) -> float:
        """Returns the training time that is left, in seconds."""
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self._limit - self._seconds - running

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops training if the time is over."""
        self._calls += 1
        over = self.seconds_left() <= 0
        if self._total is not None:
            if self._calls % _AGREE_EVERY:
                return
            over = self._total(float(over)) > 0
        if over and not self.reached:
            self.reached = True
            self._when_reached()
        if over:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves the seconds."""
        self._save()

    def on_train_end(self, logs: Any = None) -> None:
        """Stops the clock and saves the seconds."""
        self._save()
        self._began = None

    def _save(self) -> None:
        if self._began is not None:
            now = time.monotonic()
            self._seconds += now - self._began
            self._began = now
        if self._writes:
            files.write_text(self._path, json.dumps({"seconds": round(self._seconds, 1)}) + "\n")


def _read(path: Path) -> float:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged. Remove it to begin the time of the run anew"
        ) from error
