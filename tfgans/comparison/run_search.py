"""Finds the runs of a comparison in folders and by patterns of their names."""

import fnmatch
import glob
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tfgans import files
from tfgans.comparison.recorded_run import RecordedRun
from tfgans.sweep import TABLE, TableRow, read_table


class RunSearch(NamedTuple):
    """The result of a search for runs.

    Attributes:
        runs: List of `RecordedRun`, each once: those of a sweep in its order, before those of other
            folders in the same place, which are sorted by name.
        absent: Dict of the states of runs that cannot be read, with the error, by path: runs of
            sweeps that have no folder yet, runs with a damaged `run.json`, and links whose target
            is missing, such as to a disk that is not mounted.
    """

    runs: list[RecordedRun]
    absent: dict[str, str]


def search_runs(places: Iterable[str | os.PathLike[str]]) -> RunSearch:
    """Searches for the runs of folders, of patterns such as `runs/r3gan-*`, and of folders of runs.

    Links to folders are followed. The folder of a run is not searched for other runs.

    Args:
        places: Folders of a run, folders with runs somewhere below, or patterns of `glob`.

    Raises:
        ValueError: If there is no run in a place, or no run can be read.
    """
    runs: dict[Path, RecordedRun] = {}
    absent: dict[Path, str] = {}
    for place in places:
        pattern = files.path(place)
        roots = _matching(pattern)
        walked = list(_walk(roots))
        tables = _tables(folder for folder, names in walked if TABLE in names)
        # A pattern may be of the runs in a sweep.
        outside = [] if pattern.exists() else _matching(pattern.parent)
        waiting = _waiting(tables) | {
            path: state
            for path, state in _waiting(_tables(outside)).items()
            if fnmatch.fnmatch(os.fspath(path), os.fspath(pattern))
        }
        folders = _sorted_folders(walked, tables)
        lost = _broken_links(roots, walked)
        if not (folders or waiting or lost):
            raise ValueError(
                f"{place} must be the folder of a run of `tfgans train`, a folder with runs, or a "
                "pattern of folders. Received: "
                + ("no run.json in it or below" if roots else "nothing of this name")
            )
        absent |= waiting | lost
        for folder in folders:
            real = folder.resolve()
            if real in runs:
                continue
            try:
                runs[real] = RecordedRun(folder)
            except (ValueError, OSError) as error:
                absent[folder] = str(error)
    if not runs:
        states = "; ".join(f"{path}: {state}" for path, state in absent.items())
        raise ValueError(f"Expected runs that have begun and can be read. Received: {states}")
    return RunSearch([*runs.values()], {os.fspath(path): absent[path] for path in absent})


def find_runs(places: Iterable[str | os.PathLike[str]]) -> list[RecordedRun]:
    """Returns the runs of `search_runs`, and warns of each whose `run.json` cannot be read.

    The arguments and errors are those of `search_runs`.
    """
    runs, absent = search_runs(places)
    for path, state in absent.items():
        if Path(path, "run.json").exists():
            warnings.warn(f"A run is left out: {state}", stacklevel=2)
    return runs


def _matching(path: Path) -> list[Path]:
    """Returns the path itself if it exists, else those that match it as a pattern."""
    if path.exists():
        return [path]
    return sorted(map(Path, glob.glob(os.fspath(path))), key=_by_number)


def _tables(folders: Iterable[Path]) -> dict[Path, list[TableRow]]:
    """Returns the tables that sweeps have written, by folder."""
    tables = {}
    for folder in folders:
        try:
            tables[folder] = read_table(folder)
        except ValueError as error:
            warnings.warn(
                f"The order of a sweep and its runs without a folder are left out: {error}",
                stacklevel=4,
            )
    return tables


def _waiting(tables: Mapping[Path, Sequence[TableRow]]) -> dict[Path, str]:
    """Returns the states of the runs in the tables of sweeps that have no folder yet."""
    return {
        folder / row.run: f"{row.state}: {row.error}" if row.error else row.state
        for folder, rows in tables.items()
        for row in rows
        if not (folder / row.run / "run.json").exists()
    }


def _broken_links(
    roots: Sequence[Path], walked: Sequence[tuple[Path, set[str]]]
) -> dict[Path, str]:
    """Returns the states of links, outside of runs, whose target is missing."""
    outside = [(folder, names) for folder, names in walked if "run.json" not in names]
    entries = [*roots, *(folder / name for folder, names in outside for name in sorted(names))]
    return {
        entry: f"a link to {entry.readlink()}, which is missing"
        for entry in entries
        if entry.is_symlink() and not entry.exists()
    }


def _sorted_folders(
    walked: Sequence[tuple[Path, set[str]]], tables: Mapping[Path, Sequence[TableRow]]
) -> list[Path]:
    """Returns the folders of runs: those of sweeps in the order of the tables, then the others."""
    ordered = [folder / row.run for folder, rows in tables.items() for row in rows]
    order = {path: index for index, path in enumerate(ordered)}
    folders = [folder for folder, names in walked if "run.json" in names]
    return sorted(folders, key=lambda path: (order.get(path, len(order)), _by_number(path)))


def _walk(roots: Sequence[Path]) -> Iterator[tuple[Path, set[str]]]:
    """Yields the folders at and below others, but not those in runs, with the names of their files.

    Links to folders are followed after the other folders beside them, except links to a folder
    above. A folder is yielded once.
    """
    seen: set[Path] = set()
    for root in roots:
        for place, subfolders, names in os.walk(root, followlinks=True):
            folder = Path(place)
            real = folder.resolve()
            if real in seen or "run.json" in names:
                subfolders.clear()
            if real not in seen:
                seen.add(real)
                yield folder, set(names)
            links = {name for name in subfolders if (folder / name).is_symlink()}
            above = {name for name in links if real.is_relative_to((folder / name).resolve())}
            subfolders[:] = sorted(set(subfolders) - above, key=lambda name: (name in links, name))


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Returns a key that sorts 9 before 10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
