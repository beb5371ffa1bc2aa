"""NumPy's archives of arrays."""

import functools
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfgans import files
from tfgans.data import array_files, capacity
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

# What reading a damaged, encrypted or unknown archive raises.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def load_npz(path: str, options: LoadOptions) -> IndexedSource:
    """Returns images and labels of an `.npz` file. Pickled objects are refused.

    The array must fit in memory; keep larger ones in HDF5.

    Args:
        path: The file.
        options: The split and the keys, see `array_files.choose_keys`; the form of the images; and
            the seed.

    Raises:
        ValueError: If the file is no archive of arrays, holds objects, or see
            `array_files.load_array`.
    """
    file = files.path(path)
    if not file.is_file():
        raise ValueError(f"`npz:FILE` must name a file. Received: {file}, which is none")
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        sizes = {
            member.filename.removesuffix(".npy"): member.file_size
            for member in members
            if member.filename.endswith(".npy")
        }
        image, label = array_files.choose_keys(
            sizes, options.split, options.image_key, options.label_key, place=str(file)
        )
        for key in filter(None, (image, label)):
            if not capacity.fits_in_memory(sizes[key]):
                raise ValueError(
                    "An array of an npz file must fit in a quarter of the memory. Received: "
                    f"{key!r} in {file} of {sizes[key] / 1e9:.1f} GB. Keep it in HDF5"
                )
        with np.load(file, allow_pickle=False) as arrays:
            images = _read(arrays, image, file)
            labels = None if label is None else _read(arrays, label, file)
    except DAMAGED as error:
        raise ValueError(
            f"`npz:FILE` must name an archive of `numpy.savez`. Received: {file} ({error})"
        ) from error
    return array_files.load_array(
        functools.partial(np.asarray, images),
        options,
        labels=labels,
        name=f"npz:{path}",
    )


def _read(arrays: Mapping[str, np.ndarray], key: str, file: Path) -> np.ndarray:
    try:
        return np.asarray(arrays[key])
    except ValueError as error:
        raise ValueError(
            f"The members of an npz file must be arrays of numbers. Received: {key!r} in {file} "
            f"({error})"
        ) from error
