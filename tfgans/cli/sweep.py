"""`tfgans sweep`: trains a table of runs."""

import contextlib
import dataclasses
import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from tfgans.cli import train
from tfgans.cli.command import Command, Exit, interrupting_signals, needs_extra, resume_command
from tfgans.cli.options import output
from tfgans.cli.parser import Parser

if TYPE_CHECKING:
    from tfgans.engines import Task
    from tfgans.sweep import Cell, Row, Sweep
    from tfgans.training import RunDirectory

# Flags of text whose values have commas.
_WITH_COMMAS = ("augmentation_policy", "consistency_policy")
# Flags of `tfgans train` that the sweep sets itself.
_OF_THE_SWEEP = ("run_dir", "seed", "dry_run", "resume")
# Flags that a process can follow once.
_DEVICES = frozenset({"strategy", "num_replicas"})
# The beginning of the errors of `tfgans train`.
_PREFIX = "tfgans train: "
# Timings of a combination, each with this share of the CPU time of a run, and at least this many
# CPU seconds.
_TIMINGS = 3
_TIMED_SHARE = 1 / 20
_LEAST_TIMED = 3.0
# Metrics in the line of a run that has ended.
_NUM_SAID = 3
# Seconds between two looks at runs of another process.
_POLL = 0.5


class _Values(flags.MultiFlag):
    """A flag of `tfgans train` as text, once or several times."""

    def __init__(self, name: str, flag: flags.Flag) -> None:
        super().__init__(flags.ArgumentParser(), flags.ArgumentSerializer(), name, None, flag.help)
        # `--name` and `--noname` need no value.
        self.boolean = flag.boolean


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Sweep")
    group.path("run_dir", None, "folder of the table; each run is a folder in it (required)")
    group.integer("seeds", 1, "runs of each combination, each with another seed", at_least=1)
    group.integer("seed", 0, "the first seed", at_least=0)
    group.number(
        "equal_cpu_seconds",
        None,
        "CPU seconds that each run may spend on training steps; each combination is timed first, "
        "and all its seeds train the number of steps that fits",
        at_least=0,
    )
    group.boolean("dry_run", False, "check all combinations, print the runs and stop")
    group = parser.group("Execution")
    group.integer(
        "workers",
        None,
        "maximum number of concurrent runs, each with a single thread; default: the number of "
        "CPUs, but 1 with --cpu_seconds or --minutes",
        at_least=1,
    )
    group.choice(
        "engine",
        "processes",
        ("processes", "ray"),
        "ray uses the cluster at RAY_ADDRESS, or a local cluster",
    )
    known = _train_parser().values
    for name in known:
        if name not in _OF_THE_SWEEP:
            flags.DEFINE_flag(_Values(name, known[name]), flag_values=parser.values)
    parser.note(
        "Flags of tfgans train",
        (
            "  Before a lone --, each flag of tfgans train may have several values, with commas",
            "  between them (--model=wgan_gp,r3gan) or by repeating it (--conditional",
            "  --noconditional). Values of a repeated flag are not split at commas, nor are those",
            "  of --metrics, --image_size, --augmentation_policy and --consistency_policy. The",
            "  sweep runs all combinations. Flags after the -- apply to all runs, and are never",
            "  split.",
        ),
    )
    parser.require("run_dir")


class _FlagsAlone(Parser):
    """Parses flags of `tfgans train` that are a part of its command line: none is required."""

    def require(self, *names: str) -> None:
        """Requires nothing."""

    def check(
        self, names: Sequence[str], test: Callable[[Mapping[str, Any]], bool], message: str
    ) -> None:
        """Checks nothing: the dry run of a combination does."""


def _train_parser() -> Parser:
    parser = _FlagsAlone()
    train.define(parser)
    return parser


