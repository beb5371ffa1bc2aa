"""A table of runs: every combination of some flags of `tfgans train`, each from several seeds."""

import csv
import dataclasses
import io
import itertools
import json
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tfgans import checks, files
from tfgans.evaluation import short_name
from tfgans.training import RunDirectory

DEFINITION, TABLE, LOGS = "sweep.json", "table.csv", "logs"
FINISHED, FAILED, STOPPED, WAITING = "finished", "failed", "stopped", "waiting"
# Bytes of a file name in most file systems, less the suffix ".timing.txt" of a log.
_LONGEST_NAME = 244
_PLAIN = re.compile(r"[^\w.+:@=,-]+")
# Flags that end a run.
_LENGTHS = ("steps", "minutes", "cpu_seconds")
# Flags that change the cost of a step on the way, or train steps again.
_CHANGING = ("adapt_every", "rollbacks")
_PER_CALL = "--steps_per_execution="


def _folder_name(values: Mapping[str, str]) -> str:
    return ",".join(f"{flag}={_PLAIN.sub('-', value)}" for flag, value in values.items())


class Cell(NamedTuple):
    """A run of a table.

    Attributes:
        values: The values of the flags that vary, by name.
        seed: Int.
        flags: All flags of the run but its folder, as `--name=value`.
    """

    values: Mapping[str, str]
    seed: int
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the run's folder, such as "model=r3gan,num_generators=4,seed=0"."""
        return _folder_name({**self.values, "seed": str(self.seed)})

    @property
    def combination(self) -> str:
        """The name without the seed, such as "model=r3gan,num_generators=4"."""
        return _folder_name(self.values)


