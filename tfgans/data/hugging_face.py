"""Data sets of the Hugging Face hub, through the package `datasets`."""

import contextlib
import importlib.util
import io
import os
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tfgans import checks, files
from tfgans.data import paths
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

if TYPE_CHECKING:
    import datasets


class HuggingFaceStore(ImageStore):
    """The encoded images of a `datasets.Dataset`, which maps them from disk.

    Args:
        name: Name on the hub; or a folder, of `Dataset.save_to_disk` or of files that the package
            reads.
        options: The split; `download`, whether to fetch a data set of the hub that is not in the
            package's cache; and `image_key` and `label_key`, the columns of images and of integer
            labels. Default of None: the only column of images, and the only one of class labels.

    Raises:
        ValueError: If the package is not installed, or there is no such data set, split or
            column.
    """

    def __init__(self, name: str, options: LoadOptions) -> None:
        if importlib.util.find_spec("datasets") is None:
            raise ValueError(
                f"'hf:{name}' needs the package `datasets`, which is not installed. Install it "
                f"with `{checks.install_command('hf')}`"
            )
        import datasets
        import huggingface_hub

        download = checks.boolean("download", options.download)
        dataset = _load(name, options.split, download=download)
        images, classes = (
            [key for key, feature in dataset.features.items() if isinstance(feature, kind)]
            for kind in (datasets.Image, datasets.ClassLabel)
        )
        self._key = _column(options.image_key, images, dataset, "image_key")
        label_key = options.label_key
        if label_key is None and len(classes) == 1:
            label_key = classes[0]
        labels, class_names = None, None
        if label_key is not None:
            label_key = _column(label_key, dataset.column_names, dataset, "label_key")
            labels = np.asarray(dataset[label_key])
            class_names = getattr(dataset.features[label_key], "names", None)
        self._dataset = dataset.cast_column(self._key, datasets.Image(decode=False))
        config = datasets.config
        self._caches = [
            *(Path(config.HF_CACHE_HOME), Path(config.HF_DATASETS_CACHE)),
            *(Path(config.DOWNLOADED_DATASETS_PATH), Path(huggingface_hub.constants.HF_HUB_CACHE)),
            files.path(name),
        ]
        super().__init__(name, len(dataset), labels=labels, class_names=class_names)

    def title(self, index: int) -> str:
        """Returns, say, `row 3`."""
        return f"row {index}"

    def open(self, index: int) -> Path | BinaryIO:
        """Returns the content of an image, or its path in the cache of the package."""
        row = self._dataset[int(index)][self._key]
        if row is None or (row["bytes"] is None and row["path"] is None):
            raise ValueError("the row has no image")
        if row["bytes"] is not None:
            return io.BytesIO(row["bytes"])
        path = Path(row["path"]).resolve()
        if not any(path.is_relative_to(cache.resolve()) for cache in self._caches):
            raise ValueError(f"its file {path} lies outside of the data set")
        return path

    def state(self) -> Hashable:
        """Returns the column of the images, and the sizes and times of the files."""
        files = [file["filename"] for file in self._dataset.cache_files]
        stats = [(file, os.stat(file)) for file in files]
        states = tuple((name, file.st_size, file.st_mtime_ns) for name, file in stats)
        return self._key, self.num_images, states


def is_folder(name: str) -> bool:
    """Returns whether the data set of a name is a folder, and not of the hub."""
    return files.path(name).is_dir()


def _load(name: str, split: str, *, download: bool) -> "datasets.Dataset":
    import datasets

    folder = files.path(name)
    try:
        if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
            loaded: Any = datasets.load_from_disk(str(folder))
        elif is_folder(name):
            loaded = datasets.load_dataset(str(folder))
        else:
            with contextlib.nullcontext() if download else _offline():
                loaded = datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError) as error:
        remedy = ""
        if not download and not is_folder(name):
            remedy = ". To fetch it from the hub, use `download=True`"
        raise ValueError(
            f"`hf:NAME` must name a data set of the hub or a folder of one. Received: {name!r} "
            f"({' '.join(str(error).split())}){remedy}"
        ) from error
    if not isinstance(loaded, dict):
        loaded = {"train": loaded}
    return loaded[paths.choose_split(name, [*loaded], split)]


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Has the package read its cache only, as with the environment variable `HF_HUB_OFFLINE`."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _column(key: str | None, columns: list[str], dataset: "datasets.Dataset", option: str) -> str:
    if key is None and len(columns) == 1:
        return columns[0]
    if key is None or key not in columns:
        raise ValueError(
            f"`{option}` must be one of the columns {columns}. Received: {key!r} "
            f"with the columns {dataset.column_names}"
        )
    return key
