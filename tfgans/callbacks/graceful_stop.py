"""Ctrl-C that loses nothing."""

import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

import keras


class GracefulStop(keras.callbacks.Callback):
    """Turns the first Ctrl-C (or SIGTERM) into a stop after the running step.

    Training then ends in the ordinary way: other callbacks see the end and save. A second signal
    acts at once. Use it as a context manager around `fit`, from the main thread.

    Attributes:
        signal: None, or the `signal.Signals` that was received.

    Example:

    ```python
    with tfgans.callbacks.GracefulStop() as stop:
        gan.fit(data, steps_per_epoch=1000, callbacks=[backup, stop])
    ```
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops after this step if a signal came."""
        if self.signal is not None:
            self.model.stop_training = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()
        sys.stderr.write(f"\n{self.signal.name}: stopping after this step (again: at once)\n")

    def _restore(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)