class Row(NamedTuple):
    """What is known of a run of a table.

    Attributes:
        cell: The run.
        state: "finished", "failed", "stopped" (it goes on from its last backup) or "waiting".
        step: Int, training steps, 0 before the first backup.
        cpu_seconds: Float, see `tfgans.training.TimeSpent`.
        evaluated_step: Int, the step of its last evaluation; None before the first.
        metrics: The numbers of this evaluation by name.
        error: The failure in one line; "" for other states.
    """

    cell: Cell
    state: str
    step: int
    cpu_seconds: float
    evaluated_step: int | None
    metrics: Mapping[str, float]
    error: str


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The definition of a table of runs.

    With `equal_cpu_seconds`, all combinations of the flags get the same CPU time, as a number of
    steps that is the same for all seeds of a combination and on all machines.

    Args:
        shared: The flags that all runs have, each as `--name=value`, by name.
        varied: The values of each flag that varies, by name.
        first_seed: Int of at least 0.
        num_seeds: Int of at least 1.
        equal_cpu_seconds: Positive float, the CPU seconds of the training steps of each run.
            Default: None, flags end the runs.
        step_seconds: The timings of each combination so far, by `Cell.combination`: in each, the
            CPU seconds of a training step.

    Raises:
        ValueError: If a flag has the same value twice, is shared and varied, two runs would have
            the same folder, or flags end the runs beside `equal_cpu_seconds`.

    Example:

    >>> table = tfgans.sweep.Sweep(
    ...     {"dataset": "--dataset=digits"}, {"model": ["wgan_gp", "r3gan"]}, num_seeds=2
    ... )
    >>> [cell.name for cell in table.cells()][:2]
    ['model=wgan_gp,seed=0', 'model=wgan_gp,seed=1']
    """

    shared: Mapping[str, str]
    varied: Mapping[str, Sequence[str]]
    first_seed: int = 0
    num_seeds: int = 1
    equal_cpu_seconds: float | None = None
    step_seconds: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.positive_int("num_seeds", self.num_seeds)
        if self.equal_cpu_seconds is not None:
            checks.positive("equal_cpu_seconds", self.equal_cpu_seconds)
            for name in (*_LENGTHS, *_CHANGING):
                if self.shared.get(name, f"--{name}=0") != f"--{name}=0" or name in self.varied:
                    raise ValueError(
                        "With --equal_cpu_seconds the sweep sets the --steps of its runs, whose "
                        "steps must all cost the same and be trained once. Received --"
                        f"{name} as well: leave it out"
                    )
        both = sorted(self.shared.keys() & self.varied.keys())
        if both:
            raise ValueError(
                f"A flag either varies or is shared by all runs. Received both ways: --{both[0]}"
            )
        for name, values in self.varied.items():
            if len(set(values)) < len(values):
                raise ValueError(
                    f"The values of --{name} must differ. Received: {', '.join(values)}"
                )
        names = [cell.name for cell in self.cells()]
        for name in names:
            if len(name.encode()) > _LONGEST_NAME or names.count(name) > 1:
                raise ValueError(
                    "The values of a run name its folder, so they must be short, and differ in "
                    f"letters and digits. Received: {name}"
                )

    def cells(self) -> list[Cell]:
        """Returns the runs in the order of the table: the seeds of a combination together."""
        cells = []
        for combination in itertools.product(*self.varied.values()):
            values = dict(zip(self.varied, combination, strict=True))
            flags = [*self.shared.values(), *(f"--{flag}={text}" for flag, text in values.items())]
            flags += self._length(_folder_name(values), flags)
            for seed in range(self.first_seed, self.first_seed + self.num_seeds):
                cells.append(Cell(values, seed, (*flags, f"--seed={seed}")))
        return cells

    def with_step_seconds(self, combination: str, seconds: float) -> Self:
        """Returns the definition with a further timing of a combination.

        Args:
            combination: See `Cell.combination`.
            seconds: Float, the CPU seconds of a training step.
        """
        before = self.step_seconds.get(combination, ())
        timings = {**self.step_seconds, combination: [*before, seconds]}
        return dataclasses.replace(self, step_seconds=timings)

    def _length(self, combination: str, flags: Sequence[str]) -> list[str]:
        """Returns the flag by which the sweep ends the runs of a combination, if it does."""
        if self.equal_cpu_seconds is None:
            return []
        timings = self.step_seconds.get(combination)
        if not timings:
            return [f"--cpu_seconds={self.equal_cpu_seconds:.15g}"]
        steps = int(self.equal_cpu_seconds / statistics.median(timings))
        per_call = [flag.partition("=")[2] for flag in flags if flag.startswith(_PER_CALL)]
        unit = int(per_call[0]) if per_call and per_call[0].isdecimal() else 1
        return [f"--steps={max(steps // unit, 1) * unit}"]

    def save(self, folder: Path) -> None:
        """Writes the definition into the folder of the table, in place of a smaller one."""
        text = json.dumps(dataclasses.asdict(self), indent=2)
        files.write_text(folder / DEFINITION, text + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the definition in the folder of a table.

        Raises:
            ValueError: If there is none, or it is damaged.
        """
        path = folder / DEFINITION
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, AttributeError, FileNotFoundError) as error:
            raise ValueError(
                f"{folder} must be the folder of a sweep. Received, of {DEFINITION}: {error}"
            ) from error

    def check_folder(self, folder: Path) -> None:
        """Raises ValueError unless a folder is new, empty, or of this table or a part of it."""
        files.check_folder(folder)
        if not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir()):
            return
        before = Sweep.load(folder)
        differences = list(self._differences(before))
        if differences:
            raise ValueError(
                f"{folder} holds another sweep: {'; '.join(differences)}. More values and more "
                "seeds may be added. Repeat the other flags, or choose another folder"
            )

    def _differences(self, before: Self) -> Iterator[str]:
        for name in sorted(self.shared.keys() | before.shared.keys()):
            there, here = (
                sweep.shared.get(name, f"no --{name} for all runs") for sweep in (before, self)
            )
            if there != here:
                yield f"{there} there and {here} here"
        if before.equal_cpu_seconds != self.equal_cpu_seconds:
            there, here = (
                f"--equal_cpu_seconds={seconds:.15g}" if seconds else "no --equal_cpu_seconds"
                for seconds in (before.equal_cpu_seconds, self.equal_cpu_seconds)
            )
            yield f"{there} there and {here} here"
        if list(self.varied) != list(before.varied):
            there, here = (", ".join(sweep.varied) or "no flag varies" for sweep in (before, self))
            yield f"the flags that vary are {there} there and {here} here"
            return
        for name, values in before.varied.items():
            lost = [value for value in values if value not in self.varied[name]]
            if lost:
                yield f"--{name} has the value {', '.join(lost)} there"
        seeds, ours = ({cell.seed for cell in sweep.cells()} for sweep in (before, self))
        if seeds - ours:
            yield (
                f"the seeds are {min(seeds)} to {max(seeds)} there and {min(ours)} to {max(ours)} "
                "here"
            )


