"""Backups from which a killed run goes on to the same bits."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks, files
from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.every import Every

# Bytes that HDF5 adds to a variable, and to the file: more than was ever seen.
_OVERHEAD = 4096
_NAME = re.compile(r"step-(?P<step>\d+)(-r(?P<rollbacks>\d+))?-[0-9a-f]{16}\.weights\.h5")


class _Saved(NamedTuple):
    """A backup; the larger one is the newer one."""

    rollbacks: int
    step: int
    path: Path


class Backup(Callback):
    """Saves all that decides the next step, every N steps and at the end of training.

    One file holds the networks, both optimizers, the average, dropout's random state and the step
    count. It is written to a temporary name and renamed, and its name carries its checksum, so a
    file that was cut or changed is noticed and the one before it is used. Keras's own
    `BackupAndRestore` restarts the random state and the data order, and is not atomic.

    A `Doctor` may roll a run back: what is saved after that has the number of rollbacks in its
    name, is newer than all before, and replaces what was saved after the step gone back to.

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
        self.directory = files.path(directory)
        self.keep = checks.positive_int("keep", keep)
        self._every = Every(every_steps)
        self._due = False
        self._good_step: int | None = None
        self._broken = False

    @property
    def every_steps(self) -> int:
        """Training steps between backups."""
        return self._every.steps

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts counting steps, and ends a rollback that was killed."""
        self._every.begin(self.model.step)
        self._broken = False
        self._remove_abandoned(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves when a backup is due, but for the last batch of an epoch."""
        self._due = self._every.due(self.model.step)
        # With float16 the weights can be finite still: a backup of then would push out a good one.
        self._broken = self._broken or symptoms.not_finite(logs or {}) is not None
        if self._due and batch + 1 != self.params.get("steps"):
            self._save_due()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves when a backup was due at the last batch."""
        if self._due:
            self._save_due()

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the last step, if it is not saved yet."""
        if self._broken:
            return
        present = (self.model.rollbacks, self.model.step)
        if all((one.rollbacks, one.step) != present for one in self._backups()):
            self.save(self.model)

    def _save_due(self) -> None:
        self._due = False
        if not self._broken:
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
            rollbacks = f"-r{model.rollbacks}" if model.rollbacks else ""
            name = f"step-{model.step:08d}{rollbacks}-{_checksum(temporary)}.weights.h5"
            path = self.directory / name
            files.move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self.remove_old(model)
        return path

    def remove_old(self, model: Any) -> None:
        """Removes what is no longer needed; `save` does, but a kill may come before it could."""
        self._remove_abandoned(model)
        kept = self._backups()[: self.keep]
        if self._good_step is not None:
            # The newest due one will be the good one if nothing is found at the next check.
            kept += [*self._due_ones(model)[:1], *self._good(model)[:1]]
        for one in self._backups():
            if one not in kept:
                one.path.unlink()

    def _remove_abandoned(self, model: Any) -> None:
        """Removes what was saved before a rollback, of steps after the one gone back to."""
        for one in self._backups():
            if one.rollbacks < model.rollbacks and one.step > model.step:
                one.path.unlink()

    def keep_good(self, step: int | None) -> None:
        """Keeps, besides the newest ones, one to go back to: a state that was good at `step`.

        Of those that were due. One that an interruption left is no state to go back to: a run
        that was not interrupted would not have it.
        """
        self._good_step = step

    def last_good(self, model: Any) -> tuple[int, Path] | None:
        """Returns step and path of the newest whole backup up to the step of `keep_good`.

        Args:
            model: The compiled model, which says how many steps it runs at once.
        """
        return next(((one.step, one.path) for one in self._whole(self._good(model))), None)

    def load(self, model: Any, path: Path) -> None:
        """Loads one backup into a compiled model.

        Raises:
            ValueError: If it is of another model.
        """
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

    def newest_step(self) -> int | None:
        """Returns the step of the newest backup, whole or not; None if there is none."""
        return next((one.step for one in self._backups()), None)

    def restore(self, model: Any, *, mend: bool = True) -> int | None:
        """Loads the newest whole backup into a compiled model.

        Args:
            model: The model.
            mend: Whether damaged ones are renamed. Of several processes that share the folder one
                does, the others only pass by. Default: True.

        Returns:
            Its step; None if there is no backup.

        Raises:
            ValueError: If the model is not compiled, the backup is of another model, or every
                backup is damaged.
        """
        if not model.compiled:
            raise ValueError("Compile the model before `restore`: a backup holds its optimizers")
        backups = self._backups()
        for saved in self._whole(backups, mend=mend):
            self.load(model, saved.path)
            return saved.step
        if backups and mend:
            raise ValueError(
                f"Every backup in {self.directory} was damaged and is renamed. The next start "
                "begins anew, at step 0, and replaces the models and tables of the run"
            )
        return None

    def _whole(self, backups: Iterable[_Saved], *, mend: bool = True) -> Iterator[_Saved]:
        """Yields those that are whole, and renames the others before it."""
        for saved in backups:
            path = saved.path
            if _checksum(path) in path.name:
                yield saved
                continue
            if not mend:
                continue
            # Out of the way of the whole one that will be written at the same step.
            path.rename(path.with_name(f"damaged-{path.name}"))
            warnings.warn(
                f"The backup {path} is damaged (its checksum is wrong); using the one before it",
                stacklevel=3,
            )

    def _backups(self) -> list[_Saved]:
        """Returns all backups, newest first."""
        found = [
            _Saved(int(match["rollbacks"] or 0), int(match["step"]), path)
            for path in self.directory.glob("step-*")
            if (match := _NAME.fullmatch(path.name))
        ]
        return sorted(found, reverse=True)

    def _good(self, model: Any) -> list[_Saved]:
        if self._good_step is None:
            return []
        return [one for one in self._due_ones(model) if one.step <= self._good_step]

    def _due_ones(self, model: Any) -> list[_Saved]:
        # Of several steps in one execution, the last one is that of the backup.
        steps = model.steps_per_execution
        return [one for one in self._backups() if one.step % self._every.steps < steps]


def _most_bytes(model: Any) -> int:
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    variables = [*model.variables, *(one for each in optimizers for one in each.variables)]
    return _OVERHEAD + sum(one.numpy().nbytes + _OVERHEAD for one in variables)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
