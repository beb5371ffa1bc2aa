"""A file of rows of bytes, shared by processes that may be killed at any time.

The file is a head of 4096 bytes that says what it holds, then a record for each row: the CRC-32 of
the row, and the row. It is sparse: a row that has not been written takes no space and reads as
zeros. It is written by offset: on a full disk a write to mapped memory ends the process. A row is
written by the process that decodes it first, or twice; a record that is torn in between fails its
checksum, and its row is made again. Rows whose checksums have matched are read from mapped memory,
a batch in a single copy, as from an array.
"""

import contextlib
import fcntl
import json
import mmap
import os
import warnings
import weakref
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import files
from tfgans.copies import Copyable

SUFFIX = ".rows"
_HEAD = 4096
_CHECKSUM = 4


def file_size(num_rows: int, row_size: int) -> int:
    """Returns the bytes of a file whose rows have all been written."""
    return _HEAD + num_rows * (_CHECKSUM + row_size)


class RowCache(Copyable):
    """Rows of equal size by their numbers, in a file that other processes may have open too.

    Args:
        path: The file. Its name must be `KEY-STATE.rows`, and identify the rows: where the
            same key has another state, that file is out of date, and removed unless in use.
        num_rows: Positive integer.
        row_size: Positive integer, bytes.

    Raises:
        OSError: When the file cannot be written.
    """

    _left_out = ("_file", "_rows")

    def __init__(self, path: Path, *, num_rows: int, row_size: int) -> None:
        self.path, self._num_rows, self._row_size = path, num_rows, row_size
        self._is_full = False
        # The rows that have matched their checksums: they are not written with other bytes.
        self._checked = np.zeros(num_rows, bool)
        self._open()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy has the file open for itself: it may outlive the object that it was copied from.
        vars(self).update(state)
        self._open()

    def _open(self) -> None:
        path, num_rows, row_size = self.path, self._num_rows, self._row_size
        description = {"rows of": path.stem, "num_rows": num_rows, "row_size": row_size}
        head = json.dumps(description).encode().ljust(_HEAD)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(path.parent):
            _make(path, head, file_size(num_rows, row_size))
            self._file = os.open(path, os.O_RDWR)
            fcntl.flock(self._file, fcntl.LOCK_SH)  # In use, as long as it is open.
        weakref.finalize(self, os.close, self._file)
        record = np.dtype([("checksum", "<u4"), ("row", np.uint8, row_size)])
        content = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
        self._rows = np.ndarray(num_rows, record, content, offset=_HEAD)["row"]

    def read(self, indices: np.ndarray, rows: np.ndarray) -> list[int]:
        """Fills `rows` with those of the file, and returns the places that it cannot fill.

        The first read of a row compares its checksum, the later ones of this object do not.

        Args:
            indices: Integers `[k]`.
            rows: uint8 `[k, ...]`, contiguous, with `row_size` bytes a row.
        """
        flat = rows.reshape(len(indices), self._row_size)
        is_there = self._checked[indices]
        # Mapped memory beyond the end of a file that was cut short ends the process.
        if os.fstat(self._file).st_size == file_size(self._num_rows, self._row_size):
            flat[is_there] = self._rows[indices[is_there]]
        else:
            is_there[:] = False
        for place in np.flatnonzero(~is_there).tolist():
            is_there[place] = self._read_checked(int(indices[place]), flat[place].data)
        self._checked[indices] = is_there
        return np.flatnonzero(~is_there).tolist()

    def _read_checked(self, index: int, row: memoryview) -> bool:
        checksum = bytearray(_CHECKSUM)
        count = os.preadv(self._file, [checksum, row], self._offset(index))
        is_whole = count == _CHECKSUM + self._row_size and any(checksum)
        return is_whole and bytes(checksum) == _checksum(row)

    def write(self, index: int, row: np.ndarray) -> None:
        """Keeps a row, unless the disk is full: then it warns, once, and keeps no more."""
        if self._is_full:
            return
        try:
            os.pwrite(self._file, _checksum(row.data) + row.tobytes(), self._offset(index))
        except OSError as error:
            self._is_full = True
            warnings.warn(
                f"{self.path} cannot grow ({error}): images that it lacks are decoded each time",
                stacklevel=2,
            )

    def _offset(self, index: int) -> int:
        return _HEAD + index * (_CHECKSUM + self._row_size)


def _checksum(row: memoryview) -> bytes:
    # 0 is that of a row that has not been written.
    return (zlib.crc32(row) or 1).to_bytes(_CHECKSUM, "little")


def _make(path: Path, head: bytes, size: int) -> None:
    """Makes the file, unless it is there and what it should be."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(_HEAD) == head and os.fstat(file.fileno()).st_size == size:
            return
    files.remove_temporaries(path.parent)
    for other in path.parent.glob(f"{path.stem.split('-')[0]}-*{SUFFIX}"):
        if other != path and not _is_used(other):
            other.unlink()
    with files.atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(head)
        file.truncate(size)


def _is_used(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
