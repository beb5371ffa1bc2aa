"""Images of WebDataset's tar files, listed once and read by position afterwards."""

import io
import os
import tarfile
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from tfgans.data import paths, shards
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

_LABEL_ENDING = ".cls"
# No image of `decoding.MAX_PIXELS` needs more bytes than its pixels in color, twice.
_MAX_BYTES = 2**29
_LONGEST_LABEL = 32
_MOST_DIGITS = 9
_CHUNK = 2**16


class WebDatasetStore(ImageStore):
    """The images in WebDataset's tar files: a sample is successive members with the same name.

    A sample `000017` has an image such as `000017.jpg` and, if the data have labels, a file
    `000017.cls` with an integer as text. Other members are left out. The package webdataset reads
    such files from their beginning only; a batch needs samples by their numbers, so the tar files
    are listed once by Python's `tarfile`, and an image is read at its position.

    Args:
        pattern: Glob of the files.
        split: See `shards.find`. Default: `"train"`.
        image_key: Ending of the images, say `"jpg"`. Default: None, the first image of a sample.
        label_key: Ending of the labels. Default: None, `"cls"`; no labels if there are none.

    Raises:
        ValueError: If there are no files, a file is damaged or compressed, it holds no image, an
            image is no plain member or too large, or a label is absent or no integer.
    """

    def __init__(
        self,
        pattern: str,
        *,
        split: str = "train",
        image_key: str | None = None,
        label_key: str | None = None,
    ) -> None:
        self._files = shards.find("webdataset", pattern, split)
        images = frozenset({_ending(image_key)}) if image_key else paths.EXTENSIONS
        label = _ending(label_key) if label_key else _LABEL_ENDING
        file_numbers, offsets, sizes, labels = [], [], [], []
        skipped_files: dict[str, int] = {}
        for number, file in enumerate(self._files):
            samples, texts = _list(file, images, label, skipped_files)
            for name, member in samples.items():
                file_numbers.append(number)
                offsets.append(member.offset_data)
                sizes.append(member.size)
                if name in texts:
                    labels.append(_label(texts[name], f"{name}{label} in {file}"))
        if not sizes:
            raise ValueError(
                f"`webdataset:GLOB` must match tar files with images. Received: {pattern} with "
                f"{paths.counted(skipped_files) or 'no files'}"
            )
        if len(labels) not in ([len(sizes)] if label_key else [0, len(sizes)]):
            raise ValueError(
                f"All images must have a label, a file that ends in {label}, or none. Received: "
                f"{pattern} with {len(sizes)} images and {len(labels)} labels. Name another ending "
                "by `label_key`"
            )
        self._offsets, self._sizes = np.asarray(offsets), np.asarray(sizes)
        self._file_numbers = np.asarray(file_numbers)
        super().__init__(
            pattern,
            shards.Names("image", self._files, self._file_numbers),
            labels=np.asarray(labels, np.int64) if labels else None,
            skipped_files=skipped_files,
        )

    def open(self, index: int) -> BinaryIO:
        """Returns the content of an image, in memory."""
        with self._files[self._file_numbers[index]].open("rb") as file:
            file.seek(int(self._offsets[index]))
            return io.BytesIO(file.read(int(self._sizes[index])))

    def state(self) -> Hashable:
        """Returns the positions of the images, and the names, sizes and times of the files."""
        stats = [(str(file), file.stat()) for file in self._files]
        files = tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)
        return self._offsets.tobytes(), files


def open_webdataset(pattern: str, options: LoadOptions) -> WebDatasetStore:
    """Returns the store of `"webdataset:GLOB"`."""
    return WebDatasetStore(
        pattern,
        split=options.split,
        image_key=options.image_key,
        label_key=options.label_key,
    )


def _ending(key: str) -> str:
    return f".{key.lstrip('.').lower()}"


def _list(
    file: Path, images: frozenset[str], label: str, skipped_files: dict[str, int]
) -> tuple[dict[str, tarfile.TarInfo], dict[str, bytes]]:
    """Returns the image members and the texts of the labels of a tar file by sample.

    Counts the other members in `skipped_files`, by ending.
    """
    samples: dict[str, tarfile.TarInfo] = {}
    texts: dict[str, bytes] = {}
    try:
        # "r:" opens a tar file that is not compressed.
        with file.open("rb") as content, tarfile.open(fileobj=content, mode="r:") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if member.isdir() or any(map(paths.is_skipped, path.parts)):
                    continue
                # As in WebDataset: the name of a sample ends at the first dot.
                name, dot, rest = path.name.partition(".")
                sample, kind = str(path.parent / name), (dot + rest).lower()
                if kind == label and member.isreg():
                    text = archive.extractfile(member)
                    texts[sample] = b"" if text is None else text.read(_LONGEST_LABEL)
                elif kind not in images or sample in samples:
                    ending = os.path.splitext(path.name)[1].lower()
                    skipped_files[ending] = skipped_files.get(ending, 0) + 1
                else:
                    samples[sample] = _checked(member, file)
            _check_end(content, archive.offset)
    except tarfile.TarError as error:
        raise ValueError(
            f"`webdataset:GLOB` must match whole tar files that are not compressed. Received: "
            f"{file} ({error})"
        ) from error
    return samples, texts


def _check_end(content: BinaryIO, offset: int) -> None:
    """Raises ReadError unless only zeros follow the last member: `tarfile` stops at any block."""
    content.seek(offset)
    if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no header and no end at byte {offset}")
    while chunk := content.read(_CHUNK):
        if any(chunk):
            raise tarfile.ReadError(f"more than zeros after the end at byte {offset}")


def _checked(member: tarfile.TarInfo, file: Path) -> tarfile.TarInfo:
    if not member.isreg() or member.issparse():
        raise ValueError(
            f"The images in a tar file must be plain files. Received: {member.name!r} in {file}, a "
            "link or a sparse file. Pack the images again"
        )
    if member.size > _MAX_BYTES or member.offset_data + member.size > file.stat().st_size:
        raise ValueError(
            f"An image in a tar file may have {_MAX_BYTES} bytes at most, and must lie in the "
            f"file. Received: {member.name!r} of {member.size} bytes in {file}. Pack the images "
            "again"
        )
    return member


def _label(text: bytes, place: str) -> int:
    digits = text.strip()
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise ValueError(
            f"A label must be an integer as text, of {_MOST_DIGITS} digits at most. Received: "
            f"{text[:20]!r} as {place}. Name another ending by `label_key`"
        )
    return int(digits)
