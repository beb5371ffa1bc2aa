"""Decodes image files to arrays of 8-bit pixels."""

import functools
import io
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np
import simplejpeg

from tfgans.data import resize
from tfgans.data.resize import ImageOptions

if TYPE_CHECKING:
    from PIL import Image

# The path of an image file, or the open file.
ImageFile: TypeAlias = str | Path | BinaryIO

VERSION = 3  # Increased when files decode to other pixels than before.
# A quarter of a gigabyte in color, the figure at which PIL warns by default.
MAX_PIXELS = 2**30 // 12
_SMALL = 2**16  # Bytes.
# What PIL raises for damaged EXIF data: the image then has no orientation.
_EXIF_ERRORS = (SyntaxError, ValueError, KeyError, TypeError, EOFError, struct.error)
# By mode: the name of its pixels in simplejpeg, and the pixels of files that become those.
_JPEG = {"L": ("GRAY", {"Gray"}), "RGB": ("RGB", {"Gray", "YCbCr", "RGB"})}

# Detected by content, not by file name. PIL reads more formats, some through other programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_GRAY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L"})
_ORIENTATION = 0x0112
_QUARTER_TURNS = frozenset({5, 6, 7, 8})  # Orientations that swap width and height.


class UnexpectedColor(ValueError):  # noqa: N818 (of the file)
    """A color file, where only gray files were expected."""


@dataclass(frozen=True)
class Header:
    """The facts about a file that are known before it is decoded.

    Args:
        is_gray: Whether the file holds no color channels. Gray pixels in a color file are
            color.
        num_pixels: Height times width.
        size: (height, width) as displayed, or None if it was not requested.
        mode: PIL's name of the pixels, such as `"L"`, `"RGB"`, `"RGBA"` or `"I;16"`.
        has_alpha: Whether pixels may be transparent.
    """

    is_gray: bool
    num_pixels: int
    size: tuple[int, int] | None
    mode: str
    has_alpha: bool


def read_header(file: ImageFile, *, with_size: bool) -> Header:
    """Returns the header of an image file.

    Args:
        file: Path of the file, or the open file.
        with_size: Whether to find the size. For PNG and TIFF this decodes the file: the EXIF
            orientation of PNG may come last, and PIL applies that of TIFF as it decodes.
    """
    with _opened(file) as image:
        size = None
        if with_size:
            if image.format in ("PNG", "TIFF"):
                image.load()  # Damaged pixels are an error, damaged EXIF data is not.
            turned = False
            with suppress(*_EXIF_ERRORS):
                turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
            size = image.size if turned else image.size[::-1]
        return Header(
            is_gray=image.mode in _GRAY_MODES,
            num_pixels=image.width * image.height,
            size=size,
            mode=image.mode,
            has_alpha=image.has_transparency_data,
        )


def common_mode(headers: Iterable[Header], options: ImageOptions) -> str:
    """Returns the mode that images are decoded to: `"L"`, `"RGB"`, or `"RGBA"` to keep alpha."""
    if options.keeps_alpha:
        return "RGBA"
    is_gray = options.is_gray and all(header.is_gray for header in headers)
    return "L" if is_gray else "RGB"


def decode(file: ImageFile, *, mode: str, options: ImageOptions | None = None) -> np.ndarray:
    """Returns the pixels of an image file as it is meant to be displayed, resized.

    EXIF orientation is applied, transparency is composited on the background, palettes are looked
    up, 16-bit gray is scaled by 255 / 65535, and of an animation the first frame is taken.

    Args:
        file: Path of the file, or the open file.
        mode: `"L"` for one channel, `"RGB"` for three, `"RGBA"` to keep transparency.
        options: The size, how to fit it, and the background. Default: None, the size as stored,
            on white.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        UnexpectedColor: When the file is in color, and the mode is `"L"`.
        ValueError: If the file holds more than 16 bits a channel, or claims more than
            `MAX_PIXELS` pixels.
    """
    from PIL import Image

    options = options or ImageOptions()
    file = _in_memory(file)
    pixels = _plain_jpeg(file.getvalue(), mode) if isinstance(file, io.BytesIO) else None
    if pixels is None or options.size not in (None, pixels.shape[:2]):
        image = _decode(file, mode, options) if pixels is None else Image.fromarray(pixels)
        pixels = np.asarray(resize.fit(image, options.size or image.size[::-1], options))
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _decode(file: ImageFile, mode: str, options: ImageOptions) -> "Image.Image":
    from PIL import Image, ImageOps

    with _opened(file) as image:
        stored = image.mode
        image.load()
        with suppress(*_EXIF_ERRORS):
            ImageOps.exif_transpose(image, in_place=True)  # Without a copy where nothing turns.
    if mode == "L" and stored not in _GRAY_MODES:
        raise UnexpectedColor(f"it is in color (mode {stored})")
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        transparent = image.info.get("transparency")
        image = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
        if transparent is not None:
            alpha = np.where(wide == transparent, 0, 255).astype(np.uint8)
            image.putalpha(Image.fromarray(alpha))
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} has more than 16 bits a channel")
    if image.has_transparency_data and mode != "RGBA":
        image = resize.flatten_alpha(image, options)
    return image if image.mode == mode else image.convert(mode)


def _in_memory(file: ImageFile) -> ImageFile:
    """Returns a small file as its content, which PIL reads faster: it reads in small pieces."""
    if not isinstance(file, (str, Path)):
        return file
    # Without a buffer, in a single call: the calls before a buffered read cost as much again.
    with open(file, "rb", buffering=0) as opened:
        content = opened.read(_SMALL + 1)
        size = os.fstat(opened.fileno()).st_size
    # A file system may return less than is asked for.
    return io.BytesIO(content) if len(content) == size else file


def _plain_jpeg(content: bytes, mode: str) -> np.ndarray | None:
    """Returns the pixels of a JPEG file, or None where PIL must decide.

    They are PIL's pixels, in a quarter of its time: both decode with libjpeg-turbo. PIL decides
    about files with EXIF or XMP data, which may turn the image, and says what is wrong with
    damaged ones.
    """
    from PIL import Image

    if mode not in _JPEG or not content.startswith(b"\xff\xd8"):
        return None
    if b"Exif\0\0" in content or b"http://ns.adobe.com/xap/1.0/" in content:
        return None
    name, convertible = _JPEG[mode]
    try:
        height, width, stored, _ = simplejpeg.decode_jpeg_header(content)
        if stored not in convertible or height * width > min(
            MAX_PIXELS, Image.MAX_IMAGE_PIXELS or MAX_PIXELS
        ):
            return None
        pixels = simplejpeg.decode_jpeg(content, colorspace=name)
    except ValueError:
        return None
    return pixels[..., 0] if mode == "L" else pixels


@functools.cache
def _formats() -> tuple[str, ...]:
    from PIL import features

    # AVIF is in most builds of PIL only.
    return (*_FORMATS, "AVIF") if features.check("avif") else _FORMATS


@contextmanager
def _opened(file: ImageFile) -> "Iterator[Image.Image]":
    """Opens a file with PIL, and checks the size in its header before pixels are decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"Image size ({image.width * image.height} pixels) exceeds limit of "
                    f"{MAX_PIXELS} pixels"
                )
            yield image
    except UnidentifiedImageError as error:
        # PIL's message has the address of an open file.
        raise UnidentifiedImageError(
            "cannot identify image file: no format that is read"
        ) from error
    # PIL's limit, which other code may have set: the lower of the two holds.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{error} At most {MAX_PIXELS} are decoded") from error