def sweep(parser: Parser, shared_words: Sequence[str]) -> int:
    """Trains what is missing of the table; if that ends early, says how to continue."""
    command = resume_command("sweep", parser.words)
    try:
        with interrupting_signals():
            return _sweep(parser, shared_words)
    except KeyboardInterrupt as stop:
        raise Exit(f"interrupted. To continue: {command}", 128 + stop.args[0]) from stop


def _sweep(parser: Parser, shared_words: Sequence[str]) -> int:
    from tfgans import engines, files
    from tfgans.sweep import FINISHED, LOGS, WAITING, failures
    from tfgans.training import RunDirectory

    values = parser.values
    engines.check(values.engine)
    folder = files.path(values.run_dir)
    output.check_folder("run_dir", folder)
    table = _table(parser, shared_words)
    table.check_folder(folder)
    cells = table.cells()
    rows = _rows(folder, cells, failures(folder))
    # Runs that end by time would get fewer steps beside others.
    timed = {"cpu_seconds", "minutes"} & {*table.shared, *table.varied}
    workers = values.workers or (1 if timed else engines.num_cpus())
    with needs_extra("labs"):
        # One run for each combination that has not begun.
        begun = {cell.combination for cell in cells if rows[cell.name].state != WAITING}
        new: dict[str, Cell] = {}
        for cell in cells:
            if cell.combination not in begun:
                new.setdefault(cell.combination, cell)
        sys.stderr.write(f"checking {len(new)} combinations\n" if new else "")
        checking = values.workers or engines.num_cpus()
        _check(list(new.values()), folder, workers=checking, engine=values.engine)
        if values.dry_run:
            cells = _with_timings(table, folder).cells()
            print(*(f"{cell.name}\n  {_command(cell, folder)}" for cell in cells), sep="\n")
            if table.equal_cpu_seconds is not None:
                print("Once a combination is timed, its runs have --steps instead of --cpu_seconds")
            return 0
        folder.mkdir(parents=True, exist_ok=True)
        with files.locked(folder, wait=False):
            files.remove_temporaries(folder)
            # Another process may have added to the folder since.
            table.check_folder(folder)
            table = _with_timings(table, folder)
            table.save(folder)
            (folder / LOGS).mkdir(exist_ok=True)
            _wait_for_orphans([RunDirectory(folder / cell.name) for cell in cells])
            untimed: dict[str, str] = {}
            if table.equal_cpu_seconds is not None:
                table, untimed = _timed(table, folder)
            cells = table.cells()
            rows = _rows(folder, cells, failures(folder) | untimed)
            _write_table(folder, list(rows.values()))
            order = engines.alternate(cells, lambda cell: cell.seed)
            finished = [cell for cell in cells if rows[cell.name].state == FINISHED]
            missing = [
                cell
                for cell in order
                if rows[cell.name].state != FINISHED and cell.name not in untimed
            ]
            sys.stderr.write(
                f"{len(cells)} runs, {len(finished)} of them finished, {workers} at a time\n"
            )
            try:
                _run(missing, folder, rows, workers=workers, engine=values.engine)
            finally:
                # Runs that were interrupted have saved their state.
                errors = {name: row.error for name, row in rows.items()}
                _write_table(folder, list(_rows(folder, cells, errors).values()))
    return _tell_result(folder, list(rows.values()))


def _run(
    cells: Sequence["Cell"],
    folder: Path,
    rows: dict[str, "Row"],
    *,
    workers: int,
    engine: str,
) -> None:
    """Trains runs and says how each ended; `rows`, of all runs by name, and the table follow."""
    from tfgans import engines
    from tfgans.evaluation import short_name
    from tfgans.sweep import read_row

    tasks = [_task(cell, folder) for cell in cells]
    ends = engines.run_tasks(tasks, workers=workers, engine=engine, fresh=True)
    # Whatever ends the loop, no run goes on after it.
    with contextlib.closing(ends):
        for done, (index, ended) in enumerate(ends, len(rows) - len(cells) + 1):
            cell = cells[index]
            error = ended.error or str((ended.measures or {}).get("error", ""))
            if ended.log:
                _append(_log(folder, cell), ended.log)
            rows[cell.name] = row = read_row(folder, cell, error=error)
            _write_table(folder, list(rows.values()))
            said = [row.state, f"{row.step} steps", f"{row.cpu_seconds:.1f} CPU s"]
            numbers = list(row.metrics.items())[:_NUM_SAID]
            said += [f"{short_name(name)} {value:.4g}" for name, value in numbers]
            said += [row.error] if row.error else []
            sys.stderr.write(f"[{done}/{len(rows)}] {cell.name}: {', '.join(said)}\n")


