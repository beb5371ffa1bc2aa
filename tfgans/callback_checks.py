"""Checks of callbacks and file formats of Keras that do not work with two optimizers."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

import keras

from tfgans import checks
from tfgans.optimizers import LearningRates

# Callbacks that need a model with a single optimizer or a single loss, and what to use instead.
_REFUSED: dict[type[keras.callbacks.Callback], str] = {
    keras.callbacks.SwapEMAWeights: (
        "it swaps the averages of a single optimizer. Use `ema=0.999` of the model, whose average "
        "`sample`, `predict` and `export` use"
    ),
    keras.callbacks.TerminateOnNaN: (
        "it reads `loss`, which a GAN does not log. Use `tfgans.callbacks.StopOnNaN()`, which "
        "reads the losses of both players"
    ),
}

# Callbacks that set the learning rate.
_SETS_RATE = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)

# Callbacks that compare a logged value over the epochs.
_MONITORS = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)

Callbacks: TypeAlias = Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None


def check_callbacks(
    callbacks: Callbacks,
    *,
    learning_rates: LearningRates,
    log_names: Collection[str],
    validates: bool,
) -> None:
    """Raises ValueError for a callback that would fail, or do nothing, with a GAN.

    Args:
        callbacks: What `fit` or `evaluate` received.
        learning_rates: Those of the model.
        log_names: The names that the model itself logs, without `val_`. Callbacks and metrics of
            the user may add others.
        validates: Bool, whether the run has validation data.
    """
    if callbacks is None:
        return
    listed = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks))
    for callback in listed:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be a list of `keras.callbacks.Callback`. Received: "
                f"{checks.short(callback)} among them"
            )
    _check_resizable(listed)
    for callback in listed:
        for kind, reason in _REFUSED.items():
            if isinstance(callback, kind):
                raise ValueError(f"`{kind.__name__}` does not work with a GAN: {reason}")
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            _check_backup(callback)
        if isinstance(callback, _SETS_RATE):
            _check_rates(callback, learning_rates)
        saves_models = isinstance(callback, keras.callbacks.ModelCheckpoint)
        if saves_models and not callback.save_weights_only:
            check_model_path(callback.filepath)
        # Without `save_best_only` Keras does not read the monitor, but must know its direction.
        is_read = not saves_models or callback.save_best_only
        if is_read or (callback.mode == "auto" and callback.monitor not in ("loss", "val_loss")):
            _check_monitor(callback, log_names, validates)


def _check_resizable(callbacks: Collection[keras.callbacks.Callback]) -> None:
    """Raises ValueError if weights would be restored into another number of components."""
    restoring = [
        callback
        for callback in callbacks
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.restore_best_weights
    ]
    if restoring and any(
        getattr(callback, "changes_num_components", False) for callback in callbacks
    ):
        raise ValueError(
            "`EarlyStopping(restore_best_weights=True)` cannot restore weights once "
            "`AdaptComponents` has changed the components. Keep the best model with "
            "`tfgans.callbacks.Evaluation(best_model=...)` instead"
        )


def _check_backup(callback: keras.callbacks.BackupAndRestore) -> None:
    if callback.save_freq != "epoch":
        raise ValueError(
            "`BackupAndRestore` restarts an epoch with weights that were saved in its middle. "
            f"Received: save_freq={callback.save_freq!r}. Use `save_freq='epoch'`, or "
            "`tfgans.callbacks.Backup(folder, every_steps=...)`, which resumes at the saved step"
        )


def _check_rates(callback: keras.callbacks.Callback, learning_rates: LearningRates) -> None:
    try:
        learning_rates.check_constant()
    except ValueError as error:
        raise ValueError(f"`{type(callback).__name__}` sets the learning rate. {error}") from error


def _check_monitor(
    callback: keras.callbacks.Callback, log_names: Collection[str], validates: bool
) -> None:
    """Raises ValueError for a monitored name that a GAN does not log, or without a direction.

    Keras knows the direction of metrics that `compile` has received, of which a GAN has none. It
    would fail after the first epoch.
    """
    if not isinstance(callback, _MONITORS):
        return
    monitor = callback.monitor
    kind, name = type(callback).__name__, monitor.removeprefix("val_")
    if name == "loss" and name not in log_names:
        raise ValueError(
            f"`{kind}` monitors {monitor!r}, which a GAN does not log: it has two losses. Monitor "
            f"one of {', '.join(log_names)} (of validation data with `val_` before the name) with "
            "`mode='min'` or `mode='max'`, or a score of `tfgans.callbacks.Evaluation`"
        )
    if name in log_names and monitor != name and not validates:
        raise ValueError(
            f"`{kind}` monitors {monitor!r}, which needs `validation_data`. Received: none. Pass "
            f"`validation_data` to `fit`, or monitor {name!r}"
        )
    if callback.mode == "auto":
        raise ValueError(
            f"`{kind}` must know whether {monitor!r} is to become smaller or larger. Received: "
            "mode='auto'. Pass `mode='min'` or `mode='max'`"
        )


def check_model_path(path: str | os.PathLike[str]) -> None:
    """Raises ValueError unless a path ends in .keras."""
    if Path(path).suffix != ".keras":
        raise ValueError(
            "A GAN is saved to a `.keras` file (HDF5 holds neither its two optimizers nor its "
            f"step). Received: {path}. Use {Path(path).with_suffix('.keras')}, or "
            "`save_weights('gan.weights.h5')` for the weights alone"
        )
