"""A file of rows of bytes, shared by processes that may be killed at any time.

The file holds the CRC-32 of each row, then, from a multiple of 4096, the rows. It is sparse: a row
that has not been written takes no space and reads as zeros, as does its checksum. The process that
decodes a row first writes it, and then its checksum: a row whose writing was interrupted fails its
checksum and is written again. Two processes that write the same row write the same bytes.

The rows are mapped into memory as a tensor. Once this process has written rows, or compared their
checksums, TensorFlow gathers them into batches without a call of Python. Rows are written by
offset, since on a full disk a write to mapped memory ends the process. A file in use may be
deleted, but not cut short in place: the system ends a process that reads mapped memory beyond the
end of its file (SIGBUS). `read` looks at the size first; `gather` cannot.
"""

import contextlib
import fcntl
import math
import mmap
import os
import warnings
import weakref
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans.copies import Copyable

SUFFIX = ".rows"
_PAGE = 4096
_CHECKSUM = np.dtype("<u4")


class RowCache(Copyable):
    """Rows of equal shape by their numbers, in a file that other processes may have open too.

    Args:
        path: The file. Its name must be `KEY-STATE.rows`, and identify the rows and their shape:
            files of the same key and another state are out of date, and removed unless in use.
        shape: `(num_rows, *row_shape)` of the uint8 rows.

    Raises:
        OSError: If the file cannot be opened or locked.
    """

    _transient = ("_file", "_rows", "_checksums", "_is_known", "_rows_tensor", "_is_known_tensor")

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self._shape, self._is_full = path, shape, False
        self._open()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy has the file open for itself: it may outlive the object that it was copied from.
        vars(self).update(state)
        self._open()

    def _open(self) -> None:
        num_rows = self._shape[0]
        # -(-a // b) is a / b, rounded up.
        self._start = -(-num_rows * _CHECKSUM.itemsize // _PAGE) * _PAGE
        self._row_size = math.prod(self._shape[1:])
        self._size = self._start + num_rows * self._row_size
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for other in self.path.parent.glob(f"{self.path.stem.split('-')[0]}-*"):
            if other != self.path:
                _remove_unless_used(other)
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size not in (0, self._size):  # Cut short, or another file.
                self.path.unlink()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        weakref.finalize(self, os.close, self._file)
        fcntl.flock(self._file, fcntl.LOCK_SH)  # In use, as long as it is open.
        os.ftruncate(self._file, self._size)
        # Writable, since DLPack takes no read-only arrays, and shared, since the system reserves
        # memory for private mappings. Nothing is written to it.
        content = mmap.mmap(self._file, self._size)
        self._checksums = np.frombuffer(content, _CHECKSUM, num_rows)
        self._rows = np.frombuffer(content, np.uint8, offset=self._start).reshape(self._shape)
        # The rows that this object has written or whose checksums it has compared: no process
        # writes other bytes there. In a mapping, since a tensor needs aligned memory.
        self._is_known = np.frombuffer(mmap.mmap(-1, num_rows), np.bool_)
        self._rows_tensor, self._is_known_tensor = map(_as_tensor, (self._rows, self._is_known))

    def read(self, indices: np.ndarray, rows: np.ndarray) -> list[int]:
        """Fills `rows` with those of the file, and returns the places of absent ones.

        Args:
            indices: Integers `[k]`.
            rows: uint8 `[k, *row_shape]`.
        """
        if os.fstat(self._file).st_size != self._size:  # Cut short: it must not be read.
            self._is_known[:] = False
            return [*range(len(indices))]
        for index in indices[~self._is_known[indices]].tolist():
            checksum = self._checksums[index]
            # 0 is that of a row that has not been written.
            self._is_known[index] = checksum != 0 and checksum == _checksum(self._rows[index])
        is_known = self._is_known[indices]
        rows[is_known] = self._rows[indices[is_known]]
        return np.flatnonzero(~is_known).tolist()

    def holds(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns whether `gather` may be called for rows of any shape, a scalar bool."""
        return tf.reduce_all(tf.gather(self._is_known_tensor, indices))

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns rows: uint8 `[*indices.shape, *row_shape]`."""
        return tf.gather(self._rows_tensor, indices)

    def write(self, indices: np.ndarray, rows: np.ndarray) -> None:
        """Keeps rows, unless the disk is full: then it warns, once, and keeps no more.

        Args:
            indices: Integers `[k]`.
            rows: uint8 `[k, *row_shape]`.
        """
        if self._is_full:
            return
        try:
            for index, row in zip(indices.tolist(), rows, strict=True):
                self._is_known[index] = self._write_row(index, np.ascontiguousarray(row))
        except OSError as error:
            self._is_full = True
            warnings.warn(
                f"{self.path} cannot grow ({error}): images that it lacks are decoded each time",
                stacklevel=2,
            )

    def _write_row(self, index: int, row: np.ndarray) -> bool:
        """Writes a row and its checksum; a disk that is nearly full may take only a part."""
        if os.pwrite(self._file, row.data, self._start + index * self._row_size) < row.nbytes:
            return False
        checksum = np.array(_checksum(row), _CHECKSUM).tobytes()
        return os.pwrite(self._file, checksum, index * len(checksum)) == len(checksum)


def _checksum(row: np.ndarray) -> int:
    return zlib.crc32(row.data) or 1


def _as_tensor(array: np.ndarray) -> tf.Tensor:
    """Returns a tensor of the same memory."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _remove_unless_used(path: Path) -> None:
    # Open for writing: NFS locks nothing else.
    with contextlib.suppress(OSError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
