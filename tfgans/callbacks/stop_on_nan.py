"""Ends a run whose numbers are no longer numbers."""

import math
import warnings
from typing import Any

import keras

_PLAYERS = {
    "discriminator_loss": "the discriminator",
    "real_logits": "the discriminator",
    "fake_logits": "the discriminator",
    "penalty": "the discriminator's penalty",
    "generator_loss": "the generator",
}


class StopOnNaN(keras.callbacks.Callback):
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
        bad = {name: float(value) for name, value in (logs or {}).items()}
        bad = {name: value for name, value in bad.items() if not math.isfinite(value)}
        if not bad or self.message is not None:
            return
        # Where several went bad in one step, the first in this order is the one to name.
        name = min(bad, key=lambda entry: (*_PLAYERS, entry).index(entry))
        self.message = (
            f"Training stopped at step {self.model.step}: {_PLAYERS.get(name, name)} broke "
            f"({name} is {bad[name]}). Lower the learning rates, or add a penalty or "
            "normalization; the backups from before are untouched"
        )
        warnings.warn(self.message, RuntimeWarning, stacklevel=2)
        self.model.stop_training = True
