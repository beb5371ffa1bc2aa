"""Images of a folder, held in memory where they fit, else decoded when they are needed."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.data import capacity, decoding, folder_source, paths, resize, unreadable
from tfgans.data.arrays import ArraySource
from tfgans.data.indexed import IndexedSource
from tfgans.data.paths import PathList

CACHES = ("auto", "memory", "disk", "none")

_NUM_LISTED = 5


def load_folder(
    path: str | os.PathLike[str],
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    cache: str = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    follow_links: bool = False,
) -> IndexedSource:
    """Returns the images below a folder, in the order of their paths.

    Files count when their name ends in one of `paths.EXTENSIONS`, in any case; hidden files and
    folders do not. When every image lies in a subfolder, the first-level subfolders are the
    classes, in sorted order: `labels` and `class_names`. The images have one channel when all files
    are grey, else three. See `decoding.decode` for the conversion of a file to an image.

    Images are held as 8-bit pixels: in memory, in a file on disk, or nowhere. Batches are the same
    in each case, to the bit. In memory all files are decoded before the first batch. Else each is
    when it is first needed, what it lacks is told only then, and whether all are grey is judged by
    up to 1000 of them.

    The file on disk is below `cache_dir`, serves all processes that load the folder at that size,
    and is replaced when the folder has changed: when a file was added, removed, renamed or
    exchanged for another. A file that was written over in place is noticed if it is one of those
    1000. To be sure, remove the file.

    Args:
        path: The folder. If it contains the folders `train` and `test`, its subfolders are the
            splits, and what lies beside them is not read.
        split: Name of a split. Defaults to `"train"`, the only one without such subfolders.
        image_size: Integer, or (height, width), that all images are cropped and resized to. May
            be None (default) in memory, when they have one size already.
        seed: Integer. Decides the order of batches. Defaults to 0.
        skip_bad: Whether to leave out unreadable files with a warning. Defaults to False: they
            are an error. On disk, this decodes all files before the first batch; with no cache it
            is refused.
        cache: `"memory"`, `"disk"`, `"none"`, or `"auto"` (default): memory when the images take
            at most a quarter of what is available, else the disk when it has space, else none,
            with a warning.
        cache_dir: Folder of the files on disk. Defaults to the environment variable
            `TFGANS_CACHE_DIR`, or else to `~/.cache/tfgans/folders`.
        follow_links: Whether links may lead out of the folder. Defaults to False: one that does
            is an error.

    Raises:
        ValueError: When there is no such folder or split or nothing in it, when images differ in
            size or do not fit in memory and `image_size` is None, when files are unreadable and
            `skip_bad` is False, or when the disk is full and `cache` is `"disk"`.
    """
    checks.choice("cache", cache, CACHES)
    size = resize.parse_size(image_size)
    named = Path(path).expanduser()
    root = paths.split_root(named, split)
    visited: list[str] = []
    within = None if checks.boolean("follow_links", follow_links) else named
    files = paths.image_files(root, visit=visited.append, within=within)
    common: dict[str, Any] = {"skip_bad": skip_bad, "seed": seed, "name": f"folder:{path}"}
    if cache == "memory":
        return _load_into_memory(root, files, size, **common)
    if cache == "auto":
        num_bytes = _estimated_size(root, files, size)
        if capacity.fits_in_memory(num_bytes):
            return _load_into_memory(root, files, size, **common)
    if size is None:
        raise ValueError(
            f"Images that are not held in memory need `image_size` (`--image_size`). Received: "
            f"{len(files)} files in {root} and image_size=None, with cache={cache!r}"
        )
    directory = capacity.cache_directory(cache_dir)
    return folder_source.load(root, files, visited, size, cache, directory, **common)


def _load_into_memory(
    root: Path,
    files: PathList,
    size: tuple[int, int] | None,
    *,
    skip_bad: bool,
    seed: int,
    name: str,
) -> ArraySource:
    bad: dict[str, str] = {}
    headers = _read_headers(root, files, bad, with_size=size is None)
    if size is None:
        size = _common_size(header.size for header in headers.values())
    images, kept = _decode_all(root, headers, size, bad)
    unreadable.report(root, bad, num_files=len(files), skip_bad=skip_bad)
    labels, class_names = paths.classes(kept)
    return ArraySource(images, labels=labels, class_names=class_names, seed=seed, name=name)


def _estimated_size(root: Path, files: PathList, size: tuple[int, int] | None) -> int:
    """Returns the bytes of all images, from the headers of some; 0 if none can be read."""
    if size is not None and capacity.fits_in_memory(most := len(files) * size[0] * size[1] * 3):
        return most
    headers = _read_headers(root, folder_source.spread(files), {}, with_size=False).values()
    if not headers:
        return 0
    pixels = max(header.num_pixels for header in headers) if size is None else size[0] * size[1]
    return len(files) * pixels * (1 if all(header.is_grey for header in headers) else 3)


def _read_headers(
    root: Path, files: Iterable[str], bad: dict[str, str], *, with_size: bool
) -> dict[str, decoding.Header]:
    headers = {}
    for file in files:
        try:
            headers[file] = decoding.read_header(root / file, with_size=with_size)
        except unreadable.ERRORS as error:
            bad[file] = unreadable.reason(error)
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
        except unreadable.ERRORS as error:
            bad[file] = unreadable.reason(error)
            continue
        images[len(kept)] = np.asarray(resize.fit(image, size)).reshape(images.shape[1:])
        kept.append(file)
    # The only files in colour may have turned out to be bad.
    channels = 1 if all(headers[file].is_grey for file in kept) else images.shape[-1]
    return images[: len(kept), ..., :channels], kept
