"""One image file becomes one 8-bit image."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
_ORIENTATION = 0x0112
_QUARTER_TURNS = frozenset({5, 6, 7, 8})  # Orientations that swap width and height.


@dataclass(frozen=True)
class Header:
    """What is known of a file before it is decoded.

    Args:
        is_grey: Whether the file holds no colour channels. Grey pixels in a colour file are
            colour.
        size: (height, width) as displayed, or None where it was not asked for.
    """

    is_grey: bool
    size: tuple[int, int] | None


def read_header(path: Path, *, with_size: bool) -> Header:
    """Returns the header of an image file.

    Args:
        path: The file.
        with_size: Whether to find the size. For PNG this decodes the file: its EXIF orientation
            may come last.
    """
    with _opened(path) as image:
        is_grey = image.mode in _GREY_MODES
        if not with_size:
            return Header(is_grey, None)
        turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
        return Header(is_grey, image.size if turned else image.size[::-1])


def decode(path: Path, *, mode: str) -> "Image.Image":
    """Returns the image of a file as it is meant to be displayed, 8 bits a channel.

    EXIF orientation is applied, transparency is composited on white, palettes are looked up, 16-bit
    grey is scaled by 255 / 65535, and of an animation the first frame is taken.

    Args:
        path: The file.
        mode: `"L"` for one channel, `"RGB"` for three.

    Raises:
        ValueError: When the file holds more than 16 bits a channel.
    """
    from PIL import Image, ImageOps

    with _opened(path) as file:
        image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} has more than 16 bits a channel")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert(mode)


@contextmanager
def _opened(path: Path) -> "Iterator[Image.Image]":
    """Opens a file with PIL, which refuses images of absurd size: a warning becomes an error."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                yield image
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ValueError(str(error)) from error
