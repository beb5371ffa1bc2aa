"""Runs a lab: computes the missing rows, then writes the report."""

import dataclasses
import functools
import hashlib
import json
import numbers
import os
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import checks, engines, files
from tfgans.labs import report
from tfgans.labs.lab import Lab
from tfgans.labs.rows import FAILED, OK, Rows
from tfgans.labs.verdicts import Verdict, verdict
from tfgans.versions import checkout_commit, versions

ROWS, LOG, RECORD = "rows.csv", "log.txt", "lab.json"
# Seconds between two lines of progress where stderr is not a terminal.
_LINE_EVERY = 30.0
# Between the version of tfgans and that of a lab's file.
_WITH_FILE = " with "


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a lab.

    Attributes:
        verdicts: One verdict per claim.
        num_runs: Number of rows.
        num_failed: Number of rows whose run failed.
        folder: The folder of the report.
    """

    verdicts: tuple[Verdict, ...]
    num_runs: int
    num_failed: int
    folder: Path


def run(
    lab: Lab,
    out: str | os.PathLike[str],
    *,
    seeds: int = 8,
    quick: bool = False,
    only: Sequence[str] = (),
    seconds: float | None = None,
    workers: int | None = None,
    engine: str = "processes",
    report_only: bool = False,
    command: str = "",
    progress: bool = False,
) -> Outcome:
    """Runs a lab from each of its first `seeds` seeds, and writes its rows, figures and report.

    Continues in a folder that holds some of the rows: only missing and failed runs are computed.
    `seeds` may grow between calls, and `only` may change. The report is of the runs of the call.
    Runs that ended well are kept even if the file of the lab has changed since: then there is a
    warning, and the report and the rows name the versions of the file by their checksums.

    Args:
        lab: The lab.
        out: The folder to write to.
        seeds: Int of at least 1.
        quick: Whether to run the smaller form of the lab.
        only: Settings as "name=value": run the cells that have them. Of several values of a name,
            any. Default: all cells.
        seconds: CPU seconds of training, of labs that train for a time. Default: the lab's.
        workers: Int of at least 1, the maximum number of concurrent single-threaded runs. Default:
            the number of CPUs. A lab that compares CPU seconds takes a run at a time, with a
            warning if more are asked for.
        engine: "processes" or "ray"; see `engines.run_tasks`.
        report_only: Whether to report on the rows that are there, and to run nothing.
        command: The command line, for the report.
        progress: Whether to show the progress on stderr: a bar on a terminal; in a file or a pipe,
            a line every 30 seconds and at the end.

    Returns:
        An `Outcome`. A failed run is a row with its error; the traceback is in `log.txt`.

    Raises:
        ValueError: If an argument is out of range, the folder holds something else, or another
            process writes to it.
        OSError: If the folder cannot be written.
        ImportError: If `engine` is "ray" and Ray is not installed.
    """
    checks.positive_int("seeds", seeds)
    wanted = lab.runs(seeds, quick=quick, only=only, seconds=seconds)
    if lab.one_at_a_time and checks.positive_int("workers", workers or 1) > 1:
        warnings.warn(
            f"The lab {lab.name} compares CPU seconds, so its runs are executed one at a time: "
            f"workers={workers} has no effect",
            stacklevel=2,
        )
    workers = engines.num_cpus() if workers is None else checks.positive_int("workers", workers)
    engines.check(engine)
    folder = files.path(out)
    files.check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder, wait=False):
        files.remove_temporaries(folder)
        rows = _open(lab, folder, quick=quick)
        done = rows.done()
        order = wanted
        if lab.one_at_a_time:
            # Of all runs, so that the turns do not depend on what is done already.
            order, workers = engines.alternate(wanted, lambda run: run["seed"]), 1
        missing = [row for row in order if rows.key(row) not in done]
        if report_only:
            missing = []
        code = _code_of(lab)
        _fill(lab, rows, missing, code, workers=workers, engine=engine, progress=progress)
        frame = rows.frame(wanted)
        _warn_of_other_versions(code, frame["commit"], folder)
        one_seed = lab.runs(1, quick=quick, seconds=seconds)
        cells = [{name: run[name] for name in lab.settings()} for run in one_seed]
        verdicts = tuple(verdict(claim, frame, cells) for claim in lab.claims)
        date, num_full = time.strftime("%Y-%m-%d"), seeds * len(cells)
        about = report.About(command, quick, versions(), date, num_full)
        report.write(lab, frame, verdicts, about, folder)
    return Outcome(verdicts, len(frame), int((frame["status"] == FAILED).sum()), folder)


def _open(lab: Lab, folder: Path, *, quick: bool) -> Rows:
    """Returns the rows of a new folder, or of a folder of the same lab."""
    record = {"lab": lab.name, "quick": quick}
    path = folder / RECORD
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored != record:
            raise ValueError(
                f"{folder} must be the folder of {record}. Received: the folder of {stored}. "
                "Choose another folder, or remove it"
            )
    elif any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise ValueError(
            f"{folder} must be new, empty or the folder of a lab. Received: a folder with other "
            "files. Choose a new or an empty folder"
        )
    else:
        files.write_text(path, json.dumps(record) + "\n")
    rows = Rows(
        folder / ROWS,
        keys=[*lab.settings(), "seed"],
        columns=lab.columns(),
    )
    rows.repair()
    return rows


def _fill(
    lab: Lab,
    rows: Rows,
    missing: list[dict[str, Any]],
    code: str,
    *,
    workers: int,
    engine: str,
    progress: bool,
) -> None:
    """Computes the missing rows, and appends each when its run ends."""
    from tqdm import tqdm

    if not missing:
        return
    tasks = [engines.Task(lab.measure, row, row["seed"]) for row in missing]
    in_lines = progress and not sys.stderr.isatty()
    written = time.monotonic()
    with tqdm(total=len(tasks), unit="run", desc=lab.name, disable=in_lines or not progress) as bar:
        for done, (index, ended) in enumerate(
            engines.run_tasks(tasks, workers=workers, engine=engine), 1
        ):
            row, measures = missing[index], ended.measures or {}
            error = ended.error or _fault(measures, lab.measures)
            if error:
                measures = {}
                _log(rows.path.with_name(LOG), row, ended.log or error)
            status = {"status": FAILED if error else OK, "error": error, "commit": code}
            rows.append({**row, **measures, **status, "cpu_seconds": round(ended.cpu_seconds, 3)})
            bar.update()
            if in_lines and (done == len(tasks) or time.monotonic() - written >= _LINE_EVERY):
                written = time.monotonic()
                sys.stderr.write(f"{lab.name}: {done} of {len(tasks)} runs\n")
                sys.stderr.flush()


def _code_of(lab: Lab) -> str:
    """Returns the commit or the version of tfgans, and the checksum of a lab's file outside it."""
    code, measure = checkout_commit() or versions()["tfgans"], lab.measure
    while isinstance(measure, functools.partial):
        measure = measure.func
    name = getattr(measure, "__module__", None) or ""
    path = getattr(sys.modules.get(name), "__file__", None)
    if path is None or name.partition(".")[0] == "tfgans" or not Path(path).is_file():
        return code
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return f"{code}{_WITH_FILE}{Path(path).name} {digest[:10]}"


