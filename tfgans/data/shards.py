"""Files that hold the examples of a data set one after the other."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfgans.data import paths

_NUM_LISTED = 5


class Names(Sequence[str]):
    """Names of the records or samples in files, for errors, made when they are needed.

    Args:
        kind: What they are, say "record".
        files: The files.
        file_numbers: Integers `[num]`, the number of the file of each, ascending.
    """

    def __init__(self, kind: str, files: Sequence[Path], file_numbers: np.ndarray) -> None:
        self._kind, self._files, self._file_numbers = kind, files, file_numbers

    def __len__(self) -> int:
        return len(self._file_numbers)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        number = self._file_numbers[index]
        first = int(np.searchsorted(self._file_numbers, number))
        return f"{self._kind} {int(index) - first} of {self._files[number]}"


def find(kind: str, pattern: str, split: str) -> list[Path]:
    """Returns the files of a split that a glob matches, sorted.

    If a file's name contains its split, as in `mnist-train-00000.tar`, the names of all files must,
    and the files of other splits are left out.

    Args:
        kind: The source, "tfrecord" or "webdataset", for errors.
        pattern: The glob.
        split: `"train"`, `"test"`, ...

    Raises:
        SplitNotFoundError: If no file is of the split.
        ValueError: If the glob matches nothing, or a file is compressed as a whole.
    """
    place = os.path.expanduser(pattern)
    # The name of a file may have brackets.
    matches = [place] if os.path.isfile(place) else glob.glob(place)
    names = sorted(filter(os.path.isfile, matches))
    if not names:
        raise ValueError(
            f"`{kind}:GLOB` must match a file. Received: {pattern}, which matches none"
        )
    splits = {name: paths.split_in_name(os.path.basename(name)) for name in names}
    if any(splits.values()):
        others = [name for name in names if splits[name] is None]
        if others:
            raise ValueError(
                "The names of all files must say their split (train, validation, test), "
                f"or none. Received: {pattern}, which matches {', '.join(others[:_NUM_LISTED])} "
                f"beside {next(name for name in names if splits[name])}. Narrow the pattern, or "
                "rename the files"
            )
        names = [name for name in names if splits[name] == paths.split_of(split)]
    elif split != "train":
        names = []
    if not names:
        raise paths.SplitNotFoundError(
            f"`split` must be that of a file. Received: {split!r} with "
            f"{', '.join([*splits][:_NUM_LISTED])}"
        )
    for name in names:
        with open(name, "rb") as file:
            if file.read(2) == b"\x1f\x8b":
                raise ValueError(
                    "Files that are compressed as a whole cannot be read by position. Received: "
                    f"{name}. Decompress it with `gunzip`"
                )
    return [Path(name) for name in names]
