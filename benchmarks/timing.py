"""Times steps in alternation within a process: seconds per step, and ratios of speed."""

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

import tfgans

CLOCKS = ("wall", "cpu")
Name = TypeVar("Name", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Cost:
    """The seconds of a step: wall time, and CPU time of all threads of the process."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median and the range of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Returns the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        """Formats the spread as `median (low..high)`."""
        return f"{self.median:.3f} ({self.low:.3f}..{self.high:.3f})"


class StepClock(keras.callbacks.Callback):
    """Times the steps of one `fit` from the end of its first execution.

    So it leaves out the work that `fit` does once, before the steps.

    Args:
        steps_per_execution: Int, the argument of `compile`.
    """

    def __init__(self, steps_per_execution: int = 1) -> None:
        super().__init__()
        self._steps_per_execution = steps_per_execution
        self._ends: list[tuple[float, float]] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Reads the clocks after an execution."""
        del batch, logs
        self._ends.append((time.perf_counter(), time.process_time()))

    def cost(self) -> Cost:
        """Returns the mean cost of a step after the first execution."""
        steps = (len(self._ends) - 1) * self._steps_per_execution
        wall, cpu = (
            (last - first) / steps
            for first, last in zip(self._ends[0], self._ends[-1], strict=True)
        )
        return Cost(wall, cpu)


def time_calls(step: Callable[[], object], steps: int) -> Cost:
    """Returns the mean cost of `steps` calls of `step`."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    return Cost((time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps)


def alternate(runners: Mapping[Name, Callable[[], Cost]], rounds: int) -> dict[Name, list[Cost]]:
    """Returns the costs of every runner, one per round; the order rotates from round to round.

    Starts with an untimed round, for the tracing and the first use of the memory.
    """
    names = list(runners)
    for name in names:
        runners[name]()
    costs: dict[Name, list[Cost]] = {name: [] for name in names}
    for index in range(rounds):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            costs[name].append(runners[name]())
    return costs


def speed_ratio(costs: Sequence[Cost], reference: Sequence[Cost], clock: str) -> Spread:
    """Returns the speed relative to `reference`, round by round."""
    pairs = zip(costs, reference, strict=True)
    return Spread.of([getattr(slow, clock) / getattr(fast, clock) for fast, slow in pairs])


def load() -> str:
    """Returns the load of the machine over the last minute."""
    return f"load {os.getloadavg()[0]:.2f}"


def environment() -> str:
    """Returns versions and the load of the machine, for the head of a report."""
    return (
        f"tfgans {tfgans.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {load()}"
    )
