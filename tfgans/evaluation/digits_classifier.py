"""A classifier of the bundled digits: features without a download."""

import itertools
import math
import os
from typing import cast

import numpy as np
from scipy import special

from tfgans.data import ArraySource, load
from tfgans.evaluation import weights_cache
from tfgans.evaluation.extractors import Extractor, Features, checksum
from tfgans.images import from_uint8

_HIDDEN = (128, 64)
_CACHED = "digits-classifier-1"
_SHAPE = (8, 8)


class DigitsClassifier(Extractor):
    """Features of 8x8 digits: the last hidden layer of a classifier trained on them.

    scikit-learn's multilayer perceptron (128 and 64 ReLUs) is trained on the 1437 training digits,
    in seconds, once: the weights are kept in the cache folder and read from there afterwards. The
    360 test digits only serve to state its accuracy. The channels of an image are classified
    separately and their features are joined, so that it also fits the stacked digits; only images
    with a single channel have probabilities.

    Training is bit-reproducible only on the same machine. Records hold the checksum of the weights,
    and are comparable only if it is the same.

    Args:
        data_dir: Path, the folder of the cached weights. Default: that of `tfgans.data.load`.

    Call arguments:
        examples: [num, 8, 8, channels], float in [-1, 1] or uint8. Returns `Features` of dimension
            64 for each channel, and for a single channel the probabilities of the ten digits.

    Attributes:
        accuracy: Float, the share of the 360 test digits that are classified correctly.

    Raises:
        ValueError: On call, if the examples are not 8x8 images.

    Example:

    ```python
    extractor = tfgans.evaluation.DigitsClassifier()
    digits = tfgans.data.load("digits")
    features, probabilities = extractor(digits.array[:5])
    print(probabilities.argmax(axis=1), digits.labels[:5])
    ```
    """

    num_classes = 10

    def __init__(self, *, data_dir: str | os.PathLike[str] | None = None) -> None:
        sizes = (math.prod(_SHAPE), *_HIDDEN, self.num_classes)
        shapes = [shape for pair in itertools.pairwise(sizes) for shape in (pair, pair[1:])]
        self._weights = weights_cache.cached(_CACHED, shapes, _train, data_dir=data_dir)
        super().__init__("digits_classifier", checksum=checksum(self._weights))
        held_out = _digits("test")
        probabilities = self.probabilities(held_out.array)
        self.accuracy = float(np.mean(probabilities.argmax(axis=1) == held_out.labels))

    def extract(self, examples: np.ndarray) -> Features:
        """Returns the features and, for a single channel, the probabilities of the digits."""
        if examples.ndim != 4 or examples.shape[1:3] != _SHAPE:
            raise ValueError(
                "`DigitsClassifier` takes images [num, 8, 8, channels]. Received shape: "
                f"{examples.shape}. Use `inception_2015` or `keras_model` for other images"
            )
        num, _, _, channels = examples.shape
        rows = np.moveaxis(examples, 3, 1).reshape(num * channels, -1).astype(np.float64)
        for weights, bias in (self._weights[:2], self._weights[2:4]):
            rows = np.maximum(rows @ weights + bias, 0)
        features = rows.reshape(num, -1)
        if channels > 1:
            return Features(features)
        return Features(features, special.softmax(rows @ self._weights[4] + self._weights[5], 1))


def _digits(split: str) -> ArraySource:
    return cast(ArraySource, load("digits", split=split))


def _train() -> list[np.ndarray]:
    from sklearn.neural_network import MLPClassifier

    digits = _digits("train")
    classifier = MLPClassifier(_HIDDEN, alpha=1e-3, max_iter=500, random_state=0)
    classifier.fit(
        from_uint8(digits.array.reshape(len(digits.array), -1), "float64"), digits.labels
    )
    layers = zip(classifier.coefs_, classifier.intercepts_, strict=True)
    return [np.asarray(array) for layer in layers for array in layer]
