"""Fashion-MNIST, of Debian's package or of tensorflow-datasets."""

import os
from pathlib import Path

from tfgans.data import idx, tfds_images
from tfgans.data.indexed import IndexedSource

# Where `apt-get install dataset-fashion-mnist` puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def load_fashion_mnist(
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    fit: str = "crop",
    flip: bool = False,
    seed: int = 0,
) -> IndexedSource:
    """Returns the 60 000 training or 10 000 test images of clothes, 28 x 28, of ten classes.

    The files of Debian's package `dataset-fashion-mnist` are read where they are installed, unless
    `data_dir` or `download` asks for tensorflow-datasets. `origin` of the source says which.

    Args:
        split: `"train"` (default) or `"test"`.
        image_size: Integer or (height, width) to resize to. Defaults to None: 28.
        data_dir: See `tfds_images.load_images`.
        download: See `tfds_images.load_images`.
        fit: See `ImageOptions`.
        flip: See `IndexedSource`.
        seed: Integer. Decides the order. Defaults to 0.

    Raises:
        ValueError: When the split is unknown, or the data are absent and `download` is False.

    Reference:
        Xiao, Rasul and Vollgraf, arXiv 1708.07747.
    """
    if data_dir is None and not download and DEBIAN_FOLDER.is_dir():
        source = idx.load_idx(
            DEBIAN_FOLDER,
            split=split,
            image_size=image_size,
            fit=fit,
            flip=flip,
            seed=seed,
            name="fashion_mnist",
            class_names=CLASS_NAMES,
        )
        source.origin = f"{DEBIAN_FOLDER} (Debian's dataset-fashion-mnist)"
        return source
    return tfds_images.load_images(
        "fashion_mnist",
        split=split,
        image_size=image_size,
        data_dir=data_dir,
        download=download,
        fit=fit,
        flip=flip,
        seed=seed,
    )
