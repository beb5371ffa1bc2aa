"""What the folder of a run holds, read for reports. The run may be training, stopped or failed."""

import fnmatch
import functools
import glob
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tfgans import files
from tfgans.comparison.settings import Value, flatten, is_seed
from tfgans.evaluation import MetricValue, Record
from tfgans.sweep import TABLE, read_table
from tfgans.training import EvaluationRow, RunDirectory, TimeSpent

_GRID = re.compile(r"step-(\d+)\.png")
_BACKUP = re.compile(r"step-(\d+)-")
_FLAG = re.compile(r"--(\w+)(?:=(.*))?")


class GridFile(NamedTuple):
    """A picture of samples.

    Attributes:
        step: Int, training steps.
        path: The PNG file.
    """

    step: int
    path: Path


class RecordedRun:
    """A run as its folder shows it. Tables are read at their first use.

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
                (name, repr(value)) for name, value in self.settings.items() if not is_seed(name)
            )
        )

    @functools.cached_property
    def times(self) -> pd.DataFrame:
        """Table of `step`, `seconds` and `cpu_seconds`, as of `RunDirectory.time_spent`."""
        table = pd.DataFrame(self._directory.time_spent(), columns=TimeSpent._fields)
        return table.drop_duplicates("step", keep="last", ignore_index=True)

    @functools.cached_property
    def log(self) -> pd.DataFrame:
        """Table of `step` and the means of the logs; without rows if steps are not known."""
        table = _table(self._directory.log, ["epoch"])
        steps_per_epoch = self._length.get("steps_per_epoch") or self.flags.get("steps_per_epoch")
        if steps_per_epoch is None:
            return table.iloc[:0].assign(step=[])
        ends = (table.pop("epoch") + 1) * int(steps_per_epoch)
        return table.assign(step=ends.clip(upper=max(self.steps, 1)))

    @functools.cached_property
    def evaluations(self) -> pd.DataFrame:
        """Table of `step`, `metric`, `value`, `low` and `high` of evaluations during training."""
        return pd.DataFrame(self._directory.evaluations(), columns=EvaluationRow._fields)

    @functools.cached_property
    def readings(self) -> pd.DataFrame:
        """Table of the doctor's readings, as of `Doctor`."""
        table = _table(self.path / "doctor-readings.csv", ["step"])
        return table.drop(columns=[name for name in table if name.endswith("_weights")])

    @functools.cached_property
    def findings(self) -> pd.DataFrame:
        """Table of the doctor's findings, as of `Doctor`."""
        names = ["step", "rollbacks", "symptom", "value", "limit", "action"]
        return _table(self._directory.doctor_log, names, text=["symptom", "action"])

    @functools.cached_property
    def mixture(self) -> pd.DataFrame:
        """Table of the weights of mixtures, as of `MixtureMonitor`; empty without a mixture."""
        return _table(self._directory.mixture_log, ["step", "player"], text=["player"])

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
    def state(self) -> str:
        """Where the run stands, in words: "finished", or how far it is, or why it stopped."""
        if self.is_finished:
            return "finished"
        if self.error:
            return f"failed at step {self.steps}: {self.error}"
        actions = self.findings["action"].tolist()
        if actions and actions[-1] == "stopped":
            return f"failed: {self.findings['symptom'].iloc[-1]} at step {self.steps}"
        goal = f" of {self._length['steps']}" if "steps" in self._length else ""
        return f"unfinished: step {self.steps}{goal}"

    @functools.cached_property
    def error(self) -> str:
        """The error of the run in the table of its sweep; "" if there is none."""
        return next(
            (row.error for row in read_table(self.path.parent) if row.run == self.path.name), ""
        )

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
        """The record that `tfgans evaluate` has written; None without.

        Raises:
            ValueError: If the file is damaged.
        """
        path = self.path / "evaluation" / "evaluation.json"
        return Record.load(path) if path.exists() else None

    @functools.cached_property
    def last_evaluation(self) -> Record | None:
        """The last evaluation during training, as a record; None if there is none.

        Its numbers are those that `tfgans evaluate` would give at that step, but it does not say
        how many of the examples each number is computed from.
        """
        protocol_file = self._directory.evaluation_log.with_name("evaluation.csv.json")
        if not len(self.evaluations) or not protocol_file.exists():
            return None
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


def absent_runs(places: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    """Returns the runs of sweeps that have no folder yet: their state, with the error, by path.

    Args:
        places: Those of `find_runs`.
    """
    absent: dict[str, str] = {}
    for path in map(files.path, places):
        sweeps = [table.parent for root in _matching(path) for table in root.rglob(TABLE)]
        # A pattern may be of the runs in a sweep.
        pattern = os.fspath(path)
        sweeps += [] if path.exists() else _matching(path.parent)
        for folder in dict.fromkeys(sweeps):
            inside = any(folder.is_relative_to(root) for root in _matching(path))
            for run, state, error in read_table(folder):
                named = inside or fnmatch.fnmatch(os.fspath(folder / run), pattern)
                if named and not (folder / run / "run.json").exists():
                    absent[os.fspath(folder / run)] = f"{state}: {error}" if error else state
    return absent


def _matching(path: Path) -> list[Path]:
    """Returns the path itself if it exists, else those that match it as a pattern."""
    if path.exists():
        return [path]
    return sorted(map(Path, glob.glob(os.fspath(path))), key=_by_number)


def find_runs(places: Sequence[str | os.PathLike[str]]) -> list[RecordedRun]:
    """Returns the runs of folders, of patterns such as `runs/r3gan-*`, and of folders of runs.

    Args:
        places: Folders of a run, folders with runs somewhere below, or patterns of `glob`.

    Raises:
        ValueError: If there is no run in a place, or a `run.json` is damaged.
    """
    runs: dict[Path, RecordedRun] = {}
    for place in places:
        roots = _matching(files.path(place))
        folders = [folder for root in roots for folder in _run_folders(root)]
        if not folders:
            raise ValueError(
                f"{place} must be the folder of a run of `tfgans train`, a folder with runs, or a "
                "pattern of folders. Received: "
                + ("nothing of this name" if not roots else "no run.json in it or below")
            )
        for folder in folders:
            runs.setdefault(folder.resolve(), RecordedRun(folder))
    return list(runs.values())


def _run_folders(root: Path) -> list[Path]:
    """Returns the folders of runs at or below a folder: in the order of a sweep, else by name."""
    if (root / "run.json").is_file():
        return [root]
    order = [root / row.run for row in read_table(root)]
    folders = sorted((path.parent for path in root.rglob("run.json")), key=_by_number)
    return sorted(folders, key=lambda path: order.index(path) if path in order else len(order))


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Returns a key that sorts 9 before 10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


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
    """Returns the complete rows of a CSV file, of which another process may write the last."""
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    header, *lines = whole.decode(errors="replace").splitlines() or [""]
    names = header.split(",")
    if not set(columns) <= set(names):
        names, lines = list(columns), []
    rows = [row for row in (line.split(",") for line in lines) if len(row) == len(names)]
    table = pd.DataFrame(rows, columns=names)
    numbers = [name for name in names if name not in text]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
    return table.dropna(subset=[names[0]]).reset_index(drop=True)
