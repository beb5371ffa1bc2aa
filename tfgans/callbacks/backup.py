"""Backups from which a killed run goes on to the same bits."""

import hashlib
import os
import re
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgans import checks, files
from tfgans.callbacks.every import Every

# Bytes that HDF5 adds to a variable, and to the file: more than was ever seen.
_OVERHEAD = 4096
_NAME = re.compile(r"step-(?P<step>\d+)-[0-9a-f]{16}\.weights\.h5")


class Backup(keras.callbacks.Callback):
    """Saves all that decides the next step, every N steps and at the end of training.

    One file holds the networks, both optimizers, the average, dropout's random state and the step
    count. It is written to a temporary name and renamed, and its name carries its checksum, so a
    file that was cut or changed is noticed and the one before it is used. Keras's own
    `BackupAndRestore` restarts the random state and the data order, and is not atomic.

    List it after the callbacks that log: a backup at the end of an epoch is written after the
    epoch's log, so that a run killed between the two does not lose the log.

    Args:
        directory: Folder of the backups; made if missing.
        every_steps: Int, training steps between backups. Default: 500.
        keep: Int, how many of the newest are kept. Default: 2, so that one may be damaged.

    Example:

    ```python
    backup = tfgans.callbacks.Backup("runs/x/backups")
    gan.compile()
    backup.restore(gan)
    done = gan.step
    data = source.batches(64, start_step=done * gan.discriminator_steps)
    gan.fit(data, steps_per_epoch=10_000 - done, callbacks=[backup])
    ```
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, every_steps: int = 500, keep: int = 2
    ) -> None:
        super().__init__()
        self.directory = Path(directory)
        self.keep = checks.positive_int("keep", keep)
        self._every = Every(every_steps)
        self._due = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts counting steps."""
        self._every.begin(self.model.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves when a backup is due, but for the last batch of an epoch."""
        self._due = self._every.due(self.model.step)
        if self._due and batch + 1 != self.params.get("steps"):
            self._save_due()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves when a backup was due at the last batch."""
        if self._due:
            self._save_due()

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the last step, if it is not saved yet."""
        if all(step != self.model.step for step, _ in self._backups()):
            self.save(self.model)

    def _save_due(self) -> None:
        self._due = False
        self.save(self.model)

    def save(self, model: Any) -> Path | None:
        """Writes a backup of `model` and removes the oldest ones.

        Returns:
            Its path; None, with a warning, if a weight is not finite: going on from there is of no
            use, and the good backups must stay.
        """
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            warnings.warn(
                f"Step {model.step} is not backed up: its weights are not finite", stacklevel=2
            )
            return None
        self.directory.mkdir(parents=True, exist_ok=True)
        files.remove_temporaries(self.directory)
        files.check_room(self.directory, _most_bytes(model))
        temporary = files.temporary_sibling(self.directory / "backup.weights.h5")
        try:
            model.save_weights(temporary)
            path = self.directory / f"step-{model.step:08d}-{_checksum(temporary)}.weights.h5"
            files.move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self._remove_old()
        return path

    def _remove_old(self) -> None:
        for _, old in self._backups()[self.keep :]:
            old.unlink()

    def newest_step(self) -> int | None:
        """Returns the step of the newest backup, whole or not; None if there is none."""
        return next((step for step, _ in self._backups()), None)

    def restore(self, model: Any) -> int | None:
        """Loads the newest whole backup into a compiled model.

        Returns:
            Its step; None if there is no backup.

        Raises:
            ValueError: If the model is not compiled, the backup is of another model, or every
                backup is damaged.
        """
        if not model.compiled:
            raise ValueError("Compile the model before `restore`: a backup holds its optimizers")
        backups = self._backups()
        for step, path in backups:
            if _checksum(path) in path.name:
                self._load(model, path)
                # A kill may have come between the newest one and this.
                self._remove_old()
                return step
            # Out of the way of the whole one that will be written at the same step.
            path.rename(path.with_name(f"damaged-{path.name}"))
            warnings.warn(
                f"The backup {path} is damaged (its checksum is wrong); using the one before it",
                stacklevel=2,
            )
        if backups:
            raise ValueError(
                f"Every backup in {self.directory} was damaged and is renamed. The next start "
                "begins anew, at step 0, and replaces the models and tables of the run"
            )
        return None

    def _load(self, model: Any, path: Path) -> None:
        try:
            with warnings.catch_warnings():
                # Keras only warns when it cannot load a part, say another kind of optimizer.
                warnings.simplefilter("error", UserWarning)
                model.load_weights(path)
        except (ValueError, KeyError, OSError, UserWarning) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"The backup {path} does not fit this model: it is of another one. "
                f"Keras says: {reason}"
            ) from error

    def _backups(self) -> list[tuple[int, Path]]:
        """Returns (step, path) of all backups, newest first."""
        found = [
            (int(match["step"]), path)
            for path in self.directory.glob("step-*")
            if (match := _NAME.fullmatch(path.name))
        ]
        return sorted(found, reverse=True)


def _most_bytes(model: Any) -> int:
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    variables = [*model.variables, *(one for each in optimizers for one in each.variables)]
    return _OVERHEAD + sum(one.numpy().nbytes + _OVERHEAD for one in variables)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
