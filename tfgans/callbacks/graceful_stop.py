"""Ctrl-C that loses nothing."""

import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from tfgans.callbacks.callback import Callback

# Callbacks between two times that the workers of a cluster tell each other.
_TOLD_EVERY = 10


class GracefulStop(Callback):
    """Turns the first Ctrl-C (or SIGTERM) into a stop after the running step.

    Training then ends in the ordinary way: other callbacks see the end and save. A second signal
    acts at once. Use it as a context manager around `fit`, from the main thread.

    Args:
        total: Callable from a float to its sum over all workers of a cluster, which all of them
            call: they must stop after the same step, whoever got the signal. Default: None, there
            is one process.

    Attributes:
        signal: None, or the `signal.Signals` that was received; by another worker: SIGTERM.

    Example:

    ```python
    with tfgans.callbacks.GracefulStop() as stop:
        gan.fit(data, steps_per_epoch=1000, callbacks=[backup, stop])
    ```
    """

    _left_out = ("_previous",)
    _previous: dict[signal.Signals, Any] | None = None

    def __init__(self, *, total: Callable[[float], float] | None = None) -> None:
        super().__init__()
        self._total = total
        self._calls = 0
        self.signal: signal.Signals | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The process has this handler: a copy would not hear of a signal.
        return self

    def __enter__(self) -> Self:
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {number: signal.signal(number, self._receive) for number in signals}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops after this step, or soon after it in a cluster, if a signal came."""
        self._calls += 1
        if self._total is None or self._calls % _TOLD_EVERY == 0:
            self._agree()

    def on_train_end(self, logs: Any = None) -> None:
        """Tells the other workers of a signal that came since: none may begin another `fit`."""
        self._agree()

    def _agree(self) -> None:
        stop = self.signal is not None
        if self._total is not None:
            stop = self._total(float(stop)) > 0
        if stop:
            self.signal = self.signal or signal.SIGTERM
            self.model.stop_training = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()
        sys.stderr.write(f"\n{self.signal.name}: stopping after this step (again: at once)\n")

    def _restore(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)
