"""Images of a zip archive, also in StyleGAN's layout."""

import io
import stat
import zipfile
from collections import Counter
from collections.abc import Collection, Hashable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tfgans import files
from tfgans.data import dataset_json, paths
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

# No image of `decoding.MAX_PIXELS` needs more bytes than its pixels in color, twice.
_MAX_BYTES = 2**29


class ZipStore(ImageStore):
    """The images of a split of a zip archive, read member by member: nothing is unpacked.

    Folders in the archive are splits and classes as those of a folder of images, and a file
    `dataset.json` decides the labels instead; see `FolderStore`. When the archive holds one folder
    that holds all others, and its name is not that of a split, the images are those of this folder.

    Args:
        path: The archive.
        options: The split, see `paths.select_split`.

    Raises:
        ValueError: If it is no zip archive, holds no image, is encrypted, a member's name leads
            out of it, or a member would be too large.
    """

    _transient = ("_archive",)
    _archive: zipfile.ZipFile | None = None

    def __init__(self, path: str, options: LoadOptions) -> None:
        self._path = files.path(path)
        if not self._path.is_file():
            raise ValueError(f"`zip:FILE` must name a file. Received: {self._path}, which is none")
        archive = self._opened()
        skipped_files: Counter[str] = Counter()
        members: dict[str, zipfile.ZipInfo] = {}
        tables: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            _check(member, self._path)
            name = _path(member)
            if name.endswith("/") or any(map(paths.is_skipped, name.split("/"))):
                continue
            if paths.ending(name) in paths.EXTENSIONS:
                members[name] = member
            elif PurePosixPath(name).name == dataset_json.NAME:
                tables[name] = member
            else:
                skipped_files[paths.ending(name)] += 1
        if not members:
            raise ValueError(
                f"A zip archive must hold images. Received: {self._path} with "
                f"{paths.counted(skipped_files) or 'no files'}"
            )
        names = sorted(members)
        top = _top_folder(names, tables)
        inner = [name.removeprefix(top) for name in names]
        folder, inner, train_classes = paths.select_split(str(self._path), inner, options.split)
        prefix = top + folder
        labels, class_names = paths.classes(inner, train_classes)
        parent = next((path for path in (prefix, top) if path + dataset_json.NAME in tables), None)
        if parent is not None:
            file = parent + dataset_json.NAME
            labels = dataset_json.read_labels(
                lambda: _content(archive, tables[file]),
                [(prefix + name).removeprefix(parent) for name in inner],
                num_bytes=tables[file].file_size,
                place=f"{file} in {self._path}",
            )
            class_names = None
        self._names, self._members = inner, [members[prefix + name] for name in inner]
        super().__init__(
            str(self._path),
            len(inner),
            labels=labels,
            class_names=class_names,
            skipped_files=skipped_files,
        )

    def title(self, index: int) -> str:
        """Returns the path of an image in the folder of the split."""
        return self._names[index]

    def open(self, index: int) -> BinaryIO:
        """Returns the content of an image, in memory."""
        try:
            return io.BytesIO(_content(self._opened(), self._members[index]))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error

    def state(self) -> Hashable:
        """Returns the names, checksums and sizes of the images."""
        checks = ((member.CRC, member.file_size) for member in self._members)
        return tuple(zip(self._names, checks, strict=True))

    def _opened(self) -> zipfile.ZipFile:
        if self._archive is None:
            try:
                self._archive = zipfile.ZipFile(self._path)
            except (zipfile.BadZipFile, OSError) as error:
                raise ValueError(
                    f"`zip:FILE` must name a zip archive. Received: {self._path} ({error})"
                ) from error
        return self._archive


def _top_folder(names: list[str], files: Collection[str]) -> str:
    """Returns the folder that was packed, with a slash, or the empty string if there is none."""
    tops = {name.partition("/")[0] for name in names}
    top = f"{next(iter(tops))}/"
    if (
        len(tops) > 1
        or dataset_json.NAME in files
        or not all(name.startswith(top) for name in names)
        or paths.is_split_folder(top.rstrip("/"))
    ):
        return ""
    is_deep = all(name.count("/") > 1 for name in names)
    return top if is_deep or top + dataset_json.NAME in files else ""


def _check(member: zipfile.ZipInfo, path: Path) -> None:
    """Raises ValueError if a member leads out of the archive, is too large, or cannot be read."""
    name = member.filename
    parts = PurePosixPath(_path(member))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if parts.is_absolute() or ".." in parts.parts or ":" in str(parts)[:2] or is_link:
        raise ValueError(
            f"The members of a zip archive must lie in it. Received: {name!r} in {path}. Pack the "
            "images again, without links and paths that lead out"
        )
    if member.flag_bits & 1:
        raise ValueError(f"Encrypted archives are not read. Received: {name!r} in {path}")
    if member.file_size > _MAX_BYTES and parts.name != dataset_json.NAME:
        raise ValueError(
            f"An image in a zip archive may have {_MAX_BYTES} bytes at most. Received: {name!r} in "
            f"{path}, of {member.file_size} bytes. Remove it"
        )


def _path(member: zipfile.ZipInfo) -> str:
    """Returns the name of a member with slashes; archives made on Windows may have backslashes."""
    return member.filename.replace("\\", "/")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Returns the content of a member, no more than its entry says, whatever it expands to."""
    with archive.open(member) as content:
        return content.read(member.file_size)
