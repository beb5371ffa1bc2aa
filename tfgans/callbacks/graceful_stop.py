"""Stops a training after the running step when the process receives a signal to end."""

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from tfgans.callbacks.callback import Callback, Logs

# Calls after a batch between two exchanges of the workers of a cluster.
_CALLS_PER_EXCHANGE = 10


class GracefulStop(Callback):
    """Turns the first Ctrl-C (or SIGTERM, or SIGHUP) into a stop after the running step.

    A signal that the process ignores, as SIGHUP under `nohup`, stays ignored. Training ends as
    usual, so other callbacks save their state. A second signal acts at once. Use the callback as a
    context manager around `fit`, in the main thread: outside of it, no signal is received.

    Args:
        total: Callable from a float to its sum over all workers of a cluster, which all workers
            call. With it, all workers stop after the same step, whichever received the signal.
            Default: None, a single process.

    Attributes:
        signal: None, or the `signal.Signals` that was received; SIGTERM if another worker received
            a signal.

    Raises:
        ValueError: When training begins outside of the context.

    Example:

    ```python
    with tfgans.callbacks.GracefulStop() as stop:
        gan.fit(data, steps_per_epoch=1000, callbacks=[backup, stop])
    ```
    """

    _transient = ("_previous", "_entered")
    _previous: dict[signal.Signals, Any] | None = None  # Handlers as `signal.signal` returns them.
    _entered = False
    _takes_any_model = True

    def __init__(self, *, total: Callable[[float], float] | None = None) -> None:
        super().__init__()
        self._total = total
        self._calls = 0
        self.signal: signal.Signals | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The process holds this object as its signal handler.
        return self

    def __enter__(self) -> Self:
        self.signal, self._calls, self._entered = None, 0, True
        self._previous = {
            number: signal.signal(number, self._receive)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore_handlers()
        self._entered = False

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuses a training in which no signal would be received."""
        if not self._entered:
            raise ValueError(
                "`GracefulStop` receives signals only as a context manager around `fit`. Use "
                "`with tfgans.callbacks.GracefulStop() as stop: gan.fit(..., callbacks=[stop])`"
            )

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops training if a signal was received. In a cluster this takes up to 10 calls."""
        self._calls += 1
        if self._total is None or self._calls % _CALLS_PER_EXCHANGE == 0:
            self._agree()

    def on_train_end(self, logs: Logs = None) -> None:
        """Shares a late signal with the other workers, so that none begins another `fit`."""
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
        self._restore_handlers()
        # The reader of stderr may have ended by the same signal.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            sys.stderr.write(f"\n{self.signal.name}: stopping after this step (again: at once)\n")

    def _restore_handlers(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)
