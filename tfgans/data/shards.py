"""Files that hold the images of a data set one after the other, read by position."""

import glob
import io
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from tfgans.data import paths
from tfgans.data.image_store import ImageStore

_NUM_LISTED = 5


class Span(NamedTuple):
    """Where an encoded image lies: the number of its file, and its offset and size in bytes."""

    file: int
    offset: int
    size: int


class ShardStore(ImageStore):
    """Encoded images at known positions of files.

    Args:
        pattern: Glob of the files, for errors.
        kind: What an image is counted as in errors, say "record".
        files: The files.
        spans: Where the images lie, file by file.
        labels: The labels of all images, or an empty list.
        skipped_files: See `ImageStore`.
    """

    def __init__(
        self,
        pattern: str,
        kind: str,
        files: Sequence[Path],
        spans: Sequence[Span],
        *,
        labels: Sequence[int],
        skipped_files: Mapping[str, int] | None = None,
    ) -> None:
        self._kind, self._files, self._spans = kind, files, np.asarray(spans)
        super().__init__(
            pattern,
            len(spans),
            labels=np.asarray(labels, np.int64) if labels else None,
            skipped_files=skipped_files,
        )

    def title(self, index: int) -> str:
        """Returns, say, `record 3 of a.tfrecord`."""
        number = self._spans[index, 0]
        first = int(np.searchsorted(self._spans[:, 0], number))
        return f"{self._kind} {int(index) - first} of {self._files[number]}"

    def open(self, index: int) -> BinaryIO:
        """Returns the content of an image, in memory."""
        number, offset, size = self._spans[index].tolist()
        with self._files[number].open("rb") as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def state(self) -> Hashable:
        """Returns the positions of the images, and the names, sizes and times of the files."""
        stats = [(str(file), file.stat()) for file in self._files]
        files = tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)
        return self._spans.tobytes(), files


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
