"""Generated examples as pictures: a grid of images, or a plot of points."""

import math
import os
from typing import Any

import numpy as np

from tfgans import files

# Small images are enlarged by a whole factor until a tile has about this many pixels a side.
_TILE_SIDE = 48
_GAP = 2
# From black to white.
_INK = " .:-=+*#%@"


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Returns images in [-1, 1] as uint8 in [0, 255]; what lies outside is clipped, NaN black."""
    clipped = np.nan_to_num(np.clip(images, -1.0, 1.0), nan=-1.0)
    return np.round((clipped + 1.0) * 127.5).astype(np.uint8)


def image_grid(images: np.ndarray) -> np.ndarray:
    """Returns one picture, uint8 [height, width, 1 or 3], of images laid out row by row.

    Args:
        images: float [num, height, width, channels] in [-1, 1]. Three channels and more are shown
            as RGB by the first three, fewer as grey by the first.

    Raises:
        ValueError: If these are not images, or there are none.
    """
    if images.ndim != 4 or not images.size:
        raise ValueError(
            "A grid is of images [num, height, width, channels], at least one. "
            f"Received: shape {images.shape}"
        )
    channels = 3 if images.shape[-1] >= 3 else 1
    num, height, width, _ = images.shape
    images = images[..., :channels]
    columns = math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    scale = max(1, round(_TILE_SIDE / max(height, width)))
    tiles = to_uint8(images).repeat(scale, axis=1).repeat(scale, axis=2)
    cell_height, cell_width = height * scale + _GAP, width * scale + _GAP
    grid = np.full((rows * cell_height + _GAP, columns * cell_width + _GAP, channels), 64, np.uint8)
    for index, tile in enumerate(tiles):
        top = _GAP + index // columns * cell_height
        left = _GAP + index % columns * cell_width
        grid[top : top + height * scale, left : left + width * scale] = tile
    return grid


def picture(samples: np.ndarray) -> np.ndarray:
    """Returns uint8 [height, width, 1 or 3]: a grid of images, or a plot of vectors.

    Vectors [num, dim] are drawn as a scatter plot of their first two coordinates, and as a
    histogram where there is only one; those that are not finite are left out.

    Raises:
        ValueError: If the samples are neither.
    """
    return _plot(samples) if samples.ndim == 2 else image_grid(samples)


def save_png(path: str | os.PathLike[str], samples: np.ndarray) -> np.ndarray:
    """Writes `picture(samples)` as a PNG, atomically, and returns it."""
    from PIL import Image

    pixels = picture(samples)
    with files.atomic_write(path) as temporary:
        Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
            temporary, format="PNG"
        )
    return pixels


def text(images: np.ndarray) -> str:
    """Returns small images side by side as characters, for a terminal: two a pixel.

    Args:
        images: float [num, height, width, channels] in [-1, 1]; channels are averaged.
    """
    levels = to_uint8(images).mean(axis=-1) * (len(_INK) - 1) / 255
    ink = np.array(list(_INK))[levels.round().astype(int)]
    rows = ink.repeat(2, axis=2).transpose(1, 0, 2)
    return "\n".join("  ".join("".join(tile) for tile in row).rstrip() for row in rows)


def _plot(points: np.ndarray) -> np.ndarray:
    # Figures without pyplot: no global state, no screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100)
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    points = points[np.isfinite(points).all(axis=1)]
    if points.shape[1] == 1:
        axes.hist(points[:, 0], bins=50)
    else:
        axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.5, linewidths=0)
        axes.set_aspect("equal", adjustable="datalim")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