def _wait_for_orphans(runs: Sequence["RunDirectory"]) -> None:
    """Waits until the runs of a sweep that was killed have saved their state and ended."""
    from tfgans.engines import SECONDS_TO_SAVE

    deadline = time.monotonic() + SECONDS_TO_SAVE
    if any(run.is_open for run in runs):
        sys.stderr.write("waiting for runs that another process has begun\n")
    while any(run.is_open for run in runs) and time.monotonic() < deadline:
        time.sleep(_POLL)


def _rows(folder: Path, cells: Sequence["Cell"], errors: Mapping[str, str]) -> dict[str, "Row"]:
    """Returns the rows of the runs by name."""
    from tfgans.sweep import read_row

    return {cell.name: read_row(folder, cell, error=errors.get(cell.name, "")) for cell in cells}


def _with_timings(table: "Sweep", folder: Path) -> "Sweep":
    """Returns a table with the timings that its folder has."""
    from tfgans.sweep import DEFINITION, Sweep

    if not (folder / DEFINITION).exists():
        return table
    return dataclasses.replace(table, step_seconds=Sweep.load(folder).step_seconds)


def _tell_result(folder: Path, rows: Sequence["Row"]) -> int:
    from tfgans.sweep import FAILED, TABLE, format_table

    print(format_table(rows), "", folder / TABLE, "", "The commands of the runs:", sep="\n")
    print(*(_command(row.cell, folder) for row in rows), sep="\n")
    failed = [row for row in rows if row.state == FAILED]
    if failed:
        raise Exit(
            f"{len(failed)} of {len(rows)} runs failed: {failed[0].cell.name}"
            + (" and others" if len(failed) > 1 else "")
            + f"; see {folder / TABLE} and logs/ there. The same command tries them again"
        )
    return 0


def _table(parser: Parser, shared_words: Sequence[str]) -> "Sweep":
    """Returns the definition of the table; flags are parsed by `tfgans train`'s own parser."""
    from tfgans.sweep import Sweep

    values = parser.values
    known = _train_parser().values
    varied: dict[str, list[str]] = {}
    once: list[str] = []
    names = [name for name in known if name not in _OF_THE_SWEEP and parser.is_set(name)]
    line = _names(parser.words, known)
    for name in sorted(names, key=lambda name: line.index(name) if name in line else len(line)):
        texts = [str(text) for text in values[name].value]
        has_commas = name in _WITH_COMMAS or isinstance(known[name].parser, flags.ListParser)
        if len(texts) == 1 and not has_commas:
            texts = texts[0].split(",")
        if len(texts) > 1:
            varied[name] = texts
        else:
            once.append(f"--{name}={texts[0]}")
    for name in _names(shared_words, known):
        if name in _OF_THE_SWEEP:
            raise ValueError(
                f"The sweep sets --{name} of each run. Received --{name} after --: leave it out"
            )
        if name in names:
            raise ValueError(
                f"All values of a flag stand on one side of --. Received --{name} on both sides"
            )
    # A flag file after -- gives way to the flags beside it.
    shared = {
        name: flag
        for name, flag in _serialized([*shared_words, *once]).items()
        if name not in varied
    }
    return Sweep(
        shared,
        varied,
        first_seed=values.seed,
        num_seeds=values.seeds,
        equal_cpu_seconds=values.equal_cpu_seconds,
    )


