"""Runs a lab: what is missing of its rows, then its report."""

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tfgans import checks, files
from tfgans.labs import engines, report
from tfgans.labs.lab import Lab
from tfgans.labs.rows import FAILED, OK, Rows
from tfgans.labs.verdicts import Verdict, decide
from tfgans.versions import versions

ROWS, LOG, RECORD = "rows.csv", "log.txt", "lab.json"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a lab gave.

    Attributes:
        verdicts: One a claim.
        num_runs: Rows of the table.
        num_failed: Those of them that failed.
        folder: Where the report is.
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
    workers: int | None = None,
    engine: str = "processes",
    command: str = "",
    progress: bool = False,
) -> Outcome:
    """Runs a lab from seeds 0 to `seeds - 1`, and writes its rows, figures and report.

    A folder that holds some of the rows is gone on with: only what is missing or failed runs. More
    seeds may be asked for than were there.

    Args:
        lab: The lab.
        out: Its folder.
        seeds: Int of at least 1.
        quick: Whether to run its smaller form.
        workers: Runs at a time, of one thread each. Default: one a CPU.
        engine: "processes" or "ray"; see `engines.run_tasks`.
        command: What the report says was typed.
        progress: Whether to show a bar on stderr.

    Returns:
        An `Outcome`. A run that failed is a row that says so, its traceback is in `log.txt`.

    Raises:
        ValueError: If an argument is out of its range, or the folder holds something else or is
            another process's.
        OSError: If the folder cannot be written.
        ImportError: If Ray is asked for and missing.
    """
    checks.positive_int("seeds", seeds)
    workers = _num_cpus() if workers is None else checks.positive_int("workers", workers)
    engines.check(engine)
    folder = files.path(out)
    files.check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder, wait=False):
        rows = _open(lab, folder, quick=quick)
        wanted = [{**cell, "seed": seed} for seed in range(seeds) for cell in lab.cells(quick)]
        done = rows.done()
        missing = [row for row in wanted if rows.key(row) not in done]
        _fill(lab, rows, missing, workers=workers, engine=engine, progress=progress)
        frame = rows.frame(wanted)
        good = _comparable(frame, lab.settings())
        verdicts = tuple(decide(claim, good) for claim in lab.claims)
        about = report.About(command, quick, versions(), time.strftime("%Y-%m-%d"))
        report.write(lab, frame, good, verdicts, about, folder)
    return Outcome(verdicts, len(frame), int((frame["status"] == FAILED).sum()), folder)


def _open(lab: Lab, folder: Path, *, quick: bool) -> Rows:
    """Returns the rows of a folder that is new, or of the same lab."""
    record = {"lab": lab.name, "quick": quick}
    path = folder / RECORD
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != record:
            raise ValueError(
                f"{folder} holds {found}, not {record}. Choose another folder, or remove it"
            )
    elif any(not one.name.startswith(".") for one in folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty, and not of a lab. Choose a new or an empty folder"
        )
    else:
        files.write_text(path, json.dumps(record) + "\n")
    rows = Rows(
        folder / ROWS,
        keys=[*lab.settings(), "seed"],
        columns=lab.columns(),
        lists=list(lab.measures),
    )
    rows.mend()
    return rows


def _comparable(frame: pd.DataFrame, settings: list[str]) -> pd.DataFrame:
    """Returns the rows of the seeds of which all cells ended well.

    Cells are compared seed by seed. One that failed at every seed takes itself along, not the rest.
    """
    if not len(frame):
        return frame
    failed = frame["status"] == FAILED
    dead = failed.groupby([frame[name] for name in settings], dropna=False).transform("all")
    lost = frame["seed"].isin(frame["seed"][failed & ~dead])
    return frame[~dead & ~lost].reset_index(drop=True)


def _fill(
    lab: Lab,
    rows: Rows,
    missing: list[dict[str, Any]],
    *,
    workers: int,
    engine: str,
    progress: bool,
) -> None:
    """Runs what is missing; each run is a row as it ends."""
    from tqdm import tqdm

    if not missing:
        return
    commit = _commit()
    tasks = [engines.Task(lab.measure, row) for row in missing]
    bar = tqdm(total=len(tasks), unit="run", desc=lab.name, disable=not progress)
    with bar:
        for index, ended in engines.run_tasks(tasks, workers=workers, engine=engine):
            row, measures = missing[index], ended.measures or {}
            error = ended.error
            if ended.measures is not None and set(measures) != set(lab.measures):
                error = f"expected {sorted(lab.measures)}. Received: {sorted(measures)}"
                measures = {}
            if error:
                _log(rows.path.with_name(LOG), row, ended.log or error)
            own = {"status": FAILED if error else OK, "error": error, "commit": commit}
            rows.append({**row, **measures, **own, "cpu_seconds": round(ended.cpu_seconds, 3)})
            bar.update()


def _log(path: Path, row: Mapping[str, Any], text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(row)}\n{text.rstrip()}\n\n")


def _commit() -> str:
    """Returns which code this is: the commit of its checkout, or its version."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        found = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    except OSError:
        return versions()["tfgans"]
    return found.stdout.strip() or versions()["tfgans"]


def _num_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
