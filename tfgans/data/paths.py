"""Names of image files, and the splits and classes that their folders stand for."""

import hashlib
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from tfgans.data import dataset_json

# Of the formats in `decoding`, in lower case.
EXTENSIONS = frozenset(
    {
        *(".apng", ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg"),
        *(".png", ".tif", ".tiff", ".webp"),
    }
)
# Images of formats that are not decoded.
OTHER_IMAGES = frozenset(
    {
        *(".cr2", ".dng", ".eps", ".exr", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".nef"),
        *(".pbm", ".pgm", ".ppm", ".psd", ".svg", ".svgz", ".tga"),
    }
)
# Written by desktops and cameras beside the images.
_SKIPPED = frozenset({"__macosx", "@eadir", "thumbnails", "thumbs.db", "ehthumbs.db"})
# Names of folders, files and keys that hold a split, in lower case.
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
}
_FOLDERS = frozenset(SPLIT_WORDS) - {"t10k"}
_ENCODING = ("utf-8", "surrogatepass")  # Names that are no UTF-8 come back as they were.
_NUM_LISTED = 5


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


class Listing(NamedTuple):
    """The image files of a folder.

    Attributes:
        root: The folder, or its subfolder of the split.
        files: Paths of the images, relative to `root`.
        folders: Paths of the folders that hold images, each link to a folder as often as it is met.
        skipped_files: Number of files that are not images, by lowercase file extension.
        empty: First-level folders of `root` without an image, sorted.
        train_classes: See `train_classes`; empty for the split `train` itself.
    """

    root: Path
    files: PathList
    folders: list[str]
    skipped_files: Counter[str]
    empty: list[str]
    train_classes: list[str]


def is_skipped(name: str) -> bool:
    """Returns whether a file or folder is hidden, or written by the system beside the images."""
    return name.startswith(".") or name.lower() in _SKIPPED


def ending(name: str) -> str:
    """Returns the ending of a file's name, in lower case, or the empty string."""
    return os.path.splitext(name)[1].lower()


def split_of(name: str) -> str | None:
    """Returns `"train"`, `"validation"` or `"test"` for a word such as `"val"`, else None."""
    return SPLIT_WORDS.get(name.lower())


def split_in_name(name: str) -> str | None:
    """Returns the split that a word of a file's name says, such as that of `t10k-images`."""
    splits = [split_of(word) for word in re.split("[^a-zA-Z0-9]+", name)]
    return next((split for split in splits if split is not None), None)


def is_split_folder(name: str) -> bool:
    """Returns whether a folder of this name holds a split of images."""
    return name.lower() in _FOLDERS


class SplitNotFoundError(ValueError):
    """The data do not have the split that is wanted."""


def split_folder(place: str, files: Iterable[str], split: str) -> str | None:
    """Returns the first-level folder that holds a split, or None if the folders are no splits.

    The folders `train`, `training`, `val`, `valid`, `validation`, `test` and `testing`, in any
    case, are splits, unless there is only one of them, and it holds images directly, beside other
    folders: then all are classes.

    Args:
        place: The folder or archive, for errors.
        files: Paths of its images.
        split: The split that is wanted.

    Raises:
        SplitNotFoundError: If there is no such split.
        ValueError: If folders are a mixture of splits and classes.
    """
    is_deep: dict[str, bool] = {}
    for file in files:
        folder, slash, rest = file.partition("/")
        head = folder if slash else ""
        is_deep[head] = is_deep.get(head, False) or "/" in rest
    splits = sorted(filter(is_split_folder, is_deep))
    others = sorted(folder or "images in no folder" for folder in is_deep if folder not in splits)
    if len(splits) == 1 and others and "" not in is_deep and not is_deep[splits[0]]:
        splits = []
    if splits and others:
        raise ValueError(
            "The folders of images must be splits (train, validation, test) or classes. Received: "
            f"{place} with the splits {', '.join(splits)} beside "
            f"{', '.join(others[:_NUM_LISTED])}. Move the images of the splits into another folder"
        )
    if not splits:
        if split != "train":
            raise SplitNotFoundError(
                f"`split` must be 'train', since {place} contains no folders such as `train` and "
                f"`test`. Received: {split!r}. Move the images into such folders"
            )
        return None
    same = [folder for folder in splits if folder == split]
    if not same and split_of(split) is not None:
        same = [folder for folder in splits if split_of(folder) == split_of(split)]
    if len(same) != 1:
        raise SplitNotFoundError(
            f"`split` must be one of the folders {splits}. Received: {split!r}"
        )
    return same[0]


