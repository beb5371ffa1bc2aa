"""A picture of samples and the training images closest to them."""

import numpy as np

from tfgans import pictures


def neighbors_picture(samples: np.ndarray, closest: np.ndarray) -> np.ndarray:
    """Returns uint8 pixels: rows of samples, below each row the real images closest to them.

    Args:
        samples: float [num, height, width, channels] in [-1, 1].
        closest: float [num, height, width, channels], for example
            `real[nearest_neighbors(samples, real).indices]`.

    Raises:
        ValueError: If these are not images of the same shape.
    """
    shown, closest = np.asarray(samples), np.asarray(closest)
    if shown.ndim != 4 or shown.shape != closest.shape or not shown.size:
        raise ValueError(
            "Expected images [num, height, width, channels] and as many closest images. Received "
            f"shapes: {shown.shape} and {closest.shape}"
        )
    columns = min(8, len(shown))
    blank = np.full([-len(shown) % columns, *shown.shape[1:]], -1, shown.dtype)
    rows = [
        np.concatenate([images, blank]).reshape(-1, columns, *images.shape[1:])
        for images in (shown, closest.astype(shown.dtype))
    ]
    # A row of samples, a row of neighbors, and so on.
    both = np.stack(rows, axis=1).reshape(-1, columns, *shown.shape[1:])
    return pictures.titled_rows(both, ["sample", "closest"] * len(rows[0]))
