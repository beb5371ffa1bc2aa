"""What the folder of a run holds, read for reports. The run may be training, stopped or failed."""

import csv
import functools
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd

from tfgans.comparison.settings import Value, canonical, flatten, is_seed
from tfgans.evaluation import MetricValue, Record
from tfgans.sweep import TABLE, TableRow, read_table
from tfgans.training import EvaluationRow, RunDirectory, TimeSpent

_GRID = re.compile(r"step-(\d+)\.png")
_BACKUP = re.compile(r"step-(\d+)-")
_FLAG = re.compile(r"--(\w+)(?:=(.*))?")
_RECORD = "evaluation/evaluation.json"
# The files of evaluations during training.
_IN_TRAINING = ("evaluation.csv", "evaluation.csv.json")
# The contents of files that may be damaged.
_CONTENTS = (
    *("times", "log", "evaluations", "readings", "findings", "mixture"),
    *("record", "last_evaluation", "error"),
)
# Columns of `Doctor`'s readings that hold a number a component.
_OF_COMPONENTS = ("_weights", "_diversities")
_Content = TypeVar("_Content")


class GridFile(NamedTuple):
    """A picture of samples.

    Attributes:
        step: Int, training steps.
        path: The PNG file.
    """

    step: int
    path: Path


class RecordedRun:
    """A run as its folder shows it. Files are read at their first use.

    A file that cannot be read counts as absent, and `damage` names it.

    Args:
        path: The folder.

    Attributes:
        path: `Path` of the folder.
        settings: Dict of what decides the result, with dotted names, seeds included: those of
            `run.json`, and `steps`, `minutes` and `cpu_seconds` that end the run.
        flags: Dict of the flags of `tfgans train`, as text. Empty for a run made in Python.
        versions: Dict of version strings by package.

    Raises:
        ValueError: If the folder holds no run, or `run.json` is damaged.
        OSError: If `run.json` or `flags.txt` cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._directory = RunDirectory(path)
        self.path = self._directory.path
        description = self._directory.description()
        self._length = {
            name: value for name, value in (description["length"] or {}).items() if value
        }
        ends = {name: self._length[name] for name in self._length if name != "steps_per_epoch"}
        self.settings: dict[str, Value] = flatten(description["settings"]) | ends
        self.versions: dict[str, str] = description["versions"]
        self.flags = _flags(self.path / "flags.txt")
        self._damage: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"RecordedRun({os.fspath(self.path)!r})"

    @property
    def name(self) -> str:
        """The path as text."""
        return os.fspath(self.path)

    @property
    def _ema(self) -> float | None:
        """The decay of the average, as of `GAN.ema`: 0 with a schedule, which moves it."""
        scheduled = any(name.startswith("schedule.") for name in self.settings)
        ema = self.settings.get("ema")
        return 0.0 if scheduled else ema if isinstance(ema, float) else None

    @property
    def seed(self) -> int | None:
        """The seed of the model; None if `run.json` has none."""
        seed = self.settings.get("seed")
        return seed if isinstance(seed, int) else None

    @functools.cached_property
    def seeds(self) -> tuple[tuple[str, str], ...]:
        """All seeds by name: runs with the same settings and seeds are repetitions."""
        return tuple(
            sorted((name, repr(value)) for name, value in self.settings.items() if is_seed(name))
        )

    @functools.cached_property
    def deciding(self) -> tuple[tuple[str, str], ...]:
        """The settings but for the seeds: runs with the same ones differ by chance alone."""
        return tuple(
            sorted(
                (name, canonical(value))
                for name, value in self.settings.items()
                if not is_seed(name) and value is not None
            )
        )

    @functools.cached_property
    def damage(self) -> dict[str, str]:
        """What is wrong with files that cannot be read, and what to do, by the name of the file.

        Pictures are not read for it.
        """
        for name in _CONTENTS:
            getattr(self, name)
        remedy = (
            ": restore it, or run `tfgans evaluate` again"
            if self.has_checkpoint
            else ", and there is no model to evaluate again"
        )
        return {
            name: f"{text}. The numbers of the run are left out{remedy}"
            if self._holds_record(name)
            else text
            for name, text in self._damage.items()
        }

    @property
    def has_damaged_record(self) -> bool:
        """Whether the numbers of the run are in a file that cannot be read."""
        return any(map(self._holds_record, self.damage))

    def _holds_record(self, name: str) -> bool:
        """Returns whether a file has the numbers of the run."""
        return name == _RECORD or (name in _IN_TRAINING and self.record is None)

    @property
    def has_checkpoint(self) -> bool:
        """Whether `tfgans evaluate` finds a model: that of the end, or a backup."""
        run = self._directory
        if run.is_finished and run.final_model.exists():
            return True
        return run.initial_model.exists() and any(run.backups.glob("step-*.weights.h5"))

    def _read(self, path: Path, read: Callable[[], _Content], absent: _Content) -> _Content:
        """Returns what a file holds; if it cannot be read, notes why and returns `absent`."""
        try:
            return read()
        except (ValueError, OSError, csv.Error) as error:
            self._damage[Path(os.path.relpath(path, self.path)).as_posix()] = str(error)
            return absent

    def _table(self, path: Path, columns: Sequence[str], text: Sequence[str] = ()) -> pd.DataFrame:
        """Returns a table, empty if it cannot be read."""
        absent = pd.DataFrame(columns=[*columns])
        return self._read(path, lambda: _table(path, columns, text), absent)

    @functools.cached_property
    def times(self) -> pd.DataFrame:
        """Table of `step`, `seconds` and `cpu_seconds`, as of `RunDirectory.time_spent`."""
        absent: list[TimeSpent] = []
        rows = self._read(self._directory.time, self._directory.time_spent, absent)
        table = pd.DataFrame(rows, columns=TimeSpent._fields)
        return table.drop_duplicates("step", keep="last", ignore_index=True)

    @functools.cached_property
    def log(self) -> pd.DataFrame:
        """Table of `step` and the means of the logs; without rows if steps are not known."""
        table = self._table(self._directory.log, ["epoch"])
        steps_per_epoch = self._length.get("steps_per_epoch") or self.flags.get("steps_per_epoch")
        if steps_per_epoch is None or not len(table):
            return table.iloc[:0].assign(step=[])
        ends = (table.pop("epoch") + 1) * int(steps_per_epoch)
        return table.assign(step=ends.clip(upper=max(self.steps, 1)))

    @functools.cached_property
    def evaluations(self) -> pd.DataFrame:
        """Table of `step`, `metric`, `value`, `low` and `high` of evaluations during training."""
        absent: list[EvaluationRow] = []
        rows = self._read(self._directory.evaluation_log, self._directory.evaluations, absent)
        return pd.DataFrame(rows, columns=EvaluationRow._fields)

    @functools.cached_property
    def readings(self) -> pd.DataFrame:
        """Table of the doctor's readings, as of `Doctor`."""
        table = self._table(self.path / "doctor-readings.csv", ["step", "rollbacks"])
        return table.drop(columns=[name for name in table if name.endswith(_OF_COMPONENTS)])

    @functools.cached_property
    def findings(self) -> pd.DataFrame:
        """Table of the doctor's findings, as of `Doctor`."""
        names = ["step", "rollbacks", "symptom", "value", "limit", "action"]
        return self._table(self._directory.doctor_log, names, text=["symptom", "action"])

    @functools.cached_property
    def mixture(self) -> pd.DataFrame:
        """Table of the weights of mixtures, as of `MixtureMonitor`; empty without a mixture."""
        names = ["step", "player", "component", "weight"]
        return self._table(self._directory.mixture_log, names, text=["player"])

    @property
    def has_damaged_findings(self) -> bool:
        """Whether the doctor's findings cannot be read."""
        return self._directory.doctor_log.name in self.damage

    @property
    def has_doctor(self) -> bool:
        """Whether a doctor checks the run."""
        return self._directory.doctor_log.exists()

    @functools.cached_property
    def grids(self) -> list[GridFile]:
        """The pictures of samples by step."""
        paths = self._directory.grids.glob("step-*")
        pairs = ((_GRID.fullmatch(path.name), path) for path in paths)
        return sorted(GridFile(int(match[1]), path) for match, path in pairs if match)

    @functools.cached_property
    def steps(self) -> int:
        """Training steps done, as far as the files tell."""
        backups = (_BACKUP.match(path.name) for path in self._directory.backups.glob("step-*"))
        known = [
            *self.times["step"].tail(1),
            *self.evaluations["step"].tail(1),
            *(grid.step for grid in self.grids[-1:]),
            *(int(match[1]) for match in backups if match),
        ]
        return int(max(known, default=0))

    @property
    def is_finished(self) -> bool:
        """Whether the run has trained to its end."""
        return self._directory.is_finished

    @property
    def is_failed(self) -> bool:
        """Whether the run has ended in an error, or the doctor has stopped it."""
        return not self.is_finished and bool(self.error or self._is_stopped)

    @property
    def _is_stopped(self) -> bool:
        """Whether the last finding of the doctor has stopped the run."""
        return self.findings["action"].tolist()[-1:] == ["stopped"]

    @property
    def state(self) -> str:
        """Where the run stands, in words: "finished", or how far it is, or why it stopped.

        Files that cannot be read follow: "finished; damaged: log.csv".
        """
        return self._progress + f"; damaged: {', '.join(self.damage)}" * bool(self.damage)

    @property
    def _progress(self) -> str:
        if self.is_finished:
            return "finished"
        if self.error:
            return f"failed at step {self.steps}: {self.error}"
        if self._is_stopped:
            return f"failed: {self.findings['symptom'].iloc[-1]} at step {self.steps}"
        goal = f" of {self._length['steps']}" if "steps" in self._length else ""
        return f"unfinished: step {self.steps}{goal}"

    @functools.cached_property
    def error(self) -> str:
        """The error of the run in the table of its sweep; "" if there is none."""
        folder = self.path.parent
        absent: list[TableRow] = []
        rows = self._read(folder / TABLE, lambda: read_table(folder), absent)
        return next((row.error for row in rows if row.run == self.path.name), "")

    @property
    def seconds(self) -> float:
        """Seconds of training so far; NaN if they are not known."""
        return float(self.times["seconds"].max())

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the training steps so far; NaN if they are not known."""
        return float(self.times["cpu_seconds"].max())

    @functools.cached_property
    def record(self) -> Record | None:
        """The record that `tfgans evaluate` has written; None without."""
        path = self.path / _RECORD
        return self._read(path, lambda: Record.load(path), None) if path.exists() else None

    @functools.cached_property
    def last_evaluation(self) -> Record | None:
        """The last evaluation during training, as a record; None if there is none.

        Its numbers are those that `tfgans evaluate` would give at that step, but it does not say
        how many of the examples each number is computed from.
        """
        if not len(self.evaluations):
            return None
        path = self._directory.evaluation_log.with_name("evaluation.csv.json")
        return self._read(path, lambda: self._last_evaluation(path), None)

    def _last_evaluation(self, protocol_file: Path) -> Record:
        if not protocol_file.exists():
            raise ValueError(f"{protocol_file} is missing, the settings of `evaluation.csv`")
        step = self.evaluations["step"].iloc[-1]
        rows = self.evaluations[self.evaluations["step"] == step]
        try:
            protocol = json.loads(protocol_file.read_text(encoding="utf-8"))
            counts = protocol["real"]["num_examples"], protocol["num_samples"]
            fake = {
                name: protocol[name] for name in ("classes", "class_shares") if name in protocol
            }
            return Record(
                metrics={
                    row.metric: MetricValue(
                        value=row.value,
                        interval=None if math.isnan(row.low) else (row.low, row.high),
                        standard_error=None,
                        bias=None,
                        method="evaluation in training",
                        num_real=counts[0],
                        num_fake=counts[1],
                    )
                    for row in rows.itertuples()
                },
                seed=protocol["seed"],
                real=protocol["real"],
                fake={"num_examples": counts[1], "step": int(step), "ema": self._ema}
                | {"classes": None}
                | fake,
                extractor=protocol["extractor"],
                versions=self.versions,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{protocol_file} is damaged: {error!r}") from error


def _flags(path: Path) -> dict[str, str]:
    """Returns the flags of a flag file as text; those that switch off as "false"."""
    if not path.exists():
        return {}
    flags: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _FLAG.fullmatch(line.strip())
        if match and match[2] is not None:
            flags[match[1]] = match[2]
        elif match:
            # The only switch that has a name with such a beginning when it is on.
            off = match[1].startswith("no") and match[1] != "non_saturating"
            flags[match[1].removeprefix("no") if off else match[1]] = "false" if off else "true"
    return flags


def _table(path: Path, columns: Sequence[str], text: Sequence[str] = ()) -> pd.DataFrame:
    """Returns the complete rows of a CSV file, of which another process may write the last.

    Cells that are no numbers, such as those of logs that an epoch lacks, are NaN.

    Raises:
        ValueError: If the file is damaged.
    """
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    names, *rows = csv.reader(whole.decode(errors="replace").split("\n")) if whole else [columns]
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(
            f"{path} is damaged: it has no column {', '.join(missing)}. Restore or remove it"
        )
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise ValueError(
                f"{path} is damaged: line {number} has {len(row)} cells, and the header "
                f"{len(names)}. Restore or remove it"
            )
    table = pd.DataFrame(rows, columns=list(names), dtype=object)
    numbers = [name for name in names if name not in text]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
    first = table[names[0]]
    if first.isna().any():
        raise ValueError(
            f"{path} is damaged: the {names[0]} of line {first.isna().idxmax() + 2} is no number. "
            "Restore or remove it"
        )
    return table