def _names(words: Sequence[str], known: flags.FlagValues) -> list[str]:
    """Returns the names of the flags among the words of a command line."""
    names = [word.lstrip("-").partition("=")[0] for word in words if word.startswith("-")]
    return [name if name in known else name.removeprefix("no") for name in names]


def _serialized(words: Sequence[str]) -> dict[str, str]:
    """Returns flags of `tfgans train` by name, each as `--name=value`."""
    parser = _train_parser()
    try:
        left = parser.parse(words)
    except flags.Error as error:
        raise Exit(f"{error} (tfgans train --help lists the flags)", 2) from error
    if left:
        raise Exit(f"expected flags after --, as --name=value. Received: {left[0]}", 2)
    return {
        name: parser.values[name].serialize()
        for name in sorted(parser.values)
        if parser.is_set(name) and name not in _OF_THE_SWEEP
    }


def _words(cell: "Cell", run_dir: Path) -> list[str]:
    return [*cell.flags, f"--run_dir={run_dir}"]


def _command(cell: "Cell", folder: Path) -> str:
    from tfgans.engines import THREAD_VARIABLES

    # Like the processes of the engines, so that a run's CPU time compares.
    one_thread = " ".join(f"{name}=1" for name in THREAD_VARIABLES)
    return f"{one_thread} {resume_command('train', _words(cell, folder / cell.name))}"


def _write_table(folder: Path, rows: Sequence["Row"]) -> None:
    from tfgans import files
    from tfgans.sweep import TABLE, table_text

    commands = [_command(row.cell, folder) for row in rows]
    files.write_text(folder / TABLE, table_text(rows, commands))


def _log(folder: Path, cell: "Cell") -> Path:
    from tfgans.sweep import LOGS

    return folder / LOGS / f"{cell.name}.txt"


def _timing_log(folder: Path, cell: "Cell") -> Path:
    from tfgans.sweep import LOGS

    return folder / LOGS / f"{cell.name}.timing.txt"


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _task(cell: "Cell", folder: Path, *, dry_run: bool = False) -> "Task":
    from tfgans import engines

    # On the machines of a cluster, the working folder is another.
    words = _words(cell, (folder / cell.name).absolute())
    if dry_run:
        return engines.Task(train_run, {"words": [*words, "--dry_run"], "log": None}, cell.seed)
    log = os.fspath(_log(folder, cell).absolute())
    return engines.Task(train_run, {"words": words, "log": log}, cell.seed)


def _check(cells: Sequence["Cell"], folder: Path, *, workers: int, engine: str) -> None:
    """Raises ValueError for a combination that `tfgans train --dry_run` refuses."""
    from tfgans import engines

    tasks = [_task(cell, folder, dry_run=True) for cell in cells]
    # TensorFlow divides the CPU once in a process.
    fresh = any(not _DEVICES.isdisjoint(cell.values) for cell in cells)
    for index, ended in engines.run_tasks(tasks, workers=workers, engine=engine, fresh=fresh):
        error = ended.error or (ended.measures or {}).get("error")
        if error:
            raise ValueError(f"{cells[index].name} cannot be trained: {error}")


