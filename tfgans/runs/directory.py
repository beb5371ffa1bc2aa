"""A run's folder: what made it, and whether it is the run that is asked for now."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import platform
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from tfgans import files
from tfgans.models import GAN

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "scikit-learn")


class RunDirectory:
    """The files of one run.

    | name | what |
    |---|---|
    | `run.json` | settings that decide the result, parameter counts, versions |
    | `backups/` | the last two backups; the same command goes on from there |
    | `grids/` | pictures of the samples |
    | `log.csv`, `tensorboard/` | losses, one row an epoch of the log |
    | `final.keras` | the trained model, written at the end |

    Args:
        path: The folder; made by `open`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.backups = self.path / "backups"
        self.grids = self.path / "grids"
        self.log = self.path / "log.csv"
        self.tensorboard = self.path / "tensorboard"
        self.final_model = self.path / "final.keras"
        self._record = self.path / "run.json"

    @contextlib.contextmanager
    def open(self, settings: Mapping[str, Any], *, resume: bool) -> Iterator[None]:
        """Makes the folder, or checks that it holds a run of the same settings, and keeps it.

        Until the block ends no other process can open it; the lock of a killed one is void.

        Args:
            settings: What decides the result, as JSON values by name.
            resume: Whether a run that is there may be continued.

        Raises:
            ValueError: If there is another run, one that may not be continued, or one in progress.
            OSError: If the folder cannot be written.
        """
        self._check_or_make(json.loads(json.dumps(settings)), resume=resume)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(f"Another process is training in {self.path}") from error
            files.remove_temporaries(self.path)
            yield

    def _check_or_make(self, settings: dict[str, Any], *, resume: bool) -> None:
        if self._record.exists():
            if not resume:
                raise ValueError(
                    f"{self.path} holds a run, and resuming is off. Choose another run directory, "
                    "or remove this one"
                )
            before = json.loads(self._record.read_text(encoding="utf-8"))
            self._refuse_another(before["settings"], settings)
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(
                f"{self.path} exists and is not a run directory. Choose a new or an empty folder"
            )
        else:
            record = {"settings": settings, "versions": versions()}
            files.write_text(self._record, json.dumps(record, indent=2) + "\n")

    def drop_log_rows(self, first_epoch: int) -> None:
        """Removes the log's rows from `first_epoch` on: they are about to be written again."""
        if not self.log.exists():
            return
        header, *rows = self.log.read_text(encoding="utf-8").splitlines() or [""]
        kept = [row for row in rows if row.split(",")[0].isdigit()]
        kept = [row for row in kept if int(row.split(",")[0]) < first_epoch]
        files.write_text(self.log, "".join(f"{line}\n" for line in [header, *kept] if line))

    def _refuse_another(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        names = sorted(before.keys() | now.keys())
        other = [name for name in names if before.get(name) != now.get(name)]
        if other:
            listed = "; ".join(
                f"{name} is {before.get(name)!r} there and {now.get(name)!r} here"
                for name in other[:5]
            )
            raise ValueError(
                f"{self.path} holds another run: {listed}. Use its settings to go on with it, or "
                "choose another run directory"
            )


def versions() -> dict[str, str]:
    """Returns the versions of Python, of this package and of those whose numbers it relies on."""
    from tfgans import __version__

    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"tfgans": __version__, "python": platform.python_version(), **found}


def load_final(run_dir: str | os.PathLike[str]) -> GAN:
    """Returns the trained model of a finished run.

    Raises:
        ValueError: If the folder holds no finished run, or its model is damaged.
    """
    run = RunDirectory(run_dir)
    if not run.path.is_dir():
        raise ValueError(f"{run.path} is not a run directory: there is no such folder")
    if not run.final_model.exists():
        raise ValueError(
            f"{run.path} holds no finished run: {run.final_model.name} is missing. Give the "
            "train command again, it goes on to the end"
        )
    try:
        return keras.saving.load_model(run.final_model)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{run.final_model} cannot be loaded: {error}") from error
