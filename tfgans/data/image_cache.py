"""A file of decoded images, an SQLite database that several processes may read and write."""

import sqlite3
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfgans.copies import Copyable
from tfgans.data.python_calls import ReadError

SUFFIX = ".sqlite"
_TIMEOUT = 60.0  # Seconds to wait for another process.


class ImageCache(Copyable):
    """Images by number. A process that is killed leaves each image whole, or absent.

    Args:
        path: The file. Its name must be `KEY-STATE.sqlite`: files of the same key and another state
            are out of date, and removed.

    Raises:
        OSError: If the file cannot be written.
    """

    _transient = ("_connection", "_lock")

    def __init__(self, path: Path) -> None:
        self.path, self._is_full = path, False
        self._open()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for other in self.path.parent.glob(f"{self.path.stem.split('-')[0]}-*"):
            if not other.name.startswith(self.path.name):
                other.unlink(missing_ok=True)
        # Threads share the connection, in turn.
        self._lock = threading.Lock()
        try:
            self._connection = self._connect()
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.path} cannot be opened ({error})") from error
        except sqlite3.DatabaseError:  # Damaged, or another file.
            self.path.unlink()
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_TIMEOUT, check_same_thread=False)
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS images (number INTEGER PRIMARY KEY, pixels BLOB)"
            )
        return connection

    def read(self, numbers: np.ndarray, images: np.ndarray) -> list[int]:
        """Fills `images` `[k, ...]` with those of `numbers`, and returns the places of absent ones.

        Args:
            numbers: Integers `[k]`.
            images: uint8 `[k, ...]`.

        Raises:
            ReadError: If the file is damaged.
        """
        absent = []
        query = "SELECT pixels FROM images WHERE number = ?"
        try:
            with self._lock:
                rows = [
                    self._connection.execute(query, (number,)).fetchone()
                    for number in numbers.tolist()
                ]
        except sqlite3.DatabaseError as error:
            raise ReadError(f"{self.path} cannot be read ({error}). Delete it") from error
        for place, row in enumerate(rows):
            if row is None:
                absent.append(place)
            else:
                images[place] = np.frombuffer(row[0], np.uint8).reshape(images.shape[1:])
        return absent

    def write(self, images: Iterable[tuple[int, np.ndarray]]) -> None:
        """Keeps images by number, unless the disk is full: then it warns once and keeps no more."""
        if self._is_full:
            return
        rows = [(int(number), image.tobytes()) for number, image in images]
        try:
            with self._lock, self._connection as connection:
                connection.executemany("INSERT OR IGNORE INTO images VALUES (?, ?)", rows)
        except sqlite3.DatabaseError as error:
            self._is_full = True
            warnings.warn(
                f"{self.path} cannot grow ({error}): images that it lacks are decoded each time",
                stacklevel=2,
            )
