"""A progress bar for a whole run."""

import sys
import time
from typing import Any

from tfgans import checks
from tfgans.callbacks.callback import Callback, Logs


class Progress(Callback):
    """Shows a single bar from the first step to the last, which continues after a resume.

    Keras's bar starts anew in each epoch. Use this callback with `verbose=0`.

    Args:
        total_steps: Int of at least 1, training steps of the whole run.

    Raises:
        ValueError: If `total_steps` is out of range.

    Example:

    ```python
    progress = tfgans.callbacks.Progress(10_000)
    gan.fit(data, steps_per_epoch=1000, epochs=10, verbose=0, callbacks=[progress])
    progress.close()
    ```
    """

    _left_out = ("_bar",)
    _bar: Any = None  # tqdm has no types.

    def __init__(self, total_steps: int) -> None:
        super().__init__()
        self.total_steps = checks.positive_int("total_steps", total_steps)
        self._shown = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Shows the bar at the step of the model."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total_steps,
                initial=self.model.step,
                unit="step",
                dynamic_ncols=True,
                # A file or a pipe keeps all states of the bar.
                mininterval=0.1 if sys.stderr.isatty() else 10.0,
            )

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar, and updates the losses beside it once a second."""
        self._bar.update(self.model.step - self._bar.n)
        if logs and time.monotonic() - self._shown > 1:
            self._shown = time.monotonic()
            losses = {name: f"{float(value):.3g}" for name, value in logs.items() if "loss" in name}
            self._bar.set_postfix(losses, refresh=False)

    def close(self) -> None:
        """Ends the line of the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