def _timed(table: "Sweep", folder: Path) -> tuple["Sweep", dict[str, str]]:
    """Times the combinations one at a time, in turns, so that the machine is as busy for each.

    Returns:
        The table, which is written into its folder after each timing, and the errors of the runs
        whose combination cannot be timed, by their names.
    """
    from tfgans import engines

    cells = table.cells()
    first = {cell.combination: cell for cell in reversed(cells)}
    combinations = list(first)[::-1]
    seconds = max((table.equal_cpu_seconds or 0) * _TIMED_SHARE, _LEAST_TIMED)
    # Another timing would change the steps of runs that have begun.
    begun = {cell.combination for cell in cells if (folder / cell.name).exists()}
    settled = begun & table.step_seconds.keys()
    errors: dict[str, str] = {}
    for turn in range(_TIMINGS):
        waiting = [
            name
            for name in combinations[:: -1 if turn % 2 else 1]
            if len(table.step_seconds.get(name, ())) <= turn and name not in settled | errors.keys()
        ]
        if waiting:
            sys.stderr.write(f"timing {len(waiting)} combinations, turn {turn + 1} of {_TIMINGS}\n")
        tasks = [
            engines.Task(
                time_steps,
                {
                    "words": _words(first[name], folder / first[name].name),
                    "seconds": seconds,
                    "log": os.fspath(_timing_log(folder, first[name]).absolute()),
                },
                table.first_seed,
            )
            for name in waiting
        ]
        # On this machine, also if the runs are spread over several.
        for index, ended in engines.run_tasks(tasks, workers=1, fresh=True):
            name = waiting[index]
            if ended.measures is None:
                errors[name] = f"cannot be timed: {ended.error}"
                _append(_timing_log(folder, first[name]), ended.log)
                continue
            cost = float(ended.measures["step_seconds"])
            table = table.with_step_seconds(name, cost)
            table.save(folder)
            sys.stderr.write(f"{name or 'each run'}: {1e3 * cost:.1f} CPU ms a step\n")
    return table, {
        cell.name: errors[cell.combination] for cell in cells if cell.combination in errors
    }


def time_steps(*, words: Sequence[str], seconds: float, log: str) -> dict[str, float]:
    """Trains for a while in this process, and returns the CPU seconds of a step (`step_seconds`).

    Evaluations, pictures, checks and backups are left out, as in `tfgans.training.TimeSpent`.

    Args:
        words: The words after `tfgans train`.
        seconds: CPU seconds of the training steps.
        log: File to which the output is appended.
    """
    from tfgans import training

    parser = _train_parser()
    parser.parse(words)
    with (
        open(log, "a", buffering=1, encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        tempfile.TemporaryDirectory() as folder,
    ):
        gan, source = train.build(parser)
        job = training.Run(
            folder,
            gan,
            source,
            batch_size=parser.values.batch_size,
            cpu_seconds=seconds,
            steps_per_epoch=parser.values.steps_per_epoch,
            doctor_every=None,
        )
        job.train()
        spent = job.directory.time_spent()[-1]
    return {"step_seconds": spent.cpu_seconds / spent.step}


def train_run(*, words: Sequence[str], log: str | None) -> dict[str, str]:
    """Runs `tfgans train` in this process, and returns its `error` in one line; "" for none.

    Args:
        words: The words after `tfgans train`.
        log: File to which its output is appended; None for none.
    """
    with (
        io.StringIO() if log is None else open(log, "a+", buffering=1, encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        start = file.seek(0, os.SEEK_END)
        code = train.main(words)
        file.seek(start)
        told = [line for line in file.read().splitlines() if line.startswith(_PREFIX)]
    if code > 128:
        # The run was asked to stop, and has saved its state.
        os.kill(os.getpid(), signal.SIGKILL)
    error = told[-1] if told else f"it ended with the exit code {code}"
    return {"error": error.removeprefix(_PREFIX).removeprefix("error: ") if code else ""}


COMMAND = Command(
    name="sweep",
    summary="Trains a table of runs: all combinations of some flags, each from several seeds.",
    examples=(
        "--model=wgan_gp,r3gan --seeds=3 --run_dir=runs/table --dataset=digits --steps=2000",
        "--model=wgan_gp,r3gan --seeds=6 --equal_cpu_seconds=300 --run_dir=runs/table -- "
        "--dataset=fashion_mnist --evaluate_every=500",
        "--learning_rate=1e-4,2e-4 --run_dir=runs/rates --dry_run",
    ),
    define=define,
    run=sweep,
    separates=True,
)
main = COMMAND.main
