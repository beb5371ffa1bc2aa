"""Decodes an image file to an 8-bit image."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

VERSION = 1  # Counts up when a file becomes other pixels than before.
# A quarter of a gigabyte in colour, the figure at which PIL warns by default.
MAX_PIXELS = 2**30 // 12

# By content, whatever the name says. PIL knows more; some of those start other programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
_ORIENTATION = 0x0112
_QUARTER_TURNS = frozenset({5, 6, 7, 8})  # Orientations that swap width and height.


class UnexpectedColor(ValueError):  # noqa: N818 (of the file)
    """A file in colour where all were to be grey."""


@dataclass(frozen=True)
class Header:
    """The facts about a file that are known before it is decoded.

    Args:
        is_grey: Whether the file holds no colour channels. Grey pixels in a colour file are
            colour.
        num_pixels: Height times width.
        size: (height, width) as displayed, or None if it was not requested.
    """

    is_grey: bool
    num_pixels: int
    size: tuple[int, int] | None


def read_header(path: Path, *, with_size: bool) -> Header:
    """Returns the header of an image file.

    Args:
        path: The file.
        with_size: Whether to find the size. For PNG this decodes the file: its EXIF orientation
            may come last.
    """
    with _opened(path) as image:
        known = image.mode in _GREY_MODES, image.width * image.height
        if not with_size:
            return Header(*known, None)
        turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
        return Header(*known, image.size if turned else image.size[::-1])


def decode(path: Path, *, mode: str) -> "Image.Image":
    """Returns the image of a file as it is meant to be displayed, 8 bits a channel.

    EXIF orientation is applied, transparency is composited on white, palettes are looked up, 16-bit
    grey is scaled by 255 / 65535, and of an animation the first frame is taken.

    Args:
        path: The file.
        mode: `"L"` for one channel, `"RGB"` for three.

    Raises:
        UnexpectedColor: When the file is in colour, and the mode is `"L"`.
        ValueError: When the file holds more than 16 bits a channel, or claims more than
            `MAX_PIXELS` pixels.
    """
    from PIL import Image, ImageOps

    with _opened(path) as file:
        stored = file.mode
        image = ImageOps.exif_transpose(file)
    if mode == "L" and stored not in _GREY_MODES:
        raise UnexpectedColor(f"it is in colour (mode {stored})")
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
    """Opens a file with PIL, and checks the size in its header before pixels are decoded."""
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"Image size ({image.width * image.height} pixels) exceeds limit of "
                    f"{MAX_PIXELS} pixels"
                )
            yield image
    # PIL's limit, which other code may have set: the lower of the two holds.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{error} At most {MAX_PIXELS} are decoded") from error
