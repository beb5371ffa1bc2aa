"""Stops a training whose logs are not finite."""

import warnings

from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback, Logs


class StopOnNaN(Callback):
    """Stops training when a log is NaN or infinite, and names the player and the step.

    With several steps in a call of TensorFlow (see `GAN.compile`) that is the call's last step.

    Keras's `TerminateOnNaN` looks only at `loss`, which a GAN does not log.

    Attributes:
        message: None, or the text of the warning with which training stopped.

    Example:

    ```python
    gan.fit(data, steps_per_epoch=1000, callbacks=[tfgans.callbacks.StopOnNaN()])
    ```
    """

    def __init__(self) -> None:
        super().__init__()
        self.message: str | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Clears the message of an earlier training."""
        self.message = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Checks the logs of this step."""
        finding = symptoms.not_finite(logs or {})
        if finding is None or self.message is not None:
            return
        self.message = (
            f"Training stopped at step {self.model.step}: {finding.description}; the backups from "
            "before are untouched"
        )
        warnings.warn(self.message, RuntimeWarning, stacklevel=2)
        self.model.stop_training = True
