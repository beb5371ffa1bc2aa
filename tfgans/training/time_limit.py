"""Measures the time of a run, and ends it by time."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.step_interval import StepInterval
from tfgans.callbacks.step_table import StepTable
from tfgans.step_clock import StepClock

# Callbacks between two times at which the workers of a cluster agree.
_AGREE_EVERY = 10
_HEADER = "step,seconds,cpu_seconds"


class TimeSpent(NamedTuple):
    """The time of a run up to a step.

    Attributes:
        step: Int, training steps.
        seconds: Float, the time in training, with evaluations, pictures and backups.
        cpu_seconds: Float, the CPU time of the training steps, as of `StepClock`.
    """

    step: int
    seconds: float
    cpu_seconds: float


class TimeLimit(Callback):
    """Measures the time of a run, over all its processes, and stops it when the time is over.

    The time is written before the backup it belongs to, so that a killed run continues with the
    time of the steps that it keeps. List this callback first, so that step times do not include the
    other callbacks.

    Args:
        path: CSV file of the time after each epoch, read by a process that continues the run.
        backup_every: Int, training steps between backups.
        writes: Whether this process writes the file.
        minutes: Float above 0, the training time of the whole run. Default: None, no limit.
        cpu_seconds: Float above 0, the CPU seconds of the training steps of the whole run.
            Default: None, no limit.
        when_reached: Called without arguments in the step at which the time is over.
        total: Callable from a float to its sum over all workers of a cluster, which all of them
            call, so that they stop at the same step: that at which any of them reaches a limit.
            Default: None, there is a single process.

    Attributes:
        reached: Bool, whether the time is over.
    """

    def __init__(
        self,
        path: Path,
        *,
        backup_every: int,
        writes: bool,
        when_reached: Callable[[], None],
        minutes: float | None = None,
        cpu_seconds: float | None = None,
        total: Callable[[float], float] | None = None,
    ) -> None:
        super().__init__()
        self._table = StepTable(path, _HEADER, writer=type(self).__name__)
        self._interval = StepInterval(backup_every)
        self.every_steps = self._interval.steps
        self._writes = writes
        self._when_reached = when_reached
        self._seconds_limit = None if minutes is None else 60 * minutes
        self._cpu_limit = cpu_seconds
        self._total = total
        self._seconds = 0.0
        self._began: float | None = None
        self._clock = StepClock()
        self._step = 0
        self._written_step: int | None = None
        self._calls = 0
        self.reached = False

    def restore(self, step: int) -> None:
        """Reads the time of a run that stands at `step`.

        The time of this process since then is forgotten, also of a training that ended in an error.

        Raises:
            ValueError: If the file is damaged.
        """
        before = [spent for spent in read_time(self._table.path) if spent.step <= step]
        spent = before[-1] if before else TimeSpent(0, 0.0, 0.0)
        self._began = None
        self._seconds, self._clock = spent.seconds, StepClock(spent.cpu_seconds)
        self.reached = self._is_over()

    def seconds_left(self) -> float | None:
        """Returns about how many seconds are left until a limit; None without a limit."""
        left = []
        if self._seconds_limit is not None:
            left.append(self._seconds_limit - self._elapsed())
        if self._cpu_limit is not None:
            spent = self._clock.seconds
            pace = self._elapsed() / spent if spent else 1.0
            left.append((self._cpu_limit - spent) * pace)
        return min(left, default=None)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts the clock."""
        self._began = time.monotonic()
        self._interval.begin(self.model.step)
        self._write()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Starts the clock of the steps."""
        self._step = self.model.step
        self._clock.begin(self.model.train_function)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops training if the time is over."""
        self._clock.end(self.model.step - self._step)
        self._calls += 1
        if self._interval.due(self.model.step):
            self._write()
        over = self._is_over()
        if self._total is not None:
            if self._calls % _AGREE_EVERY:
                return
            over = self._total(float(over)) > 0
        if over and not self.reached:
            self.reached = True
            self._when_reached()
        if over:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes the time."""
        self._write()

    def on_train_end(self, logs: Logs = None) -> None:
        """Stops the clock and writes the time."""
        self._seconds = self._elapsed()
        self._began = None
        self._write()

    def _elapsed(self) -> float:
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self._seconds + running

    def _is_over(self) -> bool:
        limits = ((self._seconds_limit, self._elapsed()), (self._cpu_limit, self._clock.seconds))
        return any(limit is not None and spent >= limit for limit, spent in limits)

    def _write(self) -> None:
        """Writes the row of the present step, in place of those of steps that were given up."""
        if not self._writes:
            return
        step = self.model.step
        row = f"{step},{self._elapsed():.3f},{self._clock.seconds:.3f}\n"
        if self._written_step is None or step <= self._written_step:
            self._table.begin(step, rows=[row])
        else:
            self._table.append([row])
        self._written_step = step


def read_time(path: Path) -> list[TimeSpent]:
    """Returns the time of a run after each of its epochs, from its `time.csv`.

    Returns:
        A list of `TimeSpent` in the order of the steps; empty if the run has not begun.

    Raises:
        ValueError: If the file is damaged.
    """
    return StepTable(path, _HEADER, writer="TimeLimit").parsed(_to_time)


def _to_time(cells: Sequence[str]) -> TimeSpent:
    step, seconds, cpu_seconds = cells
    return TimeSpent(int(step), float(seconds), float(cpu_seconds))
