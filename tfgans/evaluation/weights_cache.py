"""Weights of trained extractors, kept in the cache folder."""

import contextlib
import os
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfgans import files
from tfgans.data.tfds_images import data_directory

# The errors of a file that is missing or damaged.
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def cached(
    name: str,
    shapes: Sequence[tuple[int, ...]],
    make: Callable[[], Sequence[np.ndarray]],
    *,
    data_dir: str | os.PathLike[str] | None,
) -> list[np.ndarray]:
    """Returns arrays from the cache folder; makes and keeps them if they are not there.

    Of several processes that need the same arrays, the first makes them and the others wait; other
    arrays do not wait for these.

    Args:
        name: The name of the file, without its suffix. It must change with all that decides the
            arrays.
        shapes: The shapes of the arrays.
        make: Returns the arrays.
        data_dir: The folder of the cache. Default of None: that of `tfgans.data.load`.
    """
    path = cache_path(name, data_dir)
    # The file is written as a whole, so reading needs no lock, and the folder may be read-only.
    with contextlib.suppress(*_DAMAGED):
        return _load(path, shapes)
    lock = path.with_suffix(".lock")
    lock.mkdir(parents=True, exist_ok=True)
    with files.locked(lock):
        arrays = read(path, shapes)
        if arrays is None:
            arrays = list(make())
            with files.atomic_write(path) as temporary:
                np.savez(temporary, *arrays, allow_pickle=False)
    return arrays


def cache_path(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    """Returns the file of the arrays of a name."""
    return data_directory(data_dir) / "extractors" / f"{name}.npz"


def read(path: Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray] | None:
    """Returns cached arrays; None if there are none, with a warning if they are damaged."""
    if not path.exists():
        return None
    try:
        return _load(path, shapes)
    except _DAMAGED as error:
        warnings.warn(
            f"The cached classifier {path} is damaged ({error}); it is trained again", stacklevel=4
        )
        return None


def _load(path: Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    # Opened here: NumPy leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = [stored[f"arr_{index}"] for index in range(len(shapes))]
    if [array.shape for array in arrays] != list(shapes):
        raise ValueError("the layers have other shapes")
    return arrays
