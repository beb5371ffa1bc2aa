"""The CPU time of training steps, which budgets compare."""

import time


class StepClock:
    """Measures the CPU seconds of training steps, without the tracing and without all between them.

    CPU seconds are those of all threads of the process, by `time.process_time`. TensorFlow traces
    the step in its first call in a process: that call counts as the mean of the others.

    Args:
        seconds: Float, the CPU seconds of earlier processes, to which those of this process are
            added. Default: 0.

    Example:

    >>> clock = tfgans.step_clock.StepClock(seconds=2.5)
    >>> for _ in range(3):
    ...     clock.begin()
    ...     clock.end(steps=1)
    >>> clock.seconds >= 2.5
    True
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._begun = 0.0
        self._traced_steps: int | None = None
        self._steps = 0
        self._seconds = 0.0

    def begin(self) -> None:
        """Starts the clock, before a call of TensorFlow."""
        self._begun = time.process_time()

    def end(self, steps: int) -> None:
        """Stops the clock, after a call of TensorFlow that took `steps` training steps."""
        if self._traced_steps is None:
            self._traced_steps = steps
            return
        self._steps += steps
        self._seconds += time.process_time() - self._begun

    @property
    def seconds(self) -> float:
        """The CPU seconds so far; the first call counts from the second on."""
        if not self._steps:
            return self._before
        steps = self._steps + (self._traced_steps or 0)
        return self._before + self._seconds / self._steps * steps
