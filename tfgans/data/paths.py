"""Names of image files, and the splits and classes that their folders stand for."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
_NUM_LISTED = 5


class Listing(NamedTuple):
    """The image files of a folder.

    Attributes:
        root: The folder, or its subfolder of the split.
        files: Paths of the images, relative to `root`, with forward slashes, sorted.
        folders: Paths of the folders that hold images, each link to a folder as often as it is met.
        skipped_files: Number of files that are not images, by lowercase file extension.
        empty: First-level folders of `root` without an image, sorted.
        train_classes: See `select_split`.
    """

    root: Path
    files: list[str]
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


def choose_split(place: str, names: Sequence[str], split: str) -> str:
    """Returns the name among those of splits that says `split`, in this or in another word.

    Raises:
        SplitNotFoundError: If none does, or several do.
    """
    same = [name for name in names if name == split]
    if not same and split_of(split) is not None:
        same = [name for name in names if split_of(name) == split_of(split)]
    if len(same) != 1:
        raise SplitNotFoundError(
            f"`split` must be one of {', '.join(map(repr, names))} in {place}. Received: {split!r}"
        )
    return same[0]


def select_split(place: str, files: Sequence[str], split: str) -> tuple[str, list[str], list[str]]:
    """Returns the images of a split, whose folders may be classes.

    The first-level folders `train`, `training`, `val`, `valid`, `validation`, `test` and `testing`,
    in any case, are splits, unless there is only one of them, and it holds images directly, beside
    other folders: then all are classes.

    Args:
        place: The folder or archive, for errors.
        files: Paths of its images.
        split: The split that is wanted.

    Returns:
        The folder of the split with a slash, or the empty string if the folders are no splits; the
        paths of the images in it; and, of another split than `train`, the classes of `train`, by
        which all splits number theirs (none if an image of `train` lies in no subfolder).

    Raises:
        SplitNotFoundError: If there is no such split.
        ValueError: If folders are a mixture of splits and classes.
    """
    folders = _split_folders(place, files)
    prefix = _prefix(place, folders, split)
    train_classes: set[str] = set()
    if prefix and split_of(prefix.rstrip("/")) != "train":
        with contextlib.suppress(SplitNotFoundError):
            train = _prefix(place, folders, "train")
            inner = (file.removeprefix(train) for file in files if file.startswith(train))
            train_classes = {_first_folder(file) for file in inner}
    selected = [file.removeprefix(prefix) for file in files if file.startswith(prefix)]
    return prefix, selected, [] if "" in train_classes else sorted(train_classes)


def _split_folders(place: str, files: Iterable[str]) -> list[str]:
    """Returns the first-level folders that are splits, which is all of them or none."""
    is_deep: dict[str, bool] = {}
    for file in files:
        folder = _first_folder(file)
        is_deep[folder] = is_deep.get(folder, False) or file.count("/") > 1
    splits = sorted(filter(is_split_folder, is_deep))
    others = sorted(folder or "images in no folder" for folder in is_deep if folder not in splits)
    if len(splits) == 1 and others and "" not in is_deep and not is_deep[splits[0]]:
        return []
    if splits and others:
        raise ValueError(
            "The folders of images must be splits (train, validation, test) or classes. Received: "
            f"{place} with the splits {', '.join(splits)} beside "
            f"{', '.join(others[:_NUM_LISTED])}. Move the images of the splits into another folder"
        )
    return splits


def _prefix(place: str, folders: Sequence[str], split: str) -> str:
    if not folders and split == "train":
        return ""
    if not folders:
        raise SplitNotFoundError(
            f"`split` must be 'train', since {place} contains no folders such as `train` and "
            f"`test`. Received: {split!r}. Move the images into such folders"
        )
    return f"{choose_split(place, folders, split)}/"


def _first_folder(file: str) -> str:
    folder, slash, _ = file.partition("/")
    return folder if slash else ""


def list_images(root: Path, split: str = "train", *, within: Path | None = None) -> Listing:
    """Returns the images of a split below a folder.

    Args:
        root: The folder.
        split: See `select_split`.
        within: Folder that links must not lead out of. Default: None, they may lead anywhere.

    Raises:
        ValueError: If there is no folder, split or image, a folder cannot be read, or a link
            leads out of `within`.
    """
    if not root.is_dir():
        fault = "is a file" if root.exists() else "does not exist"
        raise ValueError(f"A folder of images must be a folder. Received: {root}, which {fault}")
    files, others, folders = _walk(root, None if within is None else os.path.realpath(within))
    if not files:
        skipped_files = Counter(map(ending, others))
        other = f", but {counted(skipped_files)}" if skipped_files else ""
        raise ValueError(
            f"A folder of images must contain files that end in {', '.join(sorted(EXTENSIONS))}. "
            f"Received: {root}, which has none{other}"
        )
    prefix, files, train_classes = select_split(str(root), files, split)
    root /= prefix
    others = [file for file in others if file.startswith(prefix)]
    first_level = {os.path.basename(path) for path in folders if os.path.dirname(path) == str(root)}
    empty = sorted(first_level - {_first_folder(file) for file in files})
    held = [path for path, has_images in folders.items() if has_images]
    return Listing(root, files, held, Counter(map(ending, others)), empty, train_classes)


def counted(skipped_files: Mapping[str, int]) -> str:
    """Returns one line such as `3 .svg, 1 .txt` of files counted by ending."""
    return ", ".join(
        f"{number} {name or 'without ending'}" for name, number in sorted(skipped_files.items())
    )


def _walk(root: Path, within: str | None) -> tuple[list[str], list[str], dict[str, bool]]:
    """Returns what lies below a folder.

    Args:
        root: The folder.
        within: See `refuse_outside`, or None.

    Returns:
        The paths of the images, sorted, and those of other files, relative to `root`; and the paths
        of the folders, with whether they hold images.
    """

    def refuse(error: OSError) -> None:
        raise ValueError(f"Every subfolder must be readable. Received: {error}") from error

    images, others, folders = [], [], {}
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
        names = [name for name in names if not is_skipped(name) and name != dataset_json.NAME]
        chosen = [parent + name for name in names if ending(name) in EXTENSIONS]
        folders[folder] = bool(chosen)
        images += chosen
        others += [parent + name for name in names if ending(name) not in EXTENSIONS]
    return sorted(images), others, folders


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
    folders = [_first_folder(file) for file in files]
    if "" in folders:
        return None, None
    names = [*known, *sorted(set(folders) - set(known))]
    numbers = {name: number for number, name in enumerate(names)}
    # A name that is not UTF-8 must be printable.
    printable = [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]
    return np.array([numbers[folder] for folder in folders]), printable
