"""A progress bar over a whole run."""

import sys
import time
from typing import Any

from tfgans import checks
from tfgans.callbacks.callback import Callback


class Progress(Callback):
    """One bar from the first step to the last, with the time left; goes on after a resume.

    Keras's own bar starts anew each epoch. Use this one with `verbose=0`.

    Args:
        total_steps: Int, training steps of the whole run.
    """

    _left_out = ("_bar",)
    _bar: Any = None

    def __init__(self, total_steps: int) -> None:
        super().__init__()
        self.total_steps = checks.positive_int("total_steps", total_steps)
        self._shown = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows the bar at the step where the model stands."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total_steps,
                initial=self.model.step,
                unit="step",
                dynamic_ncols=True,
                # A file or a pipe keeps every state of the bar: a few are enough.
                mininterval=0.1 if sys.stderr.isatty() else 10.0,
            )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar; the losses beside it are renewed once a second."""
        self._bar.update(self.model.step - self._bar.n)
        if logs and time.monotonic() - self._shown > 1:
            self._shown = time.monotonic()
            shown = {name: f"{float(value):.3g}" for name, value in logs.items() if "loss" in name}
            self._bar.set_postfix(shown, refresh=False)

    def close(self) -> None:
        """Ends the bar's line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
