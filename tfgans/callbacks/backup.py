"""Backups from which an interrupted run continues to the same bits."""

import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, files
from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.step_interval import StepInterval
from tfgans.gan import GAN

# An upper bound of the bytes that HDF5 adds to each variable, and to the file.
_OVERHEAD = 4096
_NAME = re.compile(r"step-(?P<step>\d+)(-r(?P<rollbacks>\d+))?-[0-9a-f]{16}\.weights\.h5")


class _SavedBackup(NamedTuple):
    """A file with its place in the history; newer backups compare as larger."""

    rollbacks: int
    step: int
    path: Path


class Backup(Callback):
    """Saves the whole state of training every N steps and at the end.

    A file holds the networks, both optimizers, the average, the random state of dropout and the
    step count, so a resumed run gives bit-identical results. Files are written under a temporary
    name and then renamed. The name contains a checksum, so that a damaged file is detected and the
    previous backup is used. In contrast, Keras's `BackupAndRestore` restarts the random state and
    the order of the data, and its files are not written atomically.

    After a rollback by a `Doctor`, the names of backups include the number of rollbacks. Such a
    backup is newer than all backups before the rollback, and replaces those of later steps.

    List this callback after those that write logs: it saves at the end of an epoch after the
    epoch's log, so a run that is killed between the two keeps the log.

    Args:
        directory: Folder of the backups. Made if missing.
        every_steps: Int of at least 1, training steps between backups. Default: 500.
        keep: Int of at least 1, the number of newest backups to keep. Default: 2, in case the
            newest is damaged.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    ```python
    backup = tfgans.callbacks.Backup("runs/x/backups")
    gan.compile()
    backup.restore(gan)
    gan.fit(source, batch_size=64, steps_per_epoch=10_000 - gan.step, callbacks=[backup])
    ```
    """

    every_steps: int

    def __init__(
        self, directory: str | os.PathLike[str], *, every_steps: int = 500, keep: int = 2
    ) -> None:
        super().__init__()
        self.directory = files.path(directory)
        self.keep = checks.positive_int("keep", keep)
        self._interval = StepInterval(every_steps)
        self.every_steps = self._interval.steps
        self._due = False
        self._good_step: int | None = None
        self._broken = False

    def set_model(self, model: GAN) -> None:
        """Attaches the model, before any callback begins.

        Raises:
            ValueError: If the directory has backups of another training, of later steps.
        """
        super().set_model(model)
        present = (model.rollbacks, model.step)
        later = [saved for saved in self._backups() if not self._is_abandoned(saved, model)]
        later = [saved for saved in later if saved[:2] > present]
        # A callback such as `EarlyStopping` may have restored weights, which were then saved.
        if later and all(saved[:2] != present for saved in self._backups()):
            raise ValueError(
                f"{self.directory} holds backups up to step {later[0].step}, and the model is at "
                f"step {model.step}. Call `restore` first to continue, or choose another directory"
            )

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts to count steps, and completes a rollback that was interrupted."""
        self._interval.begin(self.model.step)
        self._broken = False
        for saved in self._backups():
            if self._is_abandoned(saved, self.model):
                saved.path.unlink()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Saves when a backup is due, except at the last batch of an epoch."""
        self._due = self._interval.due(self.model.step)
        # In float16 the weights may still be finite. Such a backup would replace a good backup.
        self._broken = self._broken or symptoms.not_finite(logs or {}) is not None
        # Where the training stops, a row of the log and an evaluation follow, and must come first.
        ends = batch + 1 == self.params.get("steps") or self.model.stop_training
        if self._due and not ends:
            self._save_due()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves if a backup was due at the last batch."""
        if self._due:
            self._save_due()

    def on_train_end(self, logs: Logs = None) -> None:
        """Saves the last step, unless it is saved."""
        if self._broken:
            return
        present = (self.model.rollbacks, self.model.step)
        if all((saved.rollbacks, saved.step) != present for saved in self._backups()):
            self.save(self.model)

    def _save_due(self) -> None:
        self._due = False
        if not self._broken:
            self.save(self.model)

    def save(self, model: GAN) -> Path | None:
        """Writes a backup of `model` and removes the oldest backups.

        Args:
            model: The compiled model.

        Returns:
            The path of the backup. None, with a warning, if a weight is not finite: training cannot
            continue from such weights, so the earlier backups stay.

        Raises:
            OSError: If the backup cannot be written.
        """
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            warnings.warn(
                f"Step {model.step} is not backed up: its weights are not finite", stacklevel=2
            )
            return None
        self.directory.mkdir(parents=True, exist_ok=True)
        files.remove_temporaries(self.directory)
        files.check_disk_space(self.directory, _max_bytes(model))
        temporary = files.temporary_sibling(self.directory / "backup.weights.h5")
        try:
            model.save_weights(temporary)
            rollbacks = f"-r{model.rollbacks}" if model.rollbacks else ""
            name = f"step-{model.step:08d}{rollbacks}-{files.sha256(temporary)[:16]}.weights.h5"
            path = self.directory / name
            files.move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self.remove_old(model)
        return path

    def remove_old(self, model: GAN) -> None:
        """Removes backups that are no longer needed, and those of steps that training has left.

        `save` calls it, but a run may be killed between the two.

        Args:
            model: The compiled model.
        """
        present = (model.rollbacks, model.step)
        for saved in self._backups():
            if self._is_abandoned(saved, model) or saved[:2] > present:
                saved.path.unlink()
        kept = self._backups()[: self.keep]
        if self._good_step is not None:
            # The newest due backup becomes the good backup if the next check finds nothing.
            kept += [*self._due_backups(model)[:1], *self._good_backups(model)[:1]]
        for saved in self._backups():
            if saved not in kept:
                saved.path.unlink()

    @staticmethod
    def _is_abandoned(saved: _SavedBackup, model: GAN) -> bool:
        """Returns whether a backup is of a step that a rollback has undone."""
        return saved.rollbacks < model.rollbacks and saved.step > model.step

    def keep_good(self, step: int | None) -> None:
        """Keeps a backup to roll back to, besides the newest backups.

        This is the newest backup up to `step` that was due. A backup made when training was
        interrupted does not count: an uninterrupted run would not have it.

        Args:
            step: Int, the last step at which the training was healthy, or None.
        """
        self._good_step = step

    def last_good(self, model: GAN) -> tuple[int, Path] | None:
        """Returns step and path of the newest whole backup up to the step of `keep_good`.

        Args:
            model: The compiled model, for its `steps_per_execution`.
        """
        whole = self._whole(self._good_backups(model))
        return next(((saved.step, saved.path) for saved in whole), None)

    def load(self, model: GAN, path: Path) -> None:
        """Loads a backup into a compiled model.

        Args:
            model: The compiled model.
            path: The path of the backup.

        Raises:
            ValueError: If the backup is of another model.
        """
        try:
            with warnings.catch_warnings():
                # Keras only warns if it cannot load a part, say another kind of optimizer.
                warnings.simplefilter("error", UserWarning)
                model.load_weights(path)
        except FileNotFoundError:
            raise  # The training process has removed it, for a newer backup.
        except (ValueError, KeyError, OSError, UserWarning) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"The backup {path} does not fit this model: it is of another model. "
                f"Keras says: {reason}"
            ) from error

    def newest_step(self) -> int | None:
        """Returns the step of the newest backup, damaged or not, or None if there is no backup."""
        return next((saved.step for saved in self._backups()), None)

    def restore(self, model: GAN, *, rename_damaged: bool = True) -> int | None:
        """Loads the newest whole backup into a compiled model.

        Args:
            model: The compiled model.
            rename_damaged: Bool, whether to rename damaged backups. If several processes share the
                folder, only one of them may do this. Default: True.

        Returns:
            The step of the backup, or None if there is no backup.

        Raises:
            ValueError: If the model is not compiled, the backup is of another model, or all backups
                are damaged.
        """
        if not model.compiled:
            raise ValueError("Compile the model before `restore`: a backup holds its optimizers")
        backups = self._backups()
        for saved in self._whole(backups, rename_damaged=rename_damaged):
            self.load(model, saved.path)
            return saved.step
        if backups and rename_damaged:
            raise ValueError(
                f"All backups in {self.directory} are damaged and were renamed. The next start "
                "begins at step 0 and overwrites the models and tables of the run"
            )
        return None

    def _whole(
        self, backups: Iterable[_SavedBackup], *, rename_damaged: bool = True
    ) -> Iterator[_SavedBackup]:
        """Yields the whole backups, and renames damaged backups before them."""
        for saved in backups:
            path = saved.path
            if files.sha256(path)[:16] in path.name:
                yield saved
                continue
            if not rename_damaged:
                continue
            # The same step will be saved again.
            path.rename(path.with_name(f"damaged-{path.name}"))
            warnings.warn(
                f"The backup {path} is damaged (its checksum is wrong); using the one before it",
                stacklevel=3,
            )

    def _backups(self) -> list[_SavedBackup]:
        """Returns all backups, newest first."""
        backups = [
            _SavedBackup(int(match["rollbacks"] or 0), int(match["step"]), path)
            for path in self.directory.glob("step-*")
            if (match := _NAME.fullmatch(path.name))
        ]
        return sorted(backups, reverse=True)

    def _good_backups(self, model: GAN) -> list[_SavedBackup]:
        if self._good_step is None:
            return []
        return [saved for saved in self._due_backups(model) if saved.step <= self._good_step]

    def _due_backups(self, model: GAN) -> list[_SavedBackup]:
        # A backup has the last of the steps that run in a single execution.
        steps = model.steps_per_execution
        return [saved for saved in self._backups() if saved.step % self.every_steps < steps]


def _max_bytes(model: GAN) -> int:
    variables = list(model.variables)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        variables += optimizer.variables if optimizer is not None else []
    return _OVERHEAD + sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size + _OVERHEAD
        for variable in variables
    )
