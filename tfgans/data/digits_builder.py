"""The tensorflow-datasets builder of scikit-learn's digits. Importing this module registers it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_TEST_EVERY = 5


class TfgansDigits(tfds.core.GeneratorBasedBuilder):
    """1797 handwritten digits of 8x8 pixels, bundled with scikit-learn: nothing is downloaded.

    The gray values 0 to 16 are scaled to 0 to 255. Every fifth digit of each class goes to the
    test split, so both splits have the classes in the same proportions: 1437 and 360 examples.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            description=type(self).__doc__,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # Nothing to download.
        from sklearn.datasets import load_digits

        digits = load_digits()
        # Sorted by class, for every fifth index alone would favor two classes: they come in turn.
        order = np.argsort(digits.target, kind="stable")
        is_test = np.arange(len(order)) % _TEST_EVERY == 0
        return {
            "train": self._generate_examples(digits, np.sort(order[~is_test])),
            "test": self._generate_examples(digits, np.sort(order[is_test])),
        }

    def _generate_examples(
        self, digits: Any, indices: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index in indices:
            image = np.rint(digits.images[index] * (255 / 16)).astype(np.uint8)
            yield int(index), {"image": image[..., np.newaxis], "label": digits.target[index]}
