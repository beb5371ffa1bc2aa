"""Shows the progress of a run."""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

from tfgans import checks
from tfgans.callbacks.callback import Callback

# Seconds between two lines where stderr is not a terminal.
_LINE_EVERY = 30.0


class Progress(Callback):
    """Shows the step, the losses, the speed and the time left of a whole run, on stderr.

    On a terminal it is a single bar from the first step to the last, which a resumed run continues;
    Keras's bar starts anew each epoch. In a file or a pipe it is a line every 30 seconds, and a
    line at the end. Use it with `verbose=0`.

    The display ends at the last step, or when another callback stops the training. Until then it
    goes on in the next `fit`; call `close()` if there is none.

    Args:
        total_steps: Int, training steps of the whole run; None if another callback ends it.
        seconds_left: Function that returns the seconds after which another callback ends the run,
            or None if only the steps end it. Default: None, the steps end it.

    Raises:
        ValueError: If `total_steps` is out of range.

    Example:

    ```python
    progress = tfgans.callbacks.Progress(total_steps=1000)
    gan.fit(data, epochs=10, steps_per_epoch=100, verbose=0, callbacks=[progress])
    ```
    """

    _transient = ("_bar",)
    _bar: Any = None  # tqdm has no types.

    def __init__(
        self, total_steps: int | None, *, seconds_left: Callable[[], float | None] | None = None
    ) -> None:
        super().__init__()
        if total_steps is not None:
            checks.positive_int("total_steps", total_steps)
        self.total_steps = total_steps
        self._seconds_left = seconds_left
        self._shown = 0.0
        # Time and step of the last line, or of the start; None without a display.
        self._written: tuple[float, int] | None = None
        # From where the speed counts: not from the start, since the first call traces the step.
        self._timed: tuple[float, int] | None = None
        self._losses: dict[str, str] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows the step at which the model stands."""
        if sys.stderr.isatty() and self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total_steps, initial=self.model.step, unit="step", dynamic_ncols=True
            )
        if self._written is None:
            self._written = time.monotonic(), self.model.step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar, or writes a line when it is due."""
        if self._bar is not None:
            self._bar.update(self.model.step - self._bar.n)
            if time.monotonic() - self._shown > 1:
                self._shown = time.monotonic()
                self._bar.set_postfix(_losses(logs), refresh=False)
            return
        now = time.monotonic()
        if self._timed is None:
            self._timed = now, self.model.step
        if self._written is not None and now - self._written[0] >= _LINE_EVERY:
            self._losses = _losses(logs)
            self._write_line()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the losses."""
        self._losses = _losses(logs) or self._losses

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the display, unless steps are left for another `fit`."""
        at_last_step = self.total_steps is not None and self.model.step >= self.total_steps
        if at_last_step or self.model.stop_training:
            self.close()

    def close(self) -> None:
        """Ends the bar, or writes the last line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._written is not None and self.model.step > self._written[1]:
            self._write_line()
        self._written = self._timed = None

    def _write_line(self) -> None:
        step, now = self.model.step, time.monotonic()
        since, first_step = self._timed or (now, step)
        rate = (step - first_step) / max(now - since, 1e-9)
        self._written = self._timed = now, step
        goal = "" if self.total_steps is None else f"/{self.total_steps}"
        parts = [f"step {step}{goal}", *(f"{name} {value}" for name, value in self._losses.items())]
        if rate > 0:
            parts.append(f"{rate:.3g} steps/s")
        limit = None if self._seconds_left is None else self._seconds_left()
        left = [] if limit is None else [max(limit, 0.0)]
        if self.total_steps is not None and rate > 0:
            left.append((self.total_steps - step) / rate)
        if left:
            parts.append(f"{duration(min(left))} left")
        # A training must not end because nobody reads about it any more.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(", ".join(parts) + "\n")
            sys.stderr.flush()


def _losses(logs: dict[str, Any] | None) -> dict[str, str]:
    return {name: f"{float(value):.3g}" for name, value in (logs or {}).items() if "loss" in name}


def duration(seconds: float) -> str:
    """Returns a time as text: "3 h 5 min", "5 min 20 s" or "20 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
