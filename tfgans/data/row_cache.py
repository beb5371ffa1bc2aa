"""A file of rows of bytes, shared by processes that may be killed at any time.

The file is a head of 4096 bytes that says what it holds, then the CRC-32 of each row, then, from a
multiple of 4096, the rows. It is sparse: a row that has not been written takes no space and reads
as zeros. It is written by offset, since on a full disk a write to mapped memory ends the process. A
row is written by the process that decodes it first, or by two that decode it at the same time, and
its checksum follows. A row whose writing was interrupted fails its checksum, and is made again.

The rows are mapped into memory as a tensor, and TensorFlow gathers batches from it without a call
of Python and without a copy of the file, once this process has written them or compared their
checksums. A file in use may be deleted, but not cut short in place: a process that reads mapped
memory beyond the end of its file is ended by the system (SIGBUS). `read` looks at the size first;
`gather` cannot.
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
import tensorflow as tf

from tfgans import files
from tfgans.copies import Copyable

SUFFIX = ".rows"
_LAYOUT = 2  # Counts up when the file is laid out in another way.
_PAGE = 4096
_CHECKSUM = 4


def file_size(num_rows: int, row_size: int) -> int:
    """Returns the bytes of a file whose rows have all been written."""
    return _start(num_rows) + num_rows * row_size


class RowCache(Copyable):
    """Rows of equal size by their numbers, in a file that other processes may have open too.

    Args:
        path: The file. Its name must be `KEY-STATE.rows`, and identify the rows: where the
            same key has another state, that file is out of date, and removed unless in use.
        num_rows: Int of at least 1.
        row_size: Int of at least 1, bytes.

    Raises:
        OSError: If the file cannot be written.
    """

    _transient = ("_file", "_rows", "_checksums", "_known", "_rows_tensor", "_known_tensor")

    def __init__(self, path: Path, *, num_rows: int, row_size: int) -> None:
        self.path, self._num_rows, self._row_size = path, num_rows, row_size
        self._is_full = False
        self._open()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy has the file open for itself: it may outlive the object that it was copied from.
        vars(self).update(state)
        self._open()

    def _open(self) -> None:
        path, num_rows, row_size = self.path, self._num_rows, self._row_size
        description = {
            "rows of": path.stem,
            "num_rows": num_rows,
            "row_size": row_size,
            "layout": _LAYOUT,
        }
        head = json.dumps(description).encode().ljust(_PAGE)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(path.parent):
            _make(path, head, file_size(num_rows, row_size))
            self._file = os.open(path, os.O_RDWR)
            fcntl.flock(self._file, fcntl.LOCK_SH)  # In use, as long as it is open.
        weakref.finalize(self, os.close, self._file)
        # Writable, since DLPack does not take read-only arrays; shared, since the system reserves
        # memory for private mappings. Nothing is written to it.
        content = mmap.mmap(self._file, 0)
        self._checksums = np.frombuffer(content, "<u4", num_rows, _PAGE)
        start, shape = _start(num_rows), (num_rows, row_size)
        self._rows = np.frombuffer(content, np.uint8, num_rows * row_size, start).reshape(shape)
        # The rows that this object has written or whose checksums it has compared: they are not
        # written with other bytes. In memory that is aligned, as tensors must be.
        self._known = np.frombuffer(mmap.mmap(-1, num_rows), np.bool_)
        # Tensors of the same memory.
        self._rows_tensor, self._known_tensor = map(_as_tensor, (self._rows, self._known))

    def read(self, indices: np.ndarray, rows: np.ndarray) -> list[int]:
        """Fills `rows` with those of the file, and returns the places that it cannot fill.

        The first read of a row that another object has written compares its checksum.

        Args:
            indices: Integers `[k]`.
            rows: uint8 `[k, ...]`, contiguous, with `row_size` bytes a row.
        """
        # Mapped memory beyond the end of a file that was cut short ends the process.
        if os.fstat(self._file).st_size != file_size(self._num_rows, self._row_size):
            self._known[:] = False
            return [*range(len(indices))]
        for index in indices[~self._known[indices]].tolist():
            # 0 is that of a row that has not been written.
            checksum = int(self._checksums[index])
            self._known[index] = checksum != 0 and checksum == _checksum(self._rows[index])
        is_known = self._known[indices]
        flat = rows.reshape(len(indices), self._row_size)
        flat[is_known] = self._rows[indices[is_known]]
        return np.flatnonzero(~is_known).tolist()

    def holds(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns whether `gather` may be called for rows `[k]`, a scalar bool."""
        return tf.reduce_all(tf.gather(self._known_tensor, indices))

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns rows `[k]`: uint8 `[k, row_size]`."""
        return tf.gather(self._rows_tensor, indices)

    def write(self, index: int, row: np.ndarray) -> None:
        """Keeps a row, unless the disk is full: then it warns, once, and keeps no more.

        Args:
            index: Int.
            row: uint8, contiguous, of `row_size` bytes.
        """
        if self._is_full:
            return
        parts = (
            (row.tobytes(), _start(self._num_rows) + index * self._row_size),
            (_checksum(row).to_bytes(_CHECKSUM, "little"), _PAGE + index * _CHECKSUM),
        )
        try:
            # A disk that is nearly full takes a part.
            self._known[index] = all(
                os.pwrite(self._file, part, offset) == len(part) for part, offset in parts
            )
        except OSError as error:
            self._is_full = True
            warnings.warn(
                f"{self.path} cannot grow ({error}): images that it lacks are decoded each time",
                stacklevel=2,
            )


def _start(num_rows: int) -> int:
    """Returns the offset of the rows."""
    return _PAGE + -(-num_rows * _CHECKSUM // _PAGE) * _PAGE


def _checksum(row: np.ndarray) -> int:
    return zlib.crc32(row.data) or 1


def _as_tensor(array: np.ndarray) -> tf.Tensor:
    """Returns a tensor of the same memory."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _make(path: Path, head: bytes, size: int) -> None:
    """Makes the file, unless it is there and what it should be."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(_PAGE) == head and os.fstat(file.fileno()).st_size == size:
            return
    files.remove_temporaries(path.parent)
    for other in path.parent.glob(f"{path.stem.split('-')[0]}-*{SUFFIX}"):
        if other != path and not _is_used(other):
            other.unlink()
    with files.atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(head)
        file.truncate(size)


def _is_used(path: Path) -> bool:
    try:
        # NFS locks only what is open for writing.
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
