"""The base class of the callbacks."""

from typing import Any, ClassVar, TypeAlias

import keras

from tfgans.copies import Copyable
from tfgans.gan import GAN
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
    # Whether the callback also works with models that are not GANs.
    _takes_any_model: ClassVar[bool] = False

    def set_model(self, model: keras.Model) -> None:
        """Attaches the model, before any callback begins.

        Raises:
            ValueError: If the callback needs a GAN and the model is not one.
        """
        if not self._takes_any_model and not isinstance(model, GAN):
            raise ValueError(
                f"`{type(self).__name__}` needs a `tfgans.GAN`. Received: "
                f"{model!r}. Use it in `fit` of a GAN"
            )
        super().set_model(model)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {
            name: None if value is not None and value is self.model else value
            for name, value in state.items()
        }
