"""IDX files, the format of MNIST, Fashion-MNIST, KMNIST and EMNIST."""

import functools
import gzip
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfgans import files
from tfgans.data import array_files, capacity, paths
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

_UINT8 = 8
_IMAGES, _LABELS = "idx3", "idx1"


def load_idx(
    path: str | os.PathLike[str],
    options: LoadOptions,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
) -> IndexedSource:
    """Returns the images and labels of a folder of IDX files, as they are downloaded.

    The file of images has `idx3` in its name, the file of labels `idx1`; both may end in `.gz`. A
    file whose name has `t10k` or `test` in it belongs to the split `"test"`, others to `"train"`.
    Files of EMNIST hold each image transposed: where the name begins with `emnist` they are turned
    upright.

    Files that are not compressed are read when a batch needs them if they do not fit in memory.

    Raises:
        ValueError: If there are no such files or several, or a file is cut short, of another
            format, or of other examples than its labels.

    Reference:
        The format is described in yann.lecun.com/exdb/mnist.
    """
    folder = files.path(path)
    split = options.split
    images = _file(folder, _IMAGES, split)
    if images is None:
        raise paths.SplitNotFoundError(
            f"A folder of IDX files must contain images of the split {split!r}, such as "
            f"`{'t10k' if paths.split_of(split) == 'test' else 'train'}-images-idx3-ubyte` or the "
            f"same with `.gz`. Received: {_contents(folder)}"
        )
    labels = _file(folder, _LABELS, split)
    classes = None if labels is None else np.array(read_idx(labels, rank=1))
    rows = read_idx(images, rank=3)
    is_compressed = images.suffix == ".gz"
    return array_files.load_array(
        functools.partial(np.asarray, rows)
        if is_compressed
        else functools.partial(read_idx, images, rank=3),
        options,
        labels=classes,
        class_names=class_names,
        name=f"idx:{path}" if name is None else name,
    )


def read_idx(path: Path, *, rank: int) -> np.ndarray:
    """Returns the uint8 array of an IDX file: mapped, or in memory if it is compressed.

    Args:
        path: The file.
        rank: Number of axes that are expected.

    Raises:
        ValueError: If the file is cut short, too long, or of another format.
    """
    compressed = path.suffix == ".gz"
    try:
        with gzip.open(path) if compressed else path.open("rb") as file:
            head = file.read(4 + 4 * rank)
            expected = bytes([0, 0, _UINT8, rank])
            if head[:4] != expected or len(head) != 4 + 4 * rank:
                raise ValueError(
                    f"An IDX file of bytes with {rank} axes must begin with {expected.hex(' ')}. "
                    f"Received: {path}, which begins with {head[:4].hex(' ') or 'nothing'}. "
                    "Download it again"
                )
            shape = struct.unpack(f">{rank}I", head[4:])
            size = math.prod(shape)
            if compressed and not capacity.fits_in_memory(size):
                raise ValueError(
                    f"A compressed IDX file must fit in a quarter of the memory. Received: {path} "
                    f"of {size / 1e9:.1f} GB. Decompress it with `gunzip`"
                )
            content = file.read(size + 1) if compressed else b""
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}). Download it again") from error
    length = len(content) if compressed else path.stat().st_size - len(head)
    if length != size:
        kind = "more" if length > size else str(length)
        raise ValueError(
            f"{path} must hold {size} bytes, since its header says {shape}. Received: {kind}. "
            "Download it again"
        )
    if compressed:
        array = np.frombuffer(content, np.uint8).reshape(shape)
    else:
        array = np.memmap(path, np.uint8, mode="r", offset=len(head), shape=shape)
    return array.swapaxes(1, 2) if rank == 3 and path.name.startswith("emnist") else array


def _file(folder: Path, kind: str, split: str) -> Path | None:
    """Returns the file of images or labels of a split, or None."""
    if not folder.is_dir():
        raise ValueError(f"IDX files must lie in a folder. Received: {folder}, which is none")
    matches: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if kind not in path.name or paths.is_skipped(path.name) or not path.is_file():
            continue
        if (paths.split_in_name(path.name) or "train") == paths.split_of(split):
            # Of a file and its compressed copy the former: it comes first.
            matches.setdefault(path.name.removesuffix(".gz"), path)
    if len(matches) > 1:
        raise ValueError(
            f"A folder of IDX files must have one file with {kind} for the split {split!r}. "
            f"Received: {', '.join(matches)} in {folder}. Move each data set into a folder"
        )
    return next(iter(matches.values()), None)


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"{folder} with {', '.join(names[:5]) or 'nothing'}"
