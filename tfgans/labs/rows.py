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
# Columns of text, which may look like a number: the commit 12e4567, say.
_TEXTS = ("status", "error", "commit")


class Rows:
    """The rows of a lab. Each row is written completely or not at all.

    Args:
        path: The CSV file. The first `append` creates it with its header.
        keys: The columns that identify a run.
        columns: All columns. Those beside the keys are of floats, or of lists of floats, which are
            written as JSON; but "status", "error" and "commit" are of strings.
    """

    def __init__(self, path: Path, *, keys: Sequence[str], columns: Sequence[str]) -> None:
        self.path = path
        self._keys = list(keys)
        self._columns = list(columns)

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

        Keys have the values of `wanted`. Numbers and lists are parsed; NaN stands for no value.
        """
        newest = self._read().drop_duplicates(self._keys, keep="last")
        keys = newest[self._keys].itertuples(index=False, name=None)
        rows = dict(zip(keys, newest.to_dict("records"), strict=True))
        ours = [(run, rows[self.key(run)]) for run in wanted if self.key(run) in rows]
        return pd.DataFrame(
            {
                name: [
                    run[name] if name in self._keys else _value(name, row[name])
                    for run, row in ours
                ]
                for name in self._columns
            }
        )

    def _read(self) -> pd.DataFrame:
        if not self.path.exists():
            return pd.DataFrame(columns=self._columns, dtype=str)
        return pd.read_csv(self.path, dtype=str, keep_default_na=False)


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    if text in ("True", "False"):
        return float(text == "True")
    return json.loads(text) if text.startswith("[") else float(text or "nan")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        # A row is a line, so that `repair` recognizes an unfinished row by its missing end.
        return " ".join(value.split())
    if isinstance(value, list | tuple):
        return json.dumps([float(number) for number in value])
    return repr(value.item() if isinstance(value, np.generic) else value)
