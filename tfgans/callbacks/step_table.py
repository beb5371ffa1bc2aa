"""A CSV file whose rows begin with a training step, which a resumed run goes on with."""

import os

from tfgans import files


class StepTable:
    """Rows appended at once, so that a kill loses none; rows after the present step are redone.

    Args:
        path: The CSV file; its folder is made if missing.
        header: String, the first line, without its end: "step,..."
        writer: String, what writes it, for the error.
    """

    def __init__(self, path: str | os.PathLike[str], header: str, *, writer: str) -> None:
        self.path = files.path(path)
        self._header = f"{header}\n"
        self._writer = writer

    def begin(self, first_step: int, *, rollbacks: int | None = None) -> list[list[str]]:
        """Keeps the header and the whole rows before `first_step`, and returns their cells.

        Args:
            first_step: Int.
            rollbacks: Int, of a table whose second column counts rollbacks: rows of fewer are kept
                whatever their step. Default: None, there is no such column.

        Raises:
            ValueError: If the file is another table.
        """
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        header, *rows = text.splitlines(keepends=True) or [""]
        # A kill may have cut the header too.
        if not self._header.startswith(header):
            raise ValueError(
                f"{self.path} must be a table of `{self._writer}`, with the header "
                f"{self._header.strip()!r}. Received: {header.strip()[:80]!r}. Choose another file"
            )
        whole = [row for row in rows if self._is_whole(row)]
        kept = [row for row in whole if _is_before(row.split(","), first_step, rollbacks)]
        files.write_text(self.path, "".join([self._header, *kept]))
        return [row.strip().split(",") for row in kept]

    def append(self, rows: list[str]) -> None:
        """Writes rows, each with its end of line."""
        with (
            files.names_errors(self.path),
            self.path.open("a", encoding="utf-8", newline="") as file,
        ):
            file.write("".join(rows))

    def _is_whole(self, row: str) -> bool:
        return (
            row.endswith("\n")
            and row.count(",") == self._header.count(",")
            and row.split(",")[0].isdigit()
        )


def _is_before(cells: list[str], first_step: int, rollbacks: int | None) -> bool:
    if rollbacks is not None and int(cells[1]) != rollbacks:
        return int(cells[1]) < rollbacks
    return int(cells[0]) < first_step
