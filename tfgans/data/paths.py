"""Lists the image files below a folder by their names, without opening them."""

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})

_ENCODING = ("utf-8", "surrogatepass")  # Names that are no UTF-8 come back as they were.


class PathList(Sequence[str]):
    """Paths in sorted order, held as bytes in a row: a million take about 40 MB.

    Args:
        paths: Paths relative to one folder, with forward slashes so that all systems sort alike.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        held, ends = bytearray(), array("q", [0])
        for path in sorted(paths):
            held += path.encode(*_ENCODING)
            ends.append(len(held))
        self._held, self._ends = bytes(held), ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._held[self._ends[place] : self._ends[place + 1]].decode(*_ENCODING)

    def digest(self) -> str:
        """Returns a SHA-256 of the paths."""
        return hashlib.sha256(self._held + self._ends.tobytes()).hexdigest()


def split_root(root: Path, split: str) -> Path:
    """Returns the folder of a split: `root` itself, unless it holds `train` and `test`."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ValueError(f"A folder of images must be a folder. Received: {root}, which is {found}")
    if not ((root / "train").is_dir() and (root / "test").is_dir()):
        if split != "train":
            raise ValueError(
                f"`split` must be 'train', for {root} does not contain the folders `train` and "
                f"`test`. Received: {split!r}. Move the images into such folders"
            )
        return root
    splits = sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and not _hidden(entry.name)
    )
    if split not in splits:
        raise ValueError(f"`split` must be one of the folders {splits}. Received: {split!r}")
    return root / split


def image_files(
    root: Path, *, visit: Callable[[str], None], within: Path | None = None
) -> PathList:
    """Returns the paths of the images below a folder; calls `visit` with each folder.

    Args:
        root: The folder.
        visit: Function of a folder's path.
        within: Folder that links must not lead out of. Defaults to None: they may lead anywhere.

    Raises:
        ValueError: When there is none, a folder cannot be read, or a link leads out of `within`.
    """
    files = PathList(_walk(root, visit, None if within is None else os.path.realpath(within)))
    if not files:
        raise ValueError(
            f"A folder of images must contain files that end in {', '.join(sorted(EXTENSIONS))}. "
            f"Received: {root}, which has none"
        )
    return files


def _walk(root: Path, visit: Callable[[str], None], within: str | None) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise ValueError(f"Every subfolder must be readable. Received: {error}") from error

    visited = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        # A link to a folder above would never end.
        if (real := os.path.realpath(folder)) in visited:
            subfolders.clear()
            continue
        visited.add(real)
        if within is not None:
            _refuse_outside(folder, within)
            for link in _links(folder):
                _refuse_outside(link, within)
        visit(folder)
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
        inner = Path(folder).relative_to(root).as_posix()
        parent = "" if inner == "." else f"{inner}/"
        for name in names:
            if not _hidden(name) and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield parent + name


def _links(folder: str) -> list[str]:
    """Returns the links to images in a folder; what a link to a folder holds is walked over."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.is_symlink() and os.path.splitext(entry.name)[1].lower() in EXTENSIONS
        )


def _refuse_outside(path: str, within: str) -> None:
    real = os.path.realpath(path)
    if os.path.commonpath((real, within)) != within:
        raise ValueError(
            f"The images must lie in the folder that was named. Received: {path}, which leads to "
            f"{real}. If you made the link, use `follow_links=True` (`--follow_links`)"
        )


def _hidden(name: str) -> bool:
    return name.startswith(".")


def classes(files: Iterable[str]) -> tuple[np.ndarray | None, list[str] | None]:
    """Returns the number of the first-level folder of each file, and the folders' names, sorted.

    None, None when a file lies in no subfolder.
    """
    seen: dict[str, int] = {}
    numbers = array("q")
    for file in files:
        folder, slash, _ = file.partition("/")
        if not slash:
            return None, None
        numbers.append(seen.setdefault(folder, len(seen)))
    names = sorted(seen)
    rank = np.empty(len(names), np.int64)
    rank[[seen[name] for name in names]] = np.arange(len(names))
    return rank[np.asarray(numbers)], names
