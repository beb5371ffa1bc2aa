"""Stacks three independent images as color channels: 1000 modes from ten digits."""

import numpy as np
import tensorflow as tf

from tfgans.data import draws
from tfgans.data.arrays import ArraySource
from tfgans.data.source import DrawnSource

_NUM_CHANNELS = 3


class StackedImages(DrawnSource):
    """Color images whose channels are gray images drawn independently, with replacement.

    The images come without end. With ten classes there are 1000 modes, label
    `100 * red + 10 * green + blue`: the mode-counting benchmark of Metz et al.

    Args:
        images: Gray images with labels 0, 1, ..., the largest, all of which occur.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"stacked_"` and the name of `images`.

    Attributes:
        num_channel_classes: Int, the classes of one channel.
        num_modes: Int, `num_channel_classes**3`; a mode is a class of the source.

    Raises:
        ValueError: If the images are not gray or have no labels.

    Reference:
        Metz et al., Unrolled Generative Adversarial Networks, arXiv 1611.02163.
    """

    def __init__(self, images: ArraySource, *, seed: int = 0, name: str | None = None) -> None:
        if images.data_shape[2:] != (1,) or images.labels is None:
            has_labels = "labels" if images.labels is not None else "no labels"
            raise ValueError(
                f"`images` must be gray and have labels. Received: {images.name!r} of shape "
                f"{images.data_shape}, with {has_labels}"
            )
        if images.flip:
            raise ValueError(
                "The channels of stacked images are not mirrored. Received: `images` with flip=True"
            )
        self.num_channel_classes = len(np.unique(images.labels))
        if images.labels.min() != 0 or images.labels.max() != self.num_channel_classes - 1:
            raise ValueError(
                f"The labels of `images` must be 0, 1, ..., the largest. Received: "
                f"{np.unique(images.labels)[:20]}"
            )
        self.num_modes = self.num_channel_classes**_NUM_CHANNELS
        self._images = images
        self._channel_shares = np.bincount(images.labels) / images.num_examples
        # The place values of the red, green and blue classes in the number of the mode.
        self._place_values = self.num_channel_classes ** np.arange(_NUM_CHANNELS)[::-1]
        super().__init__(
            name=f"stacked_{images.name}" if name is None else name,
            data_shape=(*images.data_shape[:2], _NUM_CHANNELS),
            num_classes=self.num_modes,
            seed=seed,
        )

    @property
    def class_shares(self) -> np.ndarray:
        """The probability of each mode: float64 `[num_modes]`.

        The product of the shares of its three classes among the gray images, for the channels are
        drawn independently.
        """
        shares = self._channel_shares
        return np.kron(np.kron(shares, shares), shares)

    def _indices(self, n: int, key: tf.Tensor) -> tf.Tensor:
        return draws.integers([n, _NUM_CHANNELS], key, self._images.num_examples)

    def draw_labels(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns the modes of `draw(n, key)`: integers `[n]`."""
        classes = tf.gather(self._images.labels, self._indices(n, key))
        return tf.reduce_sum(classes * self._place_values, axis=1)

    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""
        channels = self._images.rows(self._indices(n, key))  # [n, 3, height, width, 1]
        return tf.transpose(channels[..., 0], [0, 2, 3, 1])
