"""Images of WebDataset's tar files, listed once and read by position afterwards."""

import tarfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tfgans.data import paths, shards
from tfgans.data.load_options import LoadOptions
from tfgans.data.shards import ShardStore, Span

_LABEL_ENDING = ".cls"
_LONGEST_LABEL = 32
_MOST_DIGITS = 9
_CHUNK = 2**16


class WebDatasetStore(ShardStore):
    """The images in WebDataset's tar files: a sample is successive members with the same name.

    A sample `000017` has an image such as `000017.jpg` and, if the data have labels, a file
    `000017.cls` with an integer as text. Other members are left out. The package webdataset reads
    such files from their beginning only; a batch needs samples by their numbers, so the tar files
    are listed once by Python's `tarfile`, and an image is read at its position.

    Args:
        pattern: Glob of the files, see `shards.find`.
        options: The split, and `image_key` and `label_key`, the endings of the images and of the
            labels. Default of None: the first image of a sample, and `"cls"`.

    Raises:
        ValueError: If there are no files, a file is damaged or compressed, it holds no image, an
            image is no plain member or too large, or a label is absent or no integer.
    """

    def __init__(self, pattern: str, options: LoadOptions) -> None:
        files = shards.find("webdataset", pattern, options.split)
        image_key, label_key = options.image_key, options.label_key
        images = frozenset({_ending(image_key)}) if image_key else paths.EXTENSIONS
        label = _ending(label_key) if label_key else _LABEL_ENDING
        spans, labels = [], []
        skipped_files: Counter[str] = Counter()
        for number, file in enumerate(files):
            samples, texts = _list(file, images, label, skipped_files)
            for name, member in samples.items():
                spans.append(Span(number, member.offset_data, member.size))
                if name in texts:
                    labels.append(_label(texts[name], f"{name}{label} in {file}"))
        if not spans:
            raise ValueError(
                f"`webdataset:GLOB` must match tar files with images. Received: {pattern} with "
                f"{paths.counted(skipped_files) or 'no files'}"
            )
        if len(labels) not in ([len(spans)] if label_key else [0, len(spans)]):
            raise ValueError(
                f"All images must have a label, a file that ends in {label}, or none. Received: "
                f"{pattern} with {len(spans)} images and {len(labels)} labels. Name another ending "
                "by `label_key`"
            )
        super().__init__(pattern, "image", files, spans, labels=labels, skipped_files=skipped_files)


def _ending(key: str) -> str:
    return f".{key.lstrip('.').lower()}"


def _list(
    file: Path, images: frozenset[str], label: str, skipped_files: Counter[str]
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
                    skipped_files[paths.ending(path.name)] += 1
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
    if member.offset_data + member.size > file.stat().st_size:
        raise ValueError(
            f"The images of a tar file must lie in the file. Received: {member.name!r} of "
            f"{member.size} bytes in {file}. Pack the images again"
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
