"""Images of a zip archive, also in StyleGAN's layout."""

import io
import json
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from tfgans.data import paths, unreadable
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

_LABELS = "dataset.json"
# No image of `decoding.MAX_PIXELS` needs more bytes than its pixels in color, twice.
_MAX_BYTES = 2**29
_MAX_LABELS_BYTES = 2**30


class ZipStore(ImageStore):
    """The images of a split of a zip archive, read member by member: nothing is unpacked.

    Folders in the archive are splits and classes as those of a folder of images. A file
    `dataset.json` in the archive decides the labels instead, as in StyleGAN2: `{"labels":
    [["00000/img00000000.png", 6], ...]}`.

    Args:
        path: The archive.
        split: See `paths.split_folder`. Defaults to `"train"`.

    Raises:
        ValueError: When it is no zip archive, holds no image, is encrypted, a member's name leads
            out of it, or a member would be too large.
    """

    _left_out = ("_archive",)
    _archive: zipfile.ZipFile | None = None

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train") -> None:
        self._path = Path(path).expanduser()
        if not self._path.is_file():
            raise ValueError(f"`zip:FILE` must name a file. Received: {self._path}, which is none")
        archive = self._opened()
        left_out: Counter[str] = Counter()
        members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            _check(member, self._path)
            if member.is_dir() or any(map(paths.is_skipped, member.filename.split("/"))):
                continue
            if paths.ending(member.filename) in paths.EXTENSIONS:
                members[member.filename] = member
            elif member.filename != _LABELS:
                left_out[paths.ending(member.filename)] += 1
        if not members:
            raise ValueError(
                f"A zip archive must hold images. Received: {self._path} with "
                f"{paths.counted(left_out) or 'no files'}"
            )
        names, prefix = sorted(members), ""
        # An archive of a folder: its name comes before all others.
        tops = {name.partition("/")[0] for name in names}
        has_labels = _LABELS in archive.namelist()
        if len(tops) == 1 and not has_labels and all(name.count("/") > 1 for name in names):
            prefix = f"{tops.pop()}/"
        inner = paths.PathList(name.removeprefix(prefix) for name in names)
        labels, class_names = None, None
        if has_labels:
            if split != "train":
                raise ValueError(
                    f"`split` must be 'train' for an archive with {_LABELS}. Received: {split!r}"
                )
            labels = _labels(archive, list(inner), self._path)
        else:
            folder = paths.split_folder(str(self._path), inner, split)
            if folder is not None:
                prefix += f"{folder}/"
                kept = [name for name in names if name.startswith(prefix)]
                inner = paths.PathList(name.removeprefix(prefix) for name in kept)
            labels, class_names = paths.classes(inner)
        self._prefix = prefix
        self._state = tuple(
            (name, members[prefix + name].CRC, members[prefix + name].file_size) for name in inner
        )
        super().__init__(
            str(self._path), inner, labels=labels, class_names=class_names, left_out=left_out
        )

    def open(self, index: int) -> BinaryIO:
        """Returns the content of an image, in memory."""
        try:
            return io.BytesIO(_content(self._opened(), self._prefix + self.names[index]))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error

    def state(self) -> Hashable:
        """Returns the names, checksums and sizes of the images."""
        return self._state

    def _opened(self) -> zipfile.ZipFile:
        if self._archive is None:
            try:
                self._archive = zipfile.ZipFile(self._path)
            except (zipfile.BadZipFile, OSError) as error:
                raise ValueError(
                    f"`zip:FILE` must name a zip archive. Received: {self._path} ({error})"
                ) from error
        return self._archive


def open_zip(path: str, options: LoadOptions) -> ZipStore:
    """Returns the store of `"zip:FILE"`."""
    return ZipStore(path, split=options.split)


def _check(member: zipfile.ZipInfo, path: Path) -> None:
    """Raises ValueError if a member leads out of the archive, is too large, or cannot be read."""
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if parts.is_absolute() or ".." in parts.parts or ":" in str(parts)[:2] or is_link:
        raise ValueError(
            f"The members of a zip archive must lie in it. Received: {name!r} in {path}. Pack the "
            "images again, without links and paths that lead out"
        )
    if member.flag_bits & 1:
        raise ValueError(f"Encrypted archives are not read. Received: {name!r} in {path}")
    if member.file_size > _MAX_BYTES and name != _LABELS:
        raise ValueError(
            f"An image in a zip archive may have {_MAX_BYTES} bytes at most. Received: {name!r} in "
            f"{path}, of {member.file_size} bytes. Remove it"
        )


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns the content of a member, no more than its entry says, whatever it expands to."""
    with archive.open(name) as member:
        return member.read(archive.getinfo(name).file_size)


def _labels(archive: zipfile.ZipFile, names: list[str], path: Path) -> np.ndarray | None:
    """Returns the labels of StyleGAN's `dataset.json` for the names, or None if it has none."""
    if archive.getinfo(_LABELS).file_size > _MAX_LABELS_BYTES:
        raise ValueError(f"{_LABELS} in {path} is too large. Received: more than 1 GB")
    try:
        content: Any = json.loads(_content(archive, _LABELS))
        pairs = content["labels"]
        labels = None if pairs is None else dict(pairs)
    except (*unreadable.ERRORS, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise ValueError(
            f'{_LABELS} in {path} must hold {{"labels": [["name", class], ...]}} or '
            f'{{"labels": null}}. Received: {error!r}'
        ) from error
    if labels is None:
        return None
    absent = [name for name in names if name not in labels]
    if absent:
        raise ValueError(
            f"{_LABELS} in {path} must hold a label for each image. Received: none for "
            f"{len(absent)}, such as {absent[0]}"
        )
    values = np.asarray([labels[name] for name in names])
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise ValueError(
            f"The labels in {_LABELS} of {path} must be integers. Received: {values.dtype} of "
            f"shape {values.shape}"
        )
    return values
