"""Ends a run whose numbers are no longer numbers."""

import warnings
from typing import Any

from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback


class StopOnNaN(Callback):
    """Stops training at the first log that is NaN or infinite, and says whose and at which step.

    Keras's `TerminateOnNaN` looks only at `loss`, which a GAN does not have.

    Attributes:
        message: None, or the sentence that was also given as a warning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.message: str | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets an earlier run."""
        self.message = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the logs of this step."""
        finding = symptoms.not_finite(logs or {})
        if finding is None or self.message is not None:
            return
        self.message = (
            f"Training stopped at step {self.model.step}: {finding.clause}; the backups from "
            "before are untouched"
        )
        warnings.warn(self.message, RuntimeWarning, stacklevel=2)
        self.model.stop_training = True
