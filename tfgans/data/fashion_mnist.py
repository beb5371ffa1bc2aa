"""Fashion-MNIST, of Debian's package or of tensorflow-datasets."""

from pathlib import Path

from tfgans.data import idx, tfds_images
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

# Where `apt-get install dataset-fashion-mnist` puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def load_fashion_mnist(place: str, options: LoadOptions) -> IndexedSource:
    """Returns the 60 000 training or 10 000 test images of clothes, 28 x 28, of ten classes.

    The files of Debian's package `dataset-fashion-mnist` are read where they are installed, unless
    `data_dir` or `download` asks for tensorflow-datasets. `origin` of the source says which.

    Raises:
        ValueError: If the split is unknown, or the data are absent and `download` is False.

    Reference:
        Xiao, Rasul and Vollgraf, arXiv 1708.07747.
    """
    del place
    if options.data_dir is not None or options.download or not DEBIAN_FOLDER.is_dir():
        return tfds_images.load_prepared("fashion_mnist", options)
    source = idx.load_idx(DEBIAN_FOLDER, options, name="fashion_mnist", class_names=CLASS_NAMES)
    source.origin = f"{DEBIAN_FOLDER} (Debian's dataset-fashion-mnist)"
    return source
