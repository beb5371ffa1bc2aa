"""The base class of the callbacks."""

from typing import Any, TypeAlias

import keras

from tfgans.copies import Copyable
from tfgans.reprs import SettingsRepr

# The logs that Keras passes to a callback: floats or tensors by name.
Logs: TypeAlias = dict[str, Any] | None


class Callback(SettingsRepr, Copyable, keras.callbacks.Callback):
    """A Keras callback that can be copied and pickled, also after training.

    Copies belong to no model: KerasTuner copies callbacks for each trial, and Keras attaches each
    copy to its model in `fit`.

    Attributes:
        every_steps: Int, the interval of the steps that the callback must see if a call of
            TensorFlow takes several; None, if any step will do.
    """

    every_steps: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {
            name: None if value is not None and value is self.model else value
            for name, value in state.items()
        }
