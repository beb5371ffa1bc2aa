"""Images that tensorflow-datasets prepares: read once, resized once, then held in memory."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.data import resize
from tfgans.data.arrays import ArraySource
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions

_READ_BATCH = 128


@dataclass(frozen=True)
class _Dataset:
    builder: str
    splits: tuple[str, ...] = ("train", "test")
    bundled: bool = False
    crop: int | None = None
    default_size: tuple[int, int] | None = None


DATASETS = {
    "digits": _Dataset("tfgans_digits", bundled=True),
    "mnist": _Dataset("mnist"),
    "fashion_mnist": _Dataset("fashion_mnist"),
    "kmnist": _Dataset("kmnist"),
    "cifar10": _Dataset("cifar10"),
    # 148 pixels of the 218 x 178 keep the face and drop most of the background.
    "celeb_a": _Dataset(
        "celeb_a", splits=("train", "validation", "test"), crop=148, default_size=(64, 64)
    ),
}


def load_images(
    name: str,
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    fit: str = "crop",
    background: str = "white",
    flip: bool = False,
    seed: int = 0,
) -> ArraySource:
    """Returns one split of a dataset as uint8 images in memory.

    Each image is decoded once and cropped and resized on the way in, so that memory holds the
    result alone. Of celeb_a the central 148 x 148 pixels are kept; at its default of 64 x 64 it
    takes 2 GB, twice that while `tf.data` reads it, three times while it is loaded, which takes
    minutes.

    Args:
        name: A key of `DATASETS`.
        split: `"train"` (default), `"test"`, and for celeb_a `"validation"`.
        image_size: Int or (height, width) to resize to. Default: the size as stored; for celeb_a,
            64.
        data_dir: Folder of prepared datasets. Default: the environment variable
            `TFGANS_DATA_DIR`, or else `~/.cache/tfgans`.
        download: Whether to download and prepare what the folder lacks. Default: False. The
            digits are prepared in either case: they come with scikit-learn.
        fit: See `ImageOptions`.
        background: Color of the margins of `fit="pad"`, see `ImageOptions`.
        flip: See `IndexedSource`.
        seed: Int. Decides the order. Default: 0.

    Raises:
        ValueError: If the split is unknown, the background has no effect, or the data are absent
            and `download` is False.
    """
    dataset = DATASETS[name]
    checks.choice("split", split, dataset.splits)
    size = resize.parse_size(image_size) or dataset.default_size
    options = ImageOptions(size, fit, background)
    builder = _prepared(name, dataset, data_directory(data_dir), download)
    features = builder.info.features
    height, width, channels = features["image"].shape
    resize.check_background(options, channels, name)
    shape = (*(size or (height, width)), channels)

    def fitted(pixels: np.ndarray) -> np.ndarray:
        return (
            pixels if size is None else resize.fit_array(pixels, size, options, crop=dataset.crop)
        )

    labels: list[int] = []
    stream = _read(builder, split, fitted, labels)
    # Grows as it reads, where a list of images would need the memory twice in the end.
    images = np.fromiter(stream, dtype=np.dtype((np.uint8, shape)))
    source = ArraySource(
        images,
        labels=np.asarray(labels) if labels else None,
        class_names=features["label"].names if "label" in features else None,
        flip=flip,
        seed=seed,
        name=name,
    )
    source.origin = str(builder.data_path)
    return source


def load_prepared(name: str, options: LoadOptions) -> ArraySource:
    """Returns `load_images` of the options of `tfgans.data.load`."""
    return load_images(
        name,
        split=options.split,
        image_size=options.image_size,
        data_dir=options.data_dir,
        download=options.download,
        fit=options.fit,
        background=options.background,
        flip=options.flip,
        seed=options.seed,
    )


def data_directory(data_dir: str | os.PathLike[str] | None) -> Path:
    """Returns the folder of prepared datasets: the argument, the environment's, or the default."""
    chosen = data_dir or os.environ.get("TFGANS_DATA_DIR") or "~/.cache/tfgans"
    return Path(chosen).expanduser()


def _prepared(name: str, dataset: _Dataset, directory: Path, download: bool) -> Any:
    import tensorflow_datasets as tfds

    if dataset.bundled:
        return _prepared_digits(directory)
    builder = tfds.builder(dataset.builder, data_dir=directory)
    if _is_prepared(builder):
        return builder
    if not download:
        raise ValueError(
            f"{name!r} is not in {directory}. Pass the `data_dir` that holds it, or "
            "`download=True` to fetch it"
        )
    builder.download_and_prepare()
    return builder


def _prepared_digits(directory: Path) -> Any:
    from tfgans.data.digits_builder import TfgansDigits

    builder = TfgansDigits(data_dir=directory)
    if _is_prepared(builder):
        return builder
    # Two seconds need no progress bar. What goes wrong is raised, not printed.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            builder.download_and_prepare()
        except OSError:
            # tfds prepares in a temporary folder and renames it, which fails when another
            # process was first. Then the copy of that process serves as well.
            if not _is_prepared(TfgansDigits(data_dir=directory)):
                raise
    return TfgansDigits(data_dir=directory)


def _is_prepared(builder: Any) -> bool:
    # tfds would log a warning about a folder that does not exist.
    return builder.data_path.exists() and builder.is_prepared()


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