def list_images(root: Path, split: str = "train", *, within: Path | None = None) -> Listing:
    """Returns the images of a split below a folder.

    Args:
        root: The folder.
        split: See `split_folder`.
        within: Folder that links must not lead out of. Default: None, they may lead anywhere.

    Raises:
        ValueError: If there is no folder, split or image, a folder cannot be read, or a link
            leads out of `within`.
    """
    if not root.is_dir():
        fault = "is a file" if root.exists() else "does not exist"
        raise ValueError(f"A folder of images must be a folder. Received: {root}, which {fault}")
    folders: dict[str, bool] = {}
    others: list[str] = []
    real = None if within is None else os.path.realpath(within)
    files = PathList(_walk(root, folders.__setitem__, others.append, real))
    if not files:
        skipped_files = Counter(map(ending, others))
        other = f", but {counted(skipped_files)}" if skipped_files else ""
        raise ValueError(
            f"A folder of images must contain files that end in {', '.join(sorted(EXTENSIONS))}. "
            f"Received: {root}, which has none{other}"
        )
    folder = split_folder(str(root), files, split)
    known = train_classes(str(root), files, folder)
    if folder is not None:
        root, prefix = root / folder, f"{folder}/"
        files = PathList(file.removeprefix(prefix) for file in files if file.startswith(prefix))
        others = [file for file in others if file.startswith(prefix)]
    first_level = {os.path.basename(path) for path in folders if os.path.dirname(path) == str(root)}
    empty = sorted(first_level - {file.partition("/")[0] for file in files})
    held = [path for path, has_images in folders.items() if has_images]
    return Listing(root, files, held, Counter(map(ending, others)), empty, known)


def train_classes(place: str, files: Sequence[str], folder: str | None) -> list[str]:
    """Returns the classes of the split `train`, by which the other splits number theirs, sorted.

    Args:
        place: The folder or archive, for errors.
        files: Paths of its images.
        folder: The result of `split_folder`.

    Returns:
        Names of folders; none if `folder` is that of the split `train` or no split, if there is no
        split `train`, or if one of its images lies in no subfolder.
    """
    if folder is None or split_of(folder) == "train":
        return []
    try:
        train = split_folder(place, files, "train")
    except SplitNotFoundError:
        return []
    inner = (file.split("/", 2)[1:] for file in files if file.startswith(f"{train}/"))
    names = {path[0] if len(path) > 1 else "" for path in inner}
    return [] if "" in names else sorted(names)


def counted(skipped_files: Mapping[str, int]) -> str:
    """Returns one line such as `3 .svg, 1 .txt` of files counted by ending."""
    return ", ".join(
        f"{number} {name or 'without ending'}" for name, number in sorted(skipped_files.items())
    )


def _walk(
    root: Path,
    visit: Callable[[str, bool], None],
    leave_out: Callable[[str], None],
    within: str | None,
) -> Iterator[str]:
    """Yields the paths of the images below a folder.

    Args:
        root: The folder.
        visit: Function (path of a folder, whether it holds images).
        leave_out: Function of the path of a file that is no image.
        within: See `refuse_outside`, or None.
    """

    def refuse(error: OSError) -> None:
        raise ValueError(f"Every subfolder must be readable. Received: {error}") from error

    above: dict[str, frozenset[str]] = {}
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        # A link to a folder above would never end. A folder that two paths lead to is listed twice.
        reals = above.get(os.path.dirname(folder), frozenset())
        if (real := os.path.realpath(folder)) in reals:
            subfolders.clear()
            continue
        above[folder] = reals | {real}
        if within is not None:
            refuse_outside(folder, within)
            for link in _links(folder):
                refuse_outside(link, within)
        subfolders[:] = sorted(name for name in subfolders if not is_skipped(name))
        inner = Path(folder).relative_to(root).as_posix()
        parent = "" if inner == "." else f"{inner}/"
        visit(folder, any(ending(name) in EXTENSIONS for name in names))
        for name in names:
            if is_skipped(name):
                continue
            if ending(name) in EXTENSIONS:
                yield parent + name
            elif name != dataset_json.NAME:
                leave_out(parent + name)


def _links(folder: str) -> list[str]:
    """Returns the links to images in a folder; the content of a linked folder is walked over."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.is_symlink() and ending(entry.name) in EXTENSIONS
        )


def refuse_outside(path: str, within: str) -> None:
    """Raises ValueError if a path leads out of a folder, of which `within` is the real path."""
    real = os.path.realpath(path)
    if os.path.commonpath((real, within)) != within:
        raise ValueError(
            f"The images must lie in the folder that was named. Received: {path}, which leads to "
            f"{real}. If you made the link, use `follow_links=True`"
        )


def classes(
    files: Iterable[str], known: Sequence[str] = ()
) -> tuple[np.ndarray | None, list[str] | None]:
    """Returns the number of the first-level folder of each file, and the folders' names.

    None, None when a file lies in no subfolder.

    Args:
        files: Paths of the files.
        known: Names that come first, in this order. The others follow, sorted. Default: none.
    """
    seen: dict[str, int] = {}
    numbers = array("q")
    for file in files:
        folder, slash, _ = file.partition("/")
        if not slash:
            return None, None
        numbers.append(seen.setdefault(folder, len(seen)))
    names = [*known, *sorted(seen.keys() - set(known))]
    ranks = {name: rank for rank, name in enumerate(names)}
    rank = np.array([ranks[name] for name in seen])
    # A name that is not UTF-8 must be printable.
    printable = [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]
    return rank[np.asarray(numbers)], printable
