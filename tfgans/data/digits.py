"""The handwritten digits that ship with scikit-learn."""

import hashlib
from functools import partial

import numpy as np

from tfgans import checks
from tfgans.data import array_files
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions

_TEST_EVERY = 5


def load_digits(place: str, options: LoadOptions) -> IndexedSource:
    """Returns the 1437 training or 360 test digits of 8x8 pixels, gray values 0 to 16 times 255/16.

    Every fifth digit of each class goes to the test split, so both splits have the classes in the
    same proportions.

    Raises:
        ValueError: If the split is unknown, or the background has no effect.

    Reference:
        https://archive.ics.uci.edu/dataset/80
    """
    del place
    import sklearn
    from sklearn import datasets

    split = checks.choice("split", options.split, ("train", "test"))
    digits = datasets.load_digits()
    # Sorted by class, for every fifth index alone would favor two classes: they come in turn.
    order = np.argsort(digits.target, kind="stable")
    is_test = np.arange(len(order)) % _TEST_EVERY == 0
    # The order that tensorflow-datasets gave them: earlier results can be repeated.
    chosen = sorted(order[is_test if split == "test" else ~is_test], key=partial(_hash, split))
    images = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
    source = array_files.load_array(
        partial(np.asarray, images),
        options,
        labels=digits.target[chosen],
        class_names=[str(name) for name in digits.target_names],
        name="digits",
    )
    source.origin = f"scikit-learn {sklearn.__version__}"
    return source


def _hash(split: str, index: int) -> bytes:
    return hashlib.md5(f"{split}{index}".encode(), usedforsecurity=False).digest()
