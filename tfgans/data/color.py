"""Tints each gray image with a random color."""

import numpy as np

from tfgans.data import draws
from tfgans.data.arrays import ArraySource
from tfgans.random import Role


def tint(images: ArraySource, *, seed: int = 0, name: str | None = None) -> ArraySource:
    """Returns the images in color: a black background and a random color for each image.

    The paper of Fedus et al. (arXiv 1710.08446, "Color MNIST") does not state its coloring.
    Here image `i` gets the color `c / max(c)`, with `c ~ U[0, 1)^3` a pure function of the seed
    and `i`: the brightest channel is full, so that every digit can be read. A pixel of gray value
    `g` in {0, ..., 255} becomes `round(g * c / max(c))`. The seed therefore decides the data, not
    only their order.

    Args:
        images: Gray uint8 images.
        seed: Int. Decides the colors and the order. Default: 0.
        name: String for errors and reports. Default: `"color_"` and the name of `images`.

    Raises:
        ValueError: If the images are not gray or not uint8.
    """
    gray = images.array
    if images.data_shape[2:] != (1,) or gray.dtype != np.uint8:
        raise ValueError(
            f"`images` must be gray and uint8. Received: {images.name!r}, {gray.dtype} of shape "
            f"{images.data_shape}"
        )
    colors = draws.uniform([len(gray), 3], draws.key(seed, Role.DATA_COLOR)).numpy()
    colors = np.rint(255 * colors / colors.max(axis=1, keepdims=True)).astype(np.uint16)
    # Integers: 255 * 255 + 127 fits in 16 bits, and adding 127 rounds to nearest.
    tinted = (gray * colors[:, np.newaxis, np.newaxis, :] + 127) // 255
    return ArraySource(
        tinted.astype(np.uint8),
        labels=images.labels,
        class_names=images.class_names,
        flip=images.flip,
        seed=seed,
        name=f"color_{images.name}" if name is None else name,
    )
