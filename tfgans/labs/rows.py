"""Stores the results of a lab in a CSV file, a row per run, that survives a killed writer."""

import csv
import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

OK, FAILED = "ok", "failed"


class Rows:
    """The rows of a lab. Each row is written completely or not at all.

    Args:
        path: The CSV file. The first `append` creates it with its header.
        keys: The columns that identify a run.
        columns: All columns.
        lists: The columns that may hold lists, which are written as JSON.
    """

    def __init__(
        self, path: Path, *, keys: Sequence[str], columns: Sequence[str], lists: Sequence[str]
    ) -> None:
        self.path = path
        self._keys = list(keys)
        self._columns = list(columns)
        self._lists = set(lists)

    def append(self, row: Mapping[str, Any]) -> None:
        """Appends a row and forces it to the disk; columns without a value stay empty."""
        unknown = sorted(set(row) - set(self._columns))
        if unknown:
            raise ValueError(f"Unknown columns: {', '.join(unknown)}")
        new = not self.path.exists()
        lines = [self._columns] * new + [[_text(row.get(name)) for name in self._columns]]
        # A single write: a kill leaves at most an unfinished last line, which `repair` removes.
        data = _csv(lines)
        with self.path.open("ab", buffering=0) as file:
            if file.write(data) != len(data):
                raise OSError(
                    errno.ENOSPC, "The row could not be written completely", str(self.path)
                )
            os.fsync(file.fileno())

    def repair(self) -> None:
        """Removes the unfinished row that a kill may have left.

        Raises:
            ValueError: If the file has other columns.
        """
        if not self.path.exists():
            return
        whole, _, unfinished = self.path.read_bytes().rpartition(b"\n")
        if unfinished:
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + bool(whole))
        if not whole:
            self.path.unlink()
        elif self._read().columns.tolist() != self._columns:
            raise ValueError(
                f"{self.path} has other columns, of another lab or version. Choose another folder, "
                "or remove it"
            )

    def done(self) -> set[tuple[str, ...]]:
        """Returns the keys of the runs that did not fail."""
        if not self.path.exists():
            return set()
        rows = self._read()
        return set(rows[rows["status"] == OK][self._keys].itertuples(index=False, name=None))

    def key(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the key of a run, as in `done`."""
        return tuple(_text(row[name]) for name in self._keys)

    def frame(self, wanted: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Returns the newest row of each wanted run, in the order of `wanted`.

        Numbers and lists are parsed.
        """
        newest = self._read().drop_duplicates(self._keys, keep="last")
        places = {self.key(row): place for place, row in enumerate(wanted)}
        keys = newest[self._keys].itertuples(index=False, name=None)
        newest = newest.assign(place=[places.get(key, -1) for key in keys])
        ours = newest[newest["place"] >= 0].sort_values("place").drop(columns="place")
        frame = pd.read_csv(
            io.StringIO(ours.to_csv(index=False)),
            keep_default_na=False,
            na_values=["", "nan"],
        )
        for name in self._lists:
            frame[name] = [
                json.loads(value) if isinstance(value, str) else value for value in frame[name]
            ]
        return frame

    def _read(self) -> pd.DataFrame:
        if not self.path.exists():
            return pd.DataFrame(columns=self._columns, dtype=str)
        return pd.read_csv(self.path, dtype=str, keep_default_na=False)


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        # A row is a line, so that `repair` recognizes an unfinished row by its missing end.
        return " ".join(value.split())
    if isinstance(value, list | tuple):
        return json.dumps([float(number) for number in value])
    return repr(value.item() if isinstance(value, np.generic) else value)
