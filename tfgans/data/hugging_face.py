"""Data sets of the Hugging Face hub, through the package `datasets`."""

import importlib.util
import io
import os
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tfgans import checks
from tfgans.data import paths
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

if TYPE_CHECKING:
    import datasets


class HuggingFaceStore(ImageStore):
    """The encoded images of a `datasets.Dataset`, which maps them from disk.

    Args:
        name: Name on the hub, or the folder of `Dataset.save_to_disk`.
        split: Name of a split. Defaults to `"train"`.
        image_key: Column of images. Defaults to None: the only one that there is.
        label_key: Column of integer labels. Defaults to None: the only one of class labels.

    Raises:
        ValueError: When the package is not installed, or there is no such data set, split or
            column.
    """

    def __init__(
        self,
        name: str,
        *,
        split: str = "train",
        image_key: str | None = None,
        label_key: str | None = None,
    ) -> None:
        if importlib.util.find_spec("datasets") is None:
            raise ValueError(
                f"'hf:{name}' needs the package `datasets`, which is not installed. Install it "
                f"with `{checks.install_command('hf')}`"
            )
        import datasets

        dataset = _load(name, split)
        images = [
            key for key, feature in dataset.features.items() if isinstance(feature, datasets.Image)
        ]
        classes = [
            key
            for key, feature in dataset.features.items()
            if isinstance(feature, datasets.ClassLabel)
        ]
        self._key = _column(image_key, images, dataset, "image_key")
        if label_key is None and len(classes) == 1:
            label_key = classes[0]
        labels, class_names = None, None
        if label_key is not None:
            label_key = _column(label_key, dataset.column_names, dataset, "label_key")
            labels = np.asarray(dataset[label_key])
            class_names = getattr(dataset.features[label_key], "names", None)
        self._dataset = dataset.cast_column(self._key, datasets.Image(decode=False))
        self._caches = [Path(datasets.config.HF_CACHE_HOME), Path(name).expanduser()]
        super().__init__(
            name,
            [f"row {index}" for index in range(len(dataset))],
            labels=labels,
            class_names=class_names,
        )

    def open(self, index: int) -> Path | BinaryIO:
        """Returns the content of an image, or its path in the cache of the package."""
        row = self._dataset[int(index)][self._key]
        if row["bytes"] is not None:
            return io.BytesIO(row["bytes"])
        path = Path(row["path"]).resolve()
        if not any(path.is_relative_to(cache.resolve()) for cache in self._caches):
            raise ValueError(f"its file {path} lies outside of the data set")
        return path

    def state(self) -> Hashable:
        """Returns the sizes and times of the files of the data set."""
        files = [file["filename"] for file in self._dataset.cache_files]
        stats = [(file, os.stat(file)) for file in files]
        return len(self), tuple((name, file.st_size, file.st_mtime_ns) for name, file in stats)


def open_hf(name: str, options: LoadOptions) -> HuggingFaceStore:
    """Returns the store of `"hf:NAME"`."""
    return HuggingFaceStore(
        name, split=options.split, image_key=options.image_key, label_key=options.label_key
    )


def _load(name: str, split: str) -> "datasets.Dataset":
    import datasets

    folder = Path(name).expanduser()
    try:
        if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
            loaded: Any = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(str(folder) if folder.is_dir() else name)
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"`hf:NAME` must name a data set of the hub or a folder of one. Received: {name!r} "
            f"({' '.join(str(error).split())})"
        ) from error
    if not isinstance(loaded, dict):
        loaded = {"train": loaded}
    same = [key for key in loaded if key == split]
    same = same or [key for key in loaded if paths.split_of(key) == (paths.split_of(split) or "")]
    if len(same) != 1:
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, loaded))} of {name!r}. Received: "
            f"{split!r}"
        )
    return loaded[same[0]]


def _column(key: str | None, columns: list[str], dataset: "datasets.Dataset", option: str) -> str:
    if key is None and len(columns) == 1:
        return columns[0]
    if key is None or key not in columns:
        raise ValueError(
            f"`{option}` (`--{option}`) must be one of the columns {columns}. Received: {key!r} "
            f"with the columns {dataset.column_names}"
        )
    return key
