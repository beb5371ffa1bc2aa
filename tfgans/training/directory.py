"""The folder of a run: its settings, its files and its models."""

import contextlib
import fcntl
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, compat, files
from tfgans.callbacks import Backup
from tfgans.callbacks.evaluation import EvaluationRow, read_evaluations
from tfgans.gan import GAN
from tfgans.training.time_limit import TimeSpent, read_time
from tfgans.versions import versions

_NUM_LISTED = 5
_LONGEST_VALUE = 60
# Of settings that are checksums, the last parts of the names.
CHECKSUMS = frozenset({"architecture", "data", "seeds"})
# Settings that follow from others: the first parts of their names.
_DERIVED = frozenset({"generator", "discriminator", "class_shares", "data", "data_shape"})
_ATTEMPTS = 5
CHECKPOINTS = ("last", "best", "final")
# Files that belong to another file of the run.
_BESIDE = frozenset({"best.keras.json", "doctor-readings.csv", "evaluation.csv.json"})
# The errors of Keras on files that are damaged or malicious.
_UNLOADABLE = (ValueError, TypeError, OSError, KeyError, AttributeError, IndexError, RecursionError)
# How often, and in which intervals of seconds, a locked run is tried again.
_LOCK_ATTEMPTS, _LOCK_PAUSE = 10, 0.1


class AnotherRun(ValueError):  # noqa: N818 (as `Interrupted`)
    """The folder holds a run of other settings."""


