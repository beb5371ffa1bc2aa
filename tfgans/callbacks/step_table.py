"""A CSV file with a row per event, which a resumed run continues."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from tfgans import files

T = TypeVar("T")


class StepTable:
    """A table whose first column is the training step.

    Rows are written at once, so a kill loses none. `begin` drops the rows that a resumed run will
    write again.

    Args:
        path: The CSV file. Its folder is made if missing.
        header: String, the first line, "step,...".
        writer: String, the class that writes the table, for errors.
    """

    def __init__(self, path: str | os.PathLike[str], header: str, *, writer: str) -> None:
        self.path = files.path(path)
        self._header = f"{header}\n"
        self._writer = writer

    def begin(
        self, first_step: int, *, rollbacks: int | None = None, rows: Sequence[str] = ()
    ) -> list[list[str]]:
        """Keeps the header and the complete rows before `first_step`, and returns their cells.

        Args:
            first_step: Int.
            rows: Rows of `first_step` to write after those that are kept, each with its end of
                line: a kill leaves either these or the rows that were there. Default: none.
            rollbacks: Int, for a table whose second column counts rollbacks: rows with fewer
                rollbacks stay, whatever their step. Default: None, no such column.

        Raises:
            ValueError: If the file is another table, or damaged.
        """
        kept = [cells for cells in self.rows() if _is_before(cells, first_step, rollbacks)]
        lines = [",".join(cells) + "\n" for cells in kept]
        files.write_text(self.path, "".join([self._header, *lines, *rows]))
        return kept

    def rows(self) -> list[list[str]]:
        """Returns the cells of the complete rows; see `parsed`."""
        return self.parsed(list)

    def parsed(self, parse: Callable[[list[str]], T]) -> list[T]:
        """Returns what a function makes of each complete row; nothing if there is no file yet.

        Another process may be writing the last row, or a kill may have left part of it.

        Args:
            parse: Function of the cells of a row. It raises ValueError for a damaged row.

        Raises:
            ValueError: If the file is another table, or damaged.
        """
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        header, *rows = text.splitlines(keepends=True) or [""]
        # A kill may leave part of the header.
        if not self._header.startswith(header):
            raise ValueError(
                f"{self.path} must be a table of `{self._writer}`, with the header "
                f"{self._header.strip()!r}. Received: {header.strip()[:80]!r}. Choose another "
                "file, or remove it"
            )
        values = []
        for number, row in enumerate((row for row in rows if row.endswith("\n")), 2):
            try:
                values.append(parse(self._cells(row)))
            except ValueError as error:
                raise ValueError(
                    f"{self.path} is damaged: line {number} is {row.strip()[:80]!r}. Correct the "
                    "line, or remove the file to start a new table"
                ) from error
        return values

    def append(self, rows: Sequence[str]) -> None:
        """Writes rows, each with its end of line."""
        with (
            files.add_path_to_errors(self.path),
            self.path.open("a", encoding="utf-8", newline="") as file,
        ):
            file.write("".join(rows))

    def _cells(self, row: str) -> list[str]:
        cells = row.strip().split(",")
        if len(cells) != len(self._header.split(",")) or not cells[0].isdigit():
            raise ValueError("expected a step, and a cell for each column")
        return cells


def _is_before(cells: Sequence[str], first_step: int, rollbacks: int | None) -> bool:
    if rollbacks is not None and int(cells[1]) != rollbacks:
        return int(cells[1]) < rollbacks
    return int(cells[0]) < first_step
