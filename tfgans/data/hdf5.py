"""HDF5 files, through h5py."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgans import files
from tfgans.data import array_files
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

if TYPE_CHECKING:
    import h5py


def load_hdf5(path: str, options: LoadOptions) -> IndexedSource:
    """Returns images and labels of an HDF5 file, read when a batch needs them if they are large.

    Args:
        path: `FILE`, or `FILE/key` for the dataset of images.
        options: The split and the keys, see `array_files.choose_keys`; the form of the images; and
            the seed.

    Raises:
        ValueError: If there is no such file or key, a dataset lies in another file, or see
            `array_files.load_array`.
    """
    import h5py

    file, key = _split_path(path)
    if key and options.image_key:
        raise ValueError(
            "The images must be named once. Received: the key "
            f"{key!r} in the name and image_key={options.image_key!r}. Leave one of them out"
        )
    try:
        with h5py.File(file, "r") as opened:
            keys = _datasets(opened)
            if not keys:
                raise ValueError(f"An HDF5 file must hold a dataset. Received: {file} with none")
            image, label = array_files.choose_keys(
                keys,
                options.split,
                key or options.image_key,
                options.label_key,
                place=str(file),
            )
            _dataset(opened, image, file)  # Refuses other files.
            labels = None if label is None else np.asarray(_dataset(opened, label, file))
        return array_files.load_array(
            functools.partial(_open_rows, file, image),
            options,
            labels=labels,
            name=f"hdf5:{path}",
        )
    except OSError as error:
        raise ValueError(
            f"`hdf5:FILE` must name an HDF5 file that is whole. Received: {file} ({error})"
        ) from error


def _split_path(path: str) -> tuple[Path, str | None]:
    """Returns the file and the key in it, or None."""
    whole = files.path(path)
    for file in (whole, *whole.parents):
        if file.is_file():
            return file, None if file == whole else whole.relative_to(file).as_posix()
    raise ValueError(f"`hdf5:FILE` must name a file. Received: {whole}, which is none")


def _datasets(file: "h5py.File") -> list[str]:
    """Returns the names of the datasets of numbers with examples along axis 0."""
    import h5py

    names: list[str] = []

    def visit(name: str, value: object) -> None:
        if isinstance(value, h5py.Dataset) and value.ndim > 0:
            names.append(name)

    # Links to other files are not visited.
    file.visititems(visit)
    return names


def _dataset(file: "h5py.File", key: str, path: Path) -> "h5py.Dataset":
    dataset = file[key]
    if dataset.external or dataset.is_virtual:
        raise ValueError(
            f"The data must lie in the file that was named. Received: {key!r} in {path}, which "
            "reads other files. Copy it with `h5repack`"
        )
    return dataset


def _open_rows(path: Path, key: str) -> array_files.ArrayRows:
    import h5py

    return _dataset(h5py.File(path, "r"), key, path)