def read_row(folder: Path, cell: Cell, *, error: str = "") -> Row:
    """Returns what the folder of a run says about it.

    Args:
        folder: The folder of the table.
        cell: The run.
        error: The failure of the run, in one line. Default: "", it did not fail.
    """
    run = RunDirectory(folder / cell.name)
    try:
        finished = run.is_finished
        spent = run.time_spent()
        numbers = run.evaluations()
    except ValueError as damage:
        return Row(cell, FAILED, 0, 0.0, None, {}, error or str(damage))
    state = FAILED if error else STOPPED if run.exists else WAITING
    if not error and finished:
        state = FINISHED
    step, cpu_seconds = (spent[-1].step, spent[-1].cpu_seconds) if spent else (0, 0.0)
    evaluated_step = numbers[-1].step if numbers else None
    metrics = {number.metric: number.value for number in numbers if number.step == evaluated_step}
    return Row(cell, state, step, cpu_seconds, evaluated_step, metrics, error)


class TableRow(NamedTuple):
    """A run in the written table of a sweep.

    Attributes:
        run: String, the name of its folder.
        state: String, as of `Row`.
        error: String, the failure in one line; "" without.
    """

    run: str
    state: str
    error: str


def read_table(folder: Path) -> list[TableRow]:
    """Returns the runs in the table that a sweep has written into a folder; nothing without.

    Raises:
        ValueError: If the table is damaged, or another program has written it.
    """
    path = folder / TABLE
    if not (folder / DEFINITION).exists() or not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                TableRow(row["run"], row["state"], row["error"]) for row in csv.DictReader(file)
            ]
    except (KeyError, ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} must be the table that the sweep wrote. Received, of it: {error!r}. Remove "
            "it: the sweep writes it again"
        ) from error


def failures(folder: Path) -> dict[str, str]:
    """Returns the errors of the runs that the table in a folder calls failed, by name.

    Runs that have finished since, by their commands, are left out.
    """
    return {
        row.run: row.error
        for row in read_table(folder)
        if row.error and not _is_finished(RunDirectory(folder / row.run))
    }


def _is_finished(run: RunDirectory) -> bool:
    try:
        return run.is_finished
    except ValueError:  # Its run.json is damaged.
        return False


def _column(flag: str) -> str:
    """Returns the column of a flag, which differs from that of a measured number."""
    return f"--{flag}" if flag == "cpu_seconds" else flag


def table_text(rows: Sequence[Row], commands: Sequence[str]) -> str:
    """Returns a CSV table of runs.

    Args:
        rows: The runs, of one table.
        commands: The command that makes each run, in the same order.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = _metric_names(rows)
    writer.writerow(
        [
            *(_column(name) for name in (rows[0].cell.values if rows else ())),
            *("seed", "state", "step", "cpu_seconds", "evaluated_step", *metrics),
            *("error", "run", "command"),
        ]
    )
    for row, command in zip(rows, commands, strict=True):
        writer.writerow(
            [
                *row.cell.values.values(),
                *(row.cell.seed, row.state, row.step, row.cpu_seconds, row.evaluated_step),
                *(row.metrics.get(name) for name in metrics),
                *(row.error, row.cell.name, command),
            ]
        )
    return text.getvalue()


def format_table(rows: Sequence[Row]) -> str:
    """Returns the runs as lines of columns, metrics to four digits, and the errors below."""
    metrics = _metric_names(rows)
    header = [*(rows[0].cell.values if rows else ()), "seed", "state", "step", "CPU s"]
    lines = [[*header, *map(short_name, metrics)]]
    for row in rows:
        numbers = [f"{row.metrics[name]:.4g}" if name in row.metrics else "" for name in metrics]
        lines.append(
            [
                *row.cell.values.values(),
                *(str(row.cell.seed), row.state, str(row.step), f"{row.cpu_seconds:.1f}", *numbers),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    # An error is a sentence, too long for a column.
    errors = [f"{row.cell.name}: {row.error}" for row in rows if row.error]
    return "\n\n".join("\n".join(part) for part in (table, errors) if part)


def _metric_names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.metrics))
