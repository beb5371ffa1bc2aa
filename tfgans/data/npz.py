"""NumPy's archives of arrays."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfgans import files
from tfgans.data import array_files, capacity
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

# What reading a damaged, encrypted or unknown archive raises.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def load_npz(path: str | os.PathLike[str], options: LoadOptions) -> IndexedSource:
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
            keys = [name.removesuffix(".npy") for name in archive.namelist()]
            keys = [key for key, name in zip(keys, archive.namelist(), strict=True) if key != name]
            image, label = array_files.choose_keys(
                keys, options.split, options.image_key, options.label_key, place=str(file)
            )
            images = _read(archive, image, file)
            labels = None if label is None else _read(archive, label, file)
    except DAMAGED as error:
        raise ValueError(
            f"`npz:FILE` must name an archive of `numpy.savez`. Received: {file} ({error})"
        ) from error
    return array_files.load_array(
        array_files.in_memory(images),
        options,
        labels=labels,
        name=f"npz:{path}",
    )


def _read(archive: zipfile.ZipFile, key: str, file: Path) -> np.ndarray:
    """Returns an array, whose size and type are looked at before it is read."""
    with archive.open(f"{key}.npy") as member:
        try:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(member)
        except ValueError as error:
            raise ValueError(
                f"The members of an npz file must be arrays of `numpy.savez`. Received: {key!r} in "
                f"{file} ({error})"
            ) from error
    if dtype.hasobject:
        raise ValueError(
            f"Arrays must hold numbers. Received: {key!r} in {file}, which holds Python objects. "
            "They are not loaded, since that could run a program. Save numbers"
        )
    num_bytes = int(np.prod([dtype.itemsize, *shape], dtype=object))
    if not capacity.fits_in_memory(num_bytes):
        raise ValueError(
            f"An array of an npz file must fit in a quarter of the memory. Received: {key!r} in "
            f"{file} of {num_bytes / 1e9:.1f} GB. Keep it in HDF5"
        )
    with archive.open(f"{key}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)
