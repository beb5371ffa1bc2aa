"""Generated examples as pictures: a grid of images, or a plot of points."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import files
from tfgans.images import to_uint8

# Small images are enlarged by a whole factor until a tile is about as many pixels high and wide.
_TILE_SIDE = 48
_GAP = 2
_BACKGROUND = 64
# Of the weights beside the rows of a mixture, in pixels.
_FONT_SIZE = 14
_MARGIN = 4
_LONGEST_TITLE = 24
# Of a plot's legend: more components stand in several columns, of this width in inches.
_LEGEND_ROWS = 16
_LEGEND_COLUMN_WIDTH = 0.95
# From black to white.
_INK = " .:-=+*#%@"


def image_grid(images: np.ndarray) -> np.ndarray:
    """Returns a picture, uint8 [height, width, 1 or 3], of images laid out row by row.

    Args:
        images: float [num, height, width, channels] in [-1, 1]. Four channels are shown as RGBA
            on the gray of the gaps, three or more than four as RGB by the first three, fewer as
            gray by the first.

    Raises:
        ValueError: If these are not images, or there are none.
    """
    if images.ndim != 4 or not images.size:
        raise ValueError(
            "`images` must be images [num, height, width, channels], and not empty. "
            f"Received: shape {images.shape}"
        )
    return _lay_out(images, columns=math.ceil(math.sqrt(len(images))))


def component_rows(samples: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns a picture, uint8 [height, width, 1 or 3], of the samples of each component.

    Images have one row per component, with its weight at the left. Vectors have a single plot, as
    in `picture`, with one color per component and a legend of the weights.

    Args:
        samples: float [num_components, num, height, width, channels], shown as by `image_grid`, or
            [num_components, num, dim].
        probabilities: float [num_components], the weights.

    Raises:
        ValueError: If the samples are neither, there are none, or the weights are not as many.
    """
    probabilities = np.asarray(probabilities)
    if samples.ndim in (3, 5) and probabilities.shape != samples.shape[:1]:
        raise ValueError(
            f"`probabilities` must have shape {samples.shape[:1]}, a weight a component. "
            f"Received: shape {probabilities.shape}"
        )
    return titled_rows(samples, [f"{weight:.2f}" for weight in probabilities.ravel()], "weight")


def titled_rows(samples: np.ndarray, titles: Sequence[str], legend: str = "") -> np.ndarray:
    """Returns a picture, uint8 [height, width, 1 or 3], of groups of samples with titles.

    Args:
        samples: float [num_groups, num, height, width, channels]: a row a group, its title at the
            left; or [num_groups, num, dim]: a plot with a color for each group.
        titles: List of strings, a title for each group.
        legend: String above the titles of a plot. Default: none.

    Raises:
        ValueError: If the samples are neither, or there are none.
    """
    if samples.ndim not in (3, 5) or not samples.size:
        raise ValueError(
            "Samples in groups are images [num_groups, num, height, width, channels] or vectors "
            f"[num_groups, num, dim], and not empty. Received: shape {samples.shape}"
        )
    return _groups(list(samples), titles, legend)