def _warn_of_other_versions(code: str, codes: Iterable[str], folder: Path) -> None:
    """Warns if runs are of another version of the lab's file than the present one."""
    present = code.partition(_WITH_FILE)[2]
    known = [code.partition(_WITH_FILE)[2] for code in codes]
    num = sum(bool(each) and each != present for each in known)
    if num and present:
        warnings.warn(
            f"{num} of the {len(known)} runs in {folder} were made by another version of the lab's "
            f"file than {present}, and are kept. If `measure` or `cells` changed since, choose "
            "another folder",
            stacklevel=3,
        )


def _fault(measures: Mapping[str, Any], expected: Mapping[str, str]) -> str:
    """Returns what is wrong with the measures of a run; "" if nothing is."""
    if set(measures) != set(expected):
        return f"expected {sorted(expected)}. Received: {sorted(measures)}"
    for name, value in measures.items():
        values = value if isinstance(value, list | tuple) else [value]
        if value is not None and not all(
            isinstance(each, numbers.Real | np.bool_) for each in values
        ):
            return (
                f"a measure must be a float, a list of floats or None. Received: {name}="
                f"{checks.short(value)}"
            )
    return ""


def _log(path: Path, row: Mapping[str, Any], text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(row)}\n{text.rstrip()}\n\n")
