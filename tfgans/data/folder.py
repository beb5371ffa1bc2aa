"""Images of a folder: decoded and resized once, then held in memory."""

import os
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgans.data import decoding, resize
from tfgans.data.arrays import ArraySource

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})

# What PIL raises on files that are damaged, or not what their name says.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_NUM_LISTED = 5


def load_folder(
    path: str | os.PathLike[str],
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> ArraySource:
    """Returns the images below a folder, in the order of their paths.

    Files count when their name ends in one of `EXTENSIONS`, in any case; hidden files and folders
    do not. When every image lies in a subfolder, the first-level subfolders are the classes, in
    sorted order: `labels` and `class_names`. The images have one channel when all files are grey,
    else three. How a file becomes an image is told in `decoding.decode`.

    Args:
        path: The folder. If it contains the folders `train` and `test`, its subfolders are the
            splits, and what lies beside them is not read.
        split: Name of a split. Defaults to `"train"`, the only one without such subfolders.
        image_size: Integer, or (height, width), that all images are cropped and resized to. May
            be None (default) when they have one size already.
        seed: Integer. Decides the order of batches. Defaults to 0.
        skip_bad: Whether to leave out unreadable files with a warning. Defaults to False: they
            are an error.

    Raises:
        ValueError: When there is no such folder or split or nothing in it, when images differ in
            size and `image_size` is None, or when files are unreadable and `skip_bad` is False.
    """
    root = _split_root(Path(path).expanduser(), split)
    files = sorted(_image_files(root))
    if not files:
        raise ValueError(
            f"A folder of images must contain files that end in {', '.join(sorted(EXTENSIONS))}. "
            f"Received: {root}, which has none"
        )
    size = resize.parse_size(image_size)
    bad: dict[str, str] = {}
    headers = _read_headers(root, files, bad, with_size=size is None)
    if size is None:
        size = _common_size(header.size for header in headers.values())
    images, kept = _decode_all(root, headers, size, bad)
    _report(root, bad, num_files=len(files), skip_bad=skip_bad)
    labels, class_names = _classes(kept)
    return ArraySource(
        images, labels=labels, class_names=class_names, seed=seed, name=f"folder:{path}"
    )


def _split_root(root: Path, split: str) -> Path:
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


def _image_files(root: Path) -> Iterator[str]:
    """Yields the paths below the root, with forward slashes so that all systems sort alike."""

    def refuse(error: OSError) -> None:
        raise ValueError(f"Every subfolder must be readable. Received: {error}") from error

    visited = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        # A link to a folder above would never end.
        if (real := os.path.realpath(folder)) in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
        for name in names:
            if not _hidden(name) and Path(name).suffix.lower() in EXTENSIONS:
                yield (Path(folder) / name).relative_to(root).as_posix()


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _read_headers(
    root: Path, files: Iterable[str], bad: dict[str, str], *, with_size: bool
) -> dict[str, decoding.Header]:
    headers = {}
    for file in files:
        try:
            headers[file] = decoding.read_header(root / file, with_size=with_size)
        except _UNREADABLE as error:
            bad[file] = _reason(error)
    return headers


def _common_size(sizes: Iterable[Any]) -> tuple[int, int]:
    counts = Counter(sizes)
    if len(counts) > 1:
        listed = ", ".join(
            f"{height}x{width} ({count})"
            for (height, width), count in counts.most_common(_NUM_LISTED)
        )
        raise ValueError(
            f"Without `image_size` all images must have one size. Received {len(counts)} sizes "
            f"(height x width, files): {listed}. Pass `image_size` (`--image_size` on the command "
            f"line)"
        )
    return next(iter(counts), (1, 1))  # No size at all: every file is bad, as `_report` tells.


def _decode_all(
    root: Path,
    headers: dict[str, decoding.Header],
    size: tuple[int, int],
    bad: dict[str, str],
) -> tuple[np.ndarray, list[str]]:
    """Returns uint8 `[num_kept, *size, channels]` and the files kept; adds the others to `bad`."""
    mode = "L" if all(header.is_grey for header in headers.values()) else "RGB"
    # Filled in place: a list of images would need the memory twice.
    images = np.empty((len(headers), *size, len(mode) if mode == "RGB" else 1), np.uint8)
    kept: list[str] = []
    for file in headers:
        try:
            image = decoding.decode(root / file, mode=mode)
        except _UNREADABLE as error:
            bad[file] = _reason(error)
            continue
        images[len(kept)] = np.asarray(resize.fit(image, size)).reshape(images.shape[1:])
        kept.append(file)
    # The only files in colour may have turned out to be bad.
    channels = 1 if all(headers[file].is_grey for file in kept) else images.shape[-1]
    return images[: len(kept), ..., :channels], kept


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _report(root: Path, bad: dict[str, str], *, num_files: int, skip_bad: bool) -> None:
    if not bad:
        return
    listed = "; ".join(f"{file}: {bad[file]}" for file in sorted(bad)[:_NUM_LISTED])
    more = "; ..." if len(bad) > _NUM_LISTED else ""
    summary = f"{len(bad)} of {num_files} images in {root} cannot be read ({listed}{more})"
    if len(bad) == num_files:
        raise ValueError(f"{summary}. None is left: check the folder")
    if not skip_bad:
        raise ValueError(
            f"{summary}. Repair or remove them, or leave them out with `skip_bad=True` "
            "(`--skip_bad`)"
        )
    warnings.warn(f"{summary} and are left out", stacklevel=4)


def _classes(files: Sequence[str]) -> tuple[np.ndarray | None, list[str] | None]:
    folders = [file.split("/")[0] if "/" in file else None for file in files]
    if None in folders:
        return None, None
    names = sorted({str(folder) for folder in folders})
    return np.asarray([names.index(str(folder)) for folder in folders]), names