class RunDirectory:
    """The files of a run.

    | name | what |
    |---|---|
    | `run.json` | settings that decide the result, its length, whether it is finished, its data |
    | `flags.txt` | of `tfgans train`: its flags, a file for `--flagfile` |
    | `initial.keras` | the model before training, into which backups are loaded |
    | `time.csv` | seconds and CPU seconds of training, a row for each epoch of the log |
    | `backups/` | the last two backups; the same command continues from there |
    | `grids/` | pictures of the samples |
    | `log.csv`, `tensorboard/` | losses, a row for each epoch of the log |
    | `mixture.csv` | of mixtures: weights and shares of the components, at the same steps |
    | `components.csv` | with `adapt_every`: weights of the generators, which are dropped or split |
    | `doctor.csv` | the doctor's findings, and whether it rolled the run back |
    | `doctor-readings.csv` | its measurements, a row a check |
    | `final.keras` | the trained model, written at the end |
    | `evaluation.csv` | with an evaluator: a row a metric at each evaluation |
    | `evaluation.csv.json` | the settings of the evaluations |
    | `best.keras` | with an evaluator: the model with the best first metric |
    | `best.keras.json` | its step, and the metric's value |

    Args:
        path: The folder; made by `open`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = files.path(path)
        self.backups = self.path / "backups"
        self.grids = self.path / "grids"
        self.log = self.path / "log.csv"
        self.mixture_log = self.path / "mixture.csv"
        self.components_log = self.path / "components.csv"
        self.doctor_log = self.path / "doctor.csv"
        self.tensorboard = self.path / "tensorboard"
        self.initial_model = self.path / "initial.keras"
        self.final_model = self.path / "final.keras"
        self.best_model = self.path / "best.keras"
        self.evaluation_log = self.path / "evaluation.csv"
        self.time = self.path / "time.csv"
        self._run_json = self.path / "run.json"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return self._run_json.exists()

    def check_exists(self) -> None:
        """Raises ValueError unless the folder holds a run."""
        if not self.exists:
            reason = "run.json is missing" if self.path.exists() else "there is no such folder"
            raise ValueError(f"{self.path} is not a run directory: {reason}")

    def check(self, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Raises ValueError unless the folder is new or empty, or has a run of the same settings.

        Args:
            settings: What decides the result, as JSON values by name.
            resume: Whether an existing run may be continued.
        """
        if self._run_json.exists():
            if not resume:
                raise ValueError(
                    f"{self.path} holds a run, and resuming is off. Choose another run directory, "
                    "or remove this directory"
                )
            self._refuse_another(self.settings(), json.loads(_to_json(settings)))
        # Hidden files are a lock, or a temporary file of a killed process.
        elif self.path.exists() and (
            not self.path.is_dir()
            or any(not entry.name.startswith(".") for entry in self.path.iterdir())
        ):
            raise ValueError(
                f"{self.path} exists and is not a run directory. Choose a new or an empty folder"
            )

    @contextlib.contextmanager
    def open(
        self,
        settings: Mapping[str, Any],
        *,
        resume: bool,
        data: Mapping[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> Iterator[None]:
        """Makes the folder, or checks that it has a run of the same settings, and locks it.

        Until the block ends no other process can open it; the lock of a killed process is void.

        Args:
            settings: See `check`.
            resume: See `check`.
            data: The arguments of `tfgans.data.load` that load the data again. Default: None, the
                data have another origin.
            class_names: The names of the classes of the data. Default: None, they have none.

        Raises:
            ValueError: If `check` does, or another process has it open.
            OSError: If the folder cannot be written, now or within the block.
        """
        self.check(settings, resume=resume)
        with self._locked(), self._add_path_to_errors():
            self.check(settings, resume=resume)
            self._remove_temporaries()
            if not self._run_json.exists():
                description = {
                    "settings": settings,
                    "length": None,
                    "finished": False,
                    "data": data,
                    "class_names": class_names,
                    "versions": versions(),
                }
                files.write_text(self._run_json, _to_json(description) + "\n")
            yield

    def write_length(self, length: Mapping[str, float | None]) -> None:
        """Notes what ends the run and the log's epochs: numbers by name, which may change.

        Args:
            length: `steps`, `minutes` and `cpu_seconds` of the run, and `steps_per_epoch`.
        """
        description = self.description()
        if description["length"] != length:
            files.write_text(self._run_json, _to_json({**description, "length": length}) + "\n")

    def write_finished(self, finished: bool) -> None:
        """Notes whether the run has reached its end, which it may do again with more steps."""
        description = self.description()
        if description["finished"] != finished:
            files.write_text(self._run_json, _to_json({**description, "finished": finished}) + "\n")

    def check_note(self, name: str) -> None:
        """Raises ValueError unless a text file `name` replaces no file of the run."""
        checks.file_name("notes", name)
        names = {path.name for path in vars(self).values() if path.parent == self.path}
        if name in names | _BESIDE:
            raise ValueError(f"`notes` must not replace a file of the run. Received: {name!r}")

    def drop_log_rows(self, first_epoch: int) -> None:
        """Removes the log's rows from `first_epoch` on: they are about to be written again."""
        if not self.log.exists():
            return
        # As bytes, which keeps the line ends of the csv module.
        text = self.log.read_bytes().decode(errors="replace")
        header, *rows = text.splitlines(keepends=True) or [""]
        if not header.endswith("\n"):
            # A full disk or a kill has cut it, and Keras writes a header only into an empty file.
            self.log.unlink()
            return
        whole = [row for row in rows if row.split(",")[0].isdigit() and row.endswith("\n")]
        kept = [row for row in whole if int(row.split(",")[0]) < first_epoch]
        files.write_text(self.log, "".join([header, *kept]))

    def _lock(self, file: int) -> None:
        """Locks an open file. `is_open` of another process may hold it for a moment."""
        for attempts_left in range(_LOCK_ATTEMPTS, -1, -1):
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not attempts_left:
                    raise ValueError(f"Another process is training in {self.path}") from error
                time.sleep(_LOCK_PAUSE)
            except OSError as error:
                raise OSError(files.without_locks(self.path, error)) from error
        return None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Follows no link and truncates nothing: in a shared folder it may be a file of another
            # user.
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise OSError(
                f"The run directory cannot be written. Choose another place. Received: {error}"
            ) from error
        try:
            self._lock(lock)
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _add_path_to_errors(self) -> Iterator[None]:
        """Adds the path to errors of the disk; turns those of TensorBoard's files into OSError."""
        try:
            with files.add_path_to_errors(self.path):
                yield
        except tf.errors.OpError as error:
            if os.fspath(self.tensorboard) not in error.message:
                raise
            raise OSError(f"{self.tensorboard} cannot be written: {error.message}") from error

    def _remove_temporaries(self) -> None:
        # Pictures in the folder itself may belong to another process.
        files.remove_temporaries(self.path, exclusive=(".keras", ".csv", ".json", ".txt"))
        for folder in (self.backups, self.grids):
            files.remove_temporaries(folder, exclusive=("",))

    def settings(self) -> dict[str, Any]:
        """Returns the settings in `run.json`.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        return self.description()["settings"]

    def data(self) -> dict[str, Any] | None:
        """Returns the arguments of `tfgans.data.load` that load the data of the run again.

        None if the data have another origin, such as an array.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        return self.description()["data"]

    def class_names(self) -> list[str] | None:
        """Returns the names of the classes of the data, or None if they have none.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        return self.description()["class_names"]

    def description(self) -> dict[str, Any]:
        """Returns the content of `run.json`.

        Returns:
            Dict of `settings`, `length`, `finished`, `data`, `class_names` and `versions`.

        Raises:
            ValueError: If the folder holds no run, or the file is damaged.
        """
        self.check_exists()
        try:
            content = json.loads(self._run_json.read_text(encoding="utf-8"))
            for name in ("settings", "versions", "data", "length"):
                part, optional = content[name], name in ("data", "length")
                if not isinstance(part, dict) and not (optional and part is None):
                    raise TypeError(f"{name} must be a JSON object. Received: {part!r:.80}")
            names = content["class_names"]
            if names is not None and not all(isinstance(name, str) for name in list(names)):
                raise TypeError(f"class_names must be strings. Received: {names!r:.80}")
            if not isinstance(content["finished"], bool):
                raise TypeError(f"finished must be a bool. Received: {content['finished']!r:.80}")
            return content
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{self._run_json} is damaged. Restore it, or take another folder"
            ) from error

    def time_spent(self) -> list[TimeSpent]:
        """Returns the time of the run after each epoch of the log, and at its backups.

        Returns:
            A list of `TimeSpent` (`step`, `seconds`, `cpu_seconds`) in the order of the steps;
            empty before the first.

        Raises:
            ValueError: If the file is damaged.
        """
        return read_time(self.time)

    def evaluations(self) -> list[EvaluationRow]:
        """Returns the numbers of the evaluations of the run (`step`, `metric`, `value`, ...).

        Raises:
            ValueError: If the file is damaged.
        """
        return read_evaluations(self.evaluation_log)

    @property
    def is_finished(self) -> bool:
        """Whether the run has reached its end; also if its models have been removed since."""
        if not self.exists:
            # A model that was copied alone.
            return self.final_model.exists()
        return bool(self.description()["finished"])

    @property
    def is_open(self) -> bool:
        """Whether a process trains in it."""
        try:
            with (self.path / ".lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def newest_checkpoint(self) -> str:
        """Returns "final" if the run has ended, else "last"."""
        return "final" if self.is_finished and self.final_model.exists() else "last"

    def _refuse_another(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        before, now = _flat(before), _flat(now)
        other = [name for name in {**now, **before} if before.get(name) != now.get(name)]
        if other:
            # What a user sets comes before what follows from it.
            other.sort(key=lambda name: name.partition(".")[0] in _DERIVED)
            listed = [_difference(name, before.get(name), now.get(name)) for name in other]
            rest = len(other) - _NUM_LISTED
            raise AnotherRun(
                f"{self.path} holds another run: {'; '.join(listed[:_NUM_LISTED])}"
                f"{f'; and {rest} more' if rest > 0 else ''}. Use its settings to continue it, or "
                "choose another run directory"
            )


def load_checkpoint(run_dir: str | os.PathLike[str], checkpoint: str | None = None) -> GAN:
    """Returns the model of a run, compiled; the run may still be training.

    Args:
        run_dir: Folder of the run.
        checkpoint: "final", the model at the end of the run; "best", the model with the best first
            metric of its evaluations; "last", its newest whole backup. Default: None, "final" if
            the run has ended, else "last".

    Raises:
        ValueError: If the folder holds no such model, or it cannot be loaded.

    Example:

    ```python
    images = tfgans.training.load_checkpoint("runs/x").sample(64, seed=1)
    ```
    """
    run = RunDirectory(run_dir)
    name = run.newest_checkpoint() if checkpoint is None else checkpoint
    checks.choice("checkpoint", name, CHECKPOINTS)
    path = {"final": run.final_model, "best": run.best_model, "last": run.initial_model}[name]
    if not path.exists() or (name == "final" and not run.is_finished):
        run.check_exists()
        if run.is_finished and (name != "best" or run.evaluation_log.exists()):
            raise ValueError(
                f"{run.path} holds no {name} model ({path.name}), though the run is finished: its "
                "models have been removed. Train it again in another run directory"
            )
        advice = {
            "final": "it has not ended. Give the train command again, or use checkpoint='last'",
            "best": "it was trained without evaluations (`--evaluate_every`), or is at its start",
            "last": "nothing is saved yet. Give the train command again, or wait",
        }
        raise ValueError(f"{run.path} holds no {name} model ({path.name}): {advice[name]}")
    gan = load_model(path)
    if not isinstance(gan, GAN):
        raise ValueError(f"{path} must be a tfgans.GAN. Received: {type(gan).__name__}")
    if name == "last":
        _load_newest_backup(gan, run.backups)
    return gan


def _load_newest_backup(gan: GAN, folder: Path) -> None:
    # The training process may remove a backup that is about to be read: then a newer one exists.
    for attempt in range(_ATTEMPTS):
        try:
            if Backup(folder).restore(gan, rename_damaged=False) is None:
                raise ValueError(f"{folder} holds no whole backup yet. Wait for the first")
            return
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise


def load_model(path: str | os.PathLike[str]) -> Any:
    """Returns the Keras model of a .keras file, loaded in safe mode: no code of the file is run.

    Other formats and addresses that Keras knows are refused: some are programs, some download.

    Raises:
        ValueError: If the file is absent, of another format, or cannot be loaded.
    """
    path = files.path(path)
    if path.suffix != ".keras" or not path.is_file():
        raise ValueError(f"A model must be a file that ends in .keras. Received: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} cannot be loaded: the file is damaged or cut off. Received: "
            f"{path.stat().st_size} bytes. Restore it from a copy"
        )
    try:
        # Overrides `keras.config.enable_unsafe_deserialization`, which overrides the argument.
        with compat.SafeModeScope(True):
            return keras.saving.load_model(path, safe_mode=True)
    except (*_UNLOADABLE, zipfile.BadZipFile) as error:
        # Some messages of Keras have the whole config before the reason.
        text = str(error).rpartition("Exception encountered:")[2]
        reason = " ".join(text.split())[:300]
        raise ValueError(f"{path} cannot be loaded: {reason}") from error


def _to_json(value: Any) -> str:
    # The config of a custom model may have values that are not JSON.
    return json.dumps(value, indent=2, default=str)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the settings with dotted names in place of dicts in dicts."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _difference(name: str, there: Any, here: Any) -> str:
    if name.rpartition(".")[2] in CHECKSUMS:
        return f"{name} differs"
    before, now = _short(there), _short(here)
    if before == now:
        before, now = repr(there), repr(here)
    # "config" says only that Keras has serialized an object.
    return f"{name.replace('.config.', '.')} is {before} there and {now} here"


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
