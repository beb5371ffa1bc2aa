"""Which of Keras's callbacks and file formats a model with two optimizers cannot take."""

import os
from collections.abc import Sequence
from pathlib import Path

import keras

# Callbacks that ask the model for its one optimizer or its one loss, and what to use instead.
_REFUSED: dict[type[keras.callbacks.Callback], str] = {
    keras.callbacks.SwapEMAWeights: (
        "it swaps the averages of one optimizer. Use `ema=0.999` of the model, whose average "
        "`sample`, `predict` and `export` use"
    ),
    keras.callbacks.TerminateOnNaN: (
        "it looks at `loss`, which a GAN does not log. Use `tfgans.callbacks.StopOnNaN()`, which "
        "looks at both players"
    ),
}


def check_callbacks(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None,
) -> None:
    """Raises ValueError for a callback that would fail, or do nothing, with a GAN."""
    if callbacks is None:
        return
    listed = getattr(callbacks, "callbacks", callbacks)
    for callback in listed if isinstance(listed, Sequence) else [listed]:
        for kind, reason in _REFUSED.items():
            if isinstance(callback, kind):
                raise ValueError(f"`{kind.__name__}` does not work with a GAN: {reason}")
        saves_models = isinstance(callback, keras.callbacks.ModelCheckpoint)
        if saves_models and not callback.save_weights_only:
            check_model_path(callback.filepath)


def check_model_path(path: str | os.PathLike[str]) -> None:
    """Raises ValueError unless a whole model can be saved to the path: it must end in .keras."""
    if Path(path).suffix in (".h5", ".hdf5"):
        raise ValueError(
            "A GAN is saved to a `.keras` file: HDF5 holds neither its two optimizers nor its "
            f"step. Received: {path}. Use {Path(path).with_suffix('.keras')}"
        )
