"""Images that tensorflow-datasets prepares: read once, resized once, then held in memory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.data import resize
from tfgans.data.arrays import ArraySource
from tfgans.data.load_options import LoadOptions

_READ_BATCH = 128


# Beside `train` and `test`; 148 pixels of the 218 x 178 keep the face and little background.
_SPLITS = {"celeb_a": ("validation",)}
_CROPS = {"celeb_a": 148}
_DEFAULT_SIZES = {"celeb_a": (64, 64)}


def load_prepared(name: str, options: LoadOptions) -> ArraySource:
    """Returns a split of a dataset of tensorflow-datasets as uint8 images in memory.

    Each image is decoded once and cropped and resized on the way in, so that memory holds the
    result alone. Of celeb_a the central 148 x 148 pixels are kept; at its default of 64 x 64 it
    takes 2 GB, twice that while `tf.data` reads it, three times while it is loaded, which takes
    minutes.

    Args:
        name: Name of the dataset.
        options: The split, the form of the images, the seed, and `data_dir` and `download`.

    Raises:
        ValueError: If the split is unknown, the background has no effect, or the data are absent
            and `download` is False.
    """
    checks.choice("split", options.split, ("train", *_SPLITS.get(name, ()), "test"))
    builder = _prepared(name, data_directory(options.data_dir), options.download)
    form = options.of_images()
    size = form.size or _DEFAULT_SIZES.get(name)
    form = replace(form, size=size)
    features = builder.info.features
    height, width, channels = features["image"].shape
    resize.check_background(form, channels, name)

    def fitted(pixels: np.ndarray) -> np.ndarray:
        return (
            pixels if size is None else resize.fit_array(pixels, size, form, crop=_CROPS.get(name))
        )

    labels: list[int] = []
    stream = _read(builder, options.split, fitted, labels)
    shape = (*(size or (height, width)), channels)
    # Grows as it reads, where a list of images would need the memory twice in the end.
    images = np.fromiter(stream, dtype=np.dtype((np.uint8, shape)))
    source = ArraySource(
        images,
        labels=np.asarray(labels) if labels else None,
        class_names=features["label"].names if "label" in features else None,
        flip=options.flip,
        seed=options.seed,
        name=name,
    )
    source.origin = str(builder.data_path)
    return source


def data_directory(data_dir: str | os.PathLike[str] | None) -> Path:
    """Returns the folder of prepared datasets: the argument, the environment's, or the default."""
    chosen = data_dir or os.environ.get("TFGANS_DATA_DIR") or "~/.cache/tfgans"
    return Path(chosen).expanduser()


def _prepared(name: str, directory: Path, download: bool) -> Any:
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=directory)
    # tfds would log a warning about a folder that does not exist.
    if builder.data_path.exists() and builder.is_prepared():
        return builder
    if not download:
        raise ValueError(
            f"{name!r} is not in {directory}. Pass the `data_dir` that holds it, or "
            "`download=True` to fetch it"
        )
    builder.download_and_prepare()
    return builder


def _read(
    builder: Any,
    split: str,
    fitted: Callable[[np.ndarray], np.ndarray],
    labels: list[int],
) -> Iterator[np.ndarray]:
    """Yields each image, fitted, and appends its label, if it has one, to `labels`."""
    examples = builder.as_dataset(split=split, shuffle_files=False)
    for batch in examples.batch(_READ_BATCH).as_numpy_iterator():
        labels.extend(batch.get("label", ()))
        for image in batch["image"]:
            yield fitted(image)
