"""A run's folder: what made it, and whether it is the run that is asked for now."""

import contextlib
import fcntl
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, compat, files
from tfgans.gan import GAN
from tfgans.versions import versions

_NUM_LISTED = 5
_LONGEST_VALUE = 60
# What Keras raises on files that are damaged or made to harm.
_UNLOADABLE = (ValueError, TypeError, OSError, KeyError, AttributeError, IndexError, RecursionError)


class RunDirectory:
    """The files of one run.

    | name | what |
    |---|---|
    | `run.json` | settings that decide the result, parameter counts, versions |
    | `backups/` | the last two backups; the same command goes on from there |
    | `grids/` | pictures of the samples |
    | `log.csv`, `tensorboard/` | losses, one row an epoch of the log |
    | `mixture.csv` | of mixtures: weights and shares of the components, at the same steps |
    | `doctor.csv` | what the doctor found, and whether it rolled the run back |
    | `doctor-readings.csv` | what it measured, a row a check |
    | `final.keras` | the trained model, written at the end |
    | `evaluation.csv` | with an evaluator: a row a metric at each evaluation |
    | `best.keras` | with an evaluator: the model with the best first metric |
    | `best.keras.json` | its step, and the metric's value |

    Args:
        path: The folder; made by `open`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.backups = self.path / "backups"
        self.grids = self.path / "grids"
        self.log = self.path / "log.csv"
        self.mixture_log = self.path / "mixture.csv"
        self.doctor_log = self.path / "doctor.csv"
        self.tensorboard = self.path / "tensorboard"
        self.final_model = self.path / "final.keras"
        self.best_model = self.path / "best.keras"
        self.evaluation_log = self.path / "evaluation.csv"
        self._record = self.path / "run.json"

    def check(self, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Raises ValueError unless the folder is free or holds a run of the same settings.

        Args:
            settings: What decides the result, as JSON values by name.
            resume: Whether a run that is there may be continued.
        """
        if self._record.exists():
            if not resume:
                raise ValueError(
                    f"{self.path} holds a run, and resuming is off. Choose another run directory, "
                    "or remove this one"
                )
            self._refuse_another(self.settings(), json.loads(_to_json(settings)))
        # Hidden files are a lock, or what a kill left while the record was written.
        elif self.path.exists() and (
            not self.path.is_dir()
            or any(not entry.name.startswith(".") for entry in self.path.iterdir())
        ):
            raise ValueError(
                f"{self.path} exists and is not a run directory. Choose a new or an empty folder"
            )

    @contextlib.contextmanager
    def open(self, settings: Mapping[str, Any], *, resume: bool) -> Iterator[None]:
        """Makes the folder, or checks that it holds a run of the same settings, and keeps it.

        Until the block ends no other process can open it; the lock of a killed one is void.

        Args:
            settings: See `check`.
            resume: See `check`.

        Raises:
            ValueError: If `check` does, or another process has it open.
            OSError: If the folder cannot be written, now or within the block.
        """
        self.check(settings, resume=resume)
        with self._locked(), self._names_errors():
            self.check(settings, resume=resume)
            self._remove_temporaries()
            if not self._record.exists():
                record = {"settings": settings, "versions": versions()}
                files.write_text(self._record, _to_json(record) + "\n")
            yield

    def check_note(self, name: str) -> None:
        """Raises ValueError unless `name` is free for a text beside the run's own files."""
        checks.file_name("notes", name)
        own = {one.name for one in vars(self).values() if one.parent == self.path}
        if name in own:
            raise ValueError(f"`notes` must not replace what is the run's own. Received: {name!r}")

    def drop_log_rows(self, first_epoch: int) -> None:
        """Removes the log's rows from `first_epoch` on: they are about to be written again."""
        if not self.log.exists():
            return
        # As bytes: the csv module ends lines in its own way, which stays.
        text = self.log.read_bytes().decode(errors="replace")
        header, *rows = text.splitlines(keepends=True) or [""]
        if not header.endswith("\n"):
            # A full disk or a kill has cut it; Keras writes it only into an empty file.
            self.log.unlink()
            return
        whole = [row for row in rows if row.split(",")[0].isdigit() and row.endswith("\n")]
        kept = [row for row in whole if int(row.split(",")[0]) < first_epoch]
        files.write_text(self.log, "".join([header, *kept]))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Never through a link, and nothing is cut: in a shared folder it may be another's file.
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise OSError(
                f"The run directory cannot be written. Choose another place. Received: {error}"
            ) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(f"Another process is training in {self.path}") from error
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _names_errors(self) -> Iterator[None]:
        """Adds the path to errors of the disk; turns those of TensorBoard's files into OSError."""
        try:
            with files.names_errors(self.path):
                yield
        except tf.errors.OpError as error:
            if os.fspath(self.tensorboard) not in error.message:
                raise
            raise OSError(f"{self.tensorboard} cannot be written: {error.message}") from error

    def _remove_temporaries(self) -> None:
        # Pictures of the run, in the folder itself, may be another process's.
        files.remove_temporaries(self.path, exclusive=(".keras", ".csv", ".json", ".txt"))
        for folder in (self.backups, self.grids):
            files.remove_temporaries(folder, exclusive=("",))

    def settings(self) -> dict[str, Any]:
        """Returns the settings in `run.json`.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        return self.record()["settings"]

    def record(self) -> dict[str, Any]:
        """Returns what `run.json` holds: the settings, and the versions that made the run.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        if not self._record.exists():
            raise ValueError(f"{self.path} is not a run directory: {self._record.name} is missing")
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            parts = {name: record[name] for name in ("settings", "versions")}
            if not all(isinstance(part, dict) for part in parts.values()):
                raise TypeError(f"expected objects of JSON. Received: {parts!r:.80}")
            return parts
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{self._record} is damaged. Choose another run directory, or remove this one"
            ) from error

    def _refuse_another(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        names = sorted(before.keys() | now.keys())
        other = [name for name in names if before.get(name) != now.get(name)]
        if other:
            listed = "; ".join(
                f"{name} is {_short(before.get(name))} there and {_short(now.get(name))} here"
                for name in other[:_NUM_LISTED]
            )
            raise ValueError(
                f"{self.path} holds another run: {listed}. Use its settings to go on with it, or "
                "choose another run directory"
            )


def load_final(run_dir: str | os.PathLike[str], *, best: bool = False) -> GAN:
    """Returns the trained model of a finished run.

    Args:
        run_dir: Folder of the run.
        best: Whether to load the model that evaluations found best. Default: False, the last.

    Raises:
        ValueError: If the folder holds no finished run, or its model cannot be loaded.
    """
    run = RunDirectory(run_dir)
    if not run.path.is_dir():
        raise ValueError(f"{run.path} is not a run directory: there is no such folder")
    if not run.final_model.exists():
        raise ValueError(
            f"{run.path} holds no finished run: {run.final_model.name} is missing. Give the "
            "train command again, it goes on to the end"
        )
    if best and not run.best_model.exists():
        raise ValueError(
            f"{run.path} holds no best model: it was trained without evaluations "
            "(`--evaluate_every`)"
        )
    path = run.best_model if best else run.final_model
    gan = load_model(path)
    if not isinstance(gan, GAN):
        raise ValueError(f"{path} must be a tfgans.GAN. Received: {type(gan).__name__}")
    return gan


def load_model(path: str | os.PathLike[str]) -> Any:
    """Returns the Keras model of a .keras file, loaded in safe mode: no code of the file is run.

    Other formats and addresses that Keras knows are refused: some are programs, some download.

    Raises:
        ValueError: If the file is absent, of another format, or cannot be loaded.
    """
    if Path(path).suffix != ".keras" or not Path(path).is_file():
        raise ValueError(f"A model must be a file that ends in .keras. Received: {path}")
    try:
        # What `keras.config.enable_unsafe_deserialization` set would count more than the argument.
        with compat.SafeModeScope(True):
            return keras.saving.load_model(path, safe_mode=True)
    except (*_UNLOADABLE, zipfile.BadZipFile) as error:
        # Keras puts the whole config into some of its messages, and what happened behind it.
        told = str(error).rpartition("Exception encountered:")[2]
        reason = " ".join(told.split())[:300]
        raise ValueError(f"{path} cannot be loaded: {reason}") from error


def _to_json(value: Any) -> str:
    # A model of the user's may have more than JSON values in its config.
    return json.dumps(value, indent=2, default=str)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
