"""What the callbacks share: they can be copied, also after a training, and say what they are."""

from typing import Any

import keras

from tfgans.copies import Copyable
from tfgans.reprs import SettingsRepr


class Callback(SettingsRepr, Copyable, keras.callbacks.Callback):
    """A Keras callback whose copies, and pickles, belong to no model.

    KerasTuner copies callbacks for each trial; Keras attaches a copy to its own model in `fit`.
    """

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {
            name: None if value is not None and value is self.model else value
            for name, value in state.items()
        }
