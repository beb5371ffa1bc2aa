"""Samples beside the training images that they are closest to."""

import numpy as np

from tfgans import checks, pictures
from tfgans.metrics.neighbours import nearest_neighbours


def neighbours_picture(samples: np.ndarray, real: np.ndarray, *, num: int = 32) -> np.ndarray:
    """Returns uint8 pixels: rows of samples, below each row their closest real images.

    Args:
        samples: float [num_samples, height, width, channels] in [-1, 1].
        real: float [num_real, height, width, channels] in [-1, 1]; two at least.
        num: Int of at least 1, the first samples that are shown. Default: 32.

    Raises:
        ValueError: If these are not images of one shape.
    """
    shown = np.asarray(samples)[: checks.positive_int("num", num)]
    if shown.ndim != 4:
        raise ValueError(
            f"Expected images [num, height, width, channels]. Received shape: {shown.shape}"
        )
    closest = np.asarray(real)[nearest_neighbours(shown, real).indices]
    columns = min(8, len(shown))
    blank = np.full([-len(shown) % columns, *shown.shape[1:]], -1, shown.dtype)
    rows = [
        np.concatenate([images, blank]).reshape(-1, columns, *images.shape[1:])
        for images in (shown, closest.astype(shown.dtype))
    ]
    # A row of samples, a row of neighbours, and so on.
    both = np.stack(rows, axis=1).reshape(-1, columns, *shown.shape[1:])
    return pictures.titled_rows(both, ["sample", "closest"] * len(rows[0]))
