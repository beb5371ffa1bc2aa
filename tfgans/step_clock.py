"""The CPU time of training steps, which budgets compare."""

import time


class StepClock:
    """Measures the CPU seconds of training steps, without tracing or what lies between them.

    CPU seconds are those of all threads of the process, by `time.process_time`. TensorFlow traces
    the step in its first call in a process, and again after the model has changed: such a call
    counts as the mean of the others.

    Args:
        seconds: Float, the CPU seconds of earlier processes, to which those of this process are
            added. Default: 0.

    Attributes:
        tracing_seconds: Float, the CPU seconds of the calls of this process that traced.

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
        self._function: object = self  # None has been called yet.
        self._traces = True
        self._traced_steps = 0
        self._steps = 0
        self._seconds = 0.0
        self.tracing_seconds = 0.0

    def begin(self, function: object = None) -> None:
        """Starts the clock, before a call of TensorFlow.

        Args:
            function: What is called, say `gan.train_function`: its first call traces.
        """
        self._traces, self._function = function is not self._function, function
        self._begun = time.process_time()

    def end(self, steps: int) -> None:
        """Stops the clock, after a call of TensorFlow that took `steps` training steps."""
        seconds = time.process_time() - self._begun
        if self._traces:
            self._traced_steps += steps
            self.tracing_seconds += seconds
        else:
            self._steps += steps
            self._seconds += seconds

    @property
    def seconds(self) -> float:
        """The CPU seconds so far; calls that traced count once another call has been measured."""
        if not self._steps:
            return self._before
        return self._before + self._seconds / self._steps * (self._steps + self._traced_steps)