def class_rows(samples: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Returns a picture, uint8 [height, width, 1 or 3], of samples by class.

    Images have a row for each class that occurs, or several rows if it has more samples than the
    grid has columns; its name is at the left. Vectors have a single plot, as in `picture`, with a
    color a class and a legend of the names.

    Args:
        samples: float [num, height, width, channels], shown as by `image_grid`, or [num, dim].
        labels: Int [num], the class of each.
        class_names: List of strings, the name of each class, as `tfgans.class_names.fill` gives.

    Raises:
        ValueError: If the samples are neither, there are none, or the labels are not as many.
    """
    labels = np.asarray(labels)
    if samples.ndim not in (2, 4) or not samples.size or labels.shape != samples.shape[:1]:
        raise ValueError(
            "Samples by class are images [num, height, width, channels] or vectors [num, dim], not "
            f"empty, with a label each. Received: shape {samples.shape} and labels of shape "
            f"{labels.shape}"
        )
    present = np.unique(labels).tolist()
    groups = [samples[labels == label] for label in present]
    return _groups(groups, [class_names[label] for label in present], "class")


def picture(samples: np.ndarray) -> np.ndarray:
    """Returns uint8 [height, width, 1 or 3]: a grid of images, or a plot of vectors.

    Vectors [num, dim] are drawn as a scatter plot of their first two coordinates, and as a
    histogram if there is only a single coordinate; vectors that are not finite are left out.

    Raises:
        ValueError: If the samples are neither.
    """
    return _plot([samples]) if samples.ndim == 2 else image_grid(samples)


def save_png(path: str | os.PathLike[str], samples: np.ndarray) -> np.ndarray:
    """Writes `picture(samples)` as a PNG, atomically, and returns it."""
    pixels = picture(samples)
    write_png(path, pixels)
    return pixels


def write_png(path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    """Writes a picture, uint8 [height, width, 1 to 4], as a PNG, atomically."""
    from PIL import Image

    with files.atomic_write(path) as temporary:
        Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
            temporary, format="PNG"
        )


def save_files(folder: str | os.PathLike[str], images: np.ndarray) -> None:
    """Writes each image as a PNG file of its size, named `00000.png`, `00001.png` and so on.

    More than 100 000 images have names of more digits, so that all sort in the order of the images.

    Args:
        folder: The folder; it is made if it is missing.
        images: float [num, height, width, channels] in [-1, 1]: gray, gray and alpha, RGB or RGBA.

    Raises:
        ValueError: If these are not images of up to four channels.
    """
    if images.ndim != 4 or images.shape[-1] > 4:
        raise ValueError(
            "PNG files hold images [num, height, width, channels] of up to 4 channels. Received: "
            f"shape {images.shape}"
        )
    num_digits = max(5, len(str(len(images) - 1)))
    for index, pixels in enumerate(to_uint8(images)):
        write_png(files.path(folder) / f"{index:0{num_digits}}.png", pixels)


def text(images: np.ndarray) -> str:
    """Returns small images side by side as characters, two for each pixel, for a terminal.

    Args:
        images: float [num, height, width, channels] in [-1, 1]; channels are averaged, of RGBA
            in front of black.
    """
    pixels = _composite(images, 0) if images.shape[-1] == 4 else to_uint8(images)
    levels = pixels.mean(axis=-1) * (len(_INK) - 1) / 255
    ink = np.array(list(_INK))[levels.round().astype(int)]
    rows = ink.repeat(2, axis=2).transpose(1, 0, 2)
    return "\n".join("  ".join("".join(tile) for tile in row).rstrip() for row in rows)


def _lay_out(
    images: np.ndarray, *, columns: int, row_height: int = 0, cells: Sequence[int] | None = None
) -> np.ndarray:
    """Returns uint8 [height, width, 1 or 3] of images row by row, rows at least `row_height`.

    Each image is in the cell of its number, counted row by row, or in that of `cells`, which are in
    ascending order.
    """
    channels = 3 if images.shape[-1] >= 3 else 1
    is_rgba = images.shape[-1] == 4
    pixels = _composite(images, _BACKGROUND) if is_rgba else to_uint8(images[..., :channels])
    num, height, width, _ = pixels.shape
    places = range(num) if cells is None else cells
    rows = places[-1] // columns + 1
    scale = max(1, round(_TILE_SIDE / max(height, width)))
    tiles = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    cell_height = max(height * scale, row_height) + _GAP
    cell_width = width * scale + _GAP
    shape = (rows * cell_height + _GAP, columns * cell_width + _GAP, channels)
    grid = np.full(shape, _BACKGROUND, np.uint8)
    first_top = _GAP + (cell_height - _GAP - height * scale) // 2
    for place, tile in zip(places, tiles, strict=True):
        top = first_top + place // columns * cell_height
        left = _GAP + place % columns * cell_width
        grid[top : top + height * scale, left : left + width * scale] = tile
    return grid


def _composite(images: np.ndarray, background: int) -> np.ndarray:
    """Returns RGBA images in [-1, 1] as RGB, uint8, in front of a level of gray."""
    pixels = to_uint8(images)
    opacity = pixels[..., 3:] / 255
    return np.rint(opacity * pixels[..., :3] + (1 - opacity) * background).astype(np.uint8)


def _groups(groups: Sequence[np.ndarray], titles: Sequence[str], legend: str) -> np.ndarray:
    """Returns a picture of groups of samples [num, ...]: rows of images, or a plot of vectors."""
    titles = [_short(title) for title in titles]
    if groups[0].ndim == 2:
        return _plot(groups, titles, legend)
    return _titled_rows(groups, titles)


def _short(title: str) -> str:
    """Returns a title on a single line, without its end if it is long."""
    title = " ".join(title.split())
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def _titled_rows(groups: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Returns uint8 pixels of groups of images, each from a new row on, its title at the left."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    # PIL's default font has ASCII letters only.
    font_file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    font = ImageFont.truetype(font_file, _FONT_SIZE)
    ends = [font.getbbox(title)[2:] for title in titles]
    margin = math.ceil(max(right for right, _ in ends)) + 2 * _MARGIN
    text_height = math.ceil(max(bottom for _, bottom in ends))
    images = np.concatenate(groups)
    sizes = [len(group) for group in groups]
    # Groups of the same size have a row each.
    columns = sizes[0] if len(set(sizes)) == 1 else math.ceil(math.sqrt(len(images)))
    rows = [math.ceil(size / columns) for size in sizes]
    first_rows = np.cumsum([0, *rows])
    cells = [
        int(first * columns + index)
        for first, size in zip(first_rows, sizes, strict=False)
        for index in range(size)
    ]
    grid = _lay_out(images, columns=columns, row_height=text_height, cells=cells)
    strip = Image.new("L", (margin, len(grid)), _BACKGROUND)
    pen = ImageDraw.Draw(strip)
    row_height = (len(grid) - _GAP) / sum(rows)
    for first, title in zip(first_rows, titles, strict=False):
        middle = _GAP / 2 + (first + 0.5) * row_height
        pen.text((margin - _MARGIN, middle), title, fill=255, font=font, anchor="rm")
    written = np.asarray(strip)[..., np.newaxis].repeat(grid.shape[-1], axis=-1)
    return np.concatenate([written, grid], axis=1)


def _plot(groups: Sequence[np.ndarray], labels: Sequence[str] = (), legend: str = "") -> np.ndarray:
    """Returns a plot of groups of vectors [num, dim]; labels, if any, stand in a legend."""
    # Figures without pyplot: no global state, no screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100)
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colors = _colors(len(groups))
    finite = [points[np.isfinite(points).all(axis=1)] for points in groups]
    if groups[0].shape[-1] == 1:
        edges = np.histogram_bin_edges(np.concatenate(finite), bins=50)
        opacity = 0.5 if labels else 1.0
        for points, color in zip(finite, colors, strict=True):
            axes.hist(points[:, 0], bins=edges, color=color, alpha=opacity)
    else:
        for points, color in zip(finite, colors, strict=True):
            axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.5, linewidths=0, color=color)
        axes.set_aspect("equal", adjustable="datalim")
    if labels:
        _add_legend(figure, labels, colors, legend)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _add_legend(figure: Any, labels: Sequence[str], colors: Sequence[Any], title: str) -> None:
    """Puts labels beside the axes, a patch of the color before each."""
    from matplotlib.patches import Patch

    columns = math.ceil(len(labels) / _LEGEND_ROWS)
    figure.set_figwidth(figure.get_figwidth() + columns * _LEGEND_COLUMN_WIDTH)
    figure.set_layout_engine("constrained")
    shown = figure.legend(
        handles=[
            Patch(color=color, label=label) for label, color in zip(labels, colors, strict=True)
        ],
        loc="outside right upper",
        ncols=columns,
        title=title,
    )
    # Labels are names, not formulas.
    for text in shown.get_texts():
        text.set_parse_math(False)


def _colors(num: int) -> list[Any]:
    """Returns `num` colors: matplotlib's default ten, or more from a rainbow."""
    from matplotlib import colormaps

    default = list(colormaps["tab10"].colors)
    if num <= len(default):
        return default[:num]
    return list(colormaps["turbo"](np.linspace(0, 1, num)))
