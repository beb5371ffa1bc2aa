"""Converts images to a size, a number of channels and a background."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgans import checks

if TYPE_CHECKING:
    from PIL import Image

FITS = ("crop", "pad", "stretch")
ALPHA = "alpha"


@dataclass(frozen=True)
class ImageOptions:
    """The form that stored images are converted to.

    Args:
        size: (height, width), or None (default) for the size as stored.
        fit: How to fit images with another aspect ratio: `"crop"` (default) crops them about the
            center, `"pad"` adds margins in the background color, `"stretch"` changes the aspect
            ratio.
        background: Color behind transparent pixels, and of margins: `"white"` (default), `"black"`,
            `"#rrggbb"`; or `"alpha"`, which keeps transparency as a fourth channel.

    Raises:
        ValueError: If a value is out of range.
    """

    size: tuple[int, int] | None = None
    fit: str = "crop"
    background: str = "white"

    def __post_init__(self) -> None:
        checks.choice("fit", self.fit, FITS)
        if self.background != ALPHA:
            parse_color(self.background)

    @property
    def keeps_alpha(self) -> bool:
        """Whether the images have four channels."""
        return self.background == ALPHA

    @property
    def is_gray(self) -> bool:
        """Whether gray images stay gray in front of the background."""
        return not self.keeps_alpha and len(set(parse_color(self.background))) == 1

    @property
    def color(self) -> tuple[int, int, int, int]:
        """The background as RGBA, transparent black for `"alpha"`."""
        return (0, 0, 0, 0) if self.keeps_alpha else (*parse_color(self.background), 255)


def check_background(options: ImageOptions, channels: int, name: str) -> None:
    """Raises ValueError if a background has no effect on images without transparency.

    Args:
        options: The form of the images.
        channels: Number of channels of the images as stored, 1 or 3.
        name: Name of the data, for errors.
    """
    if options.color == ImageOptions().color:
        return
    if options.keeps_alpha or options.fit != "pad" or options.size is None:
        raise ValueError(
            f"{name!r} has no transparency: `background` must be left out, or be the color of "
            "the margins of fit='pad' with an `image_size`. Received: "
            f"background={options.background!r}, fit={options.fit!r}, image_size={options.size}"
        )
    if channels == 1 and not options.is_gray:
        raise ValueError(
            "The margins of gray images must be gray: `background` must be 'white', 'black' "
            "or '#rrggbb' of three equal values. Received: "
            f"{options.background!r} for {name!r}"
        )


def parse_color(background: Any) -> tuple[int, int, int]:
    """Returns the RGB values of `"white"`, `"black"` or `"#rrggbb"`, or raises ValueError."""
    named = {"white": "#ffffff", "black": "#000000"}
    digits = named.get(background, background) if isinstance(background, str) else ""
    if len(digits) == 7 and digits[0] == "#" and set(digits[1:].lower()) <= set("0123456789abcdef"):
        red, green, blue = bytes.fromhex(digits[1:])
        return red, green, blue
    raise ValueError(
        "`background` must be 'white', 'black', '#rrggbb' or 'alpha'. Received: "
        f"{checks.short(background)}"
    )


def parse_size(image_size: Any) -> tuple[int, int] | None:
    """Returns (height, width) of an integer, a pair, or None, or raises ValueError."""
    if image_size is None:
        return None
    if isinstance(image_size, (tuple, list)):
        height, width = checks.shape("image_size", image_size, rank=2)
        return height, width
    side = checks.positive_int("image_size", image_size)
    return side, side


def fit(
    image: "Image.Image", size: tuple[int, int], options: ImageOptions | None = None
) -> "Image.Image":
    """Returns the image, cropped or padded as `options.fit` says, and resized to `size`.

    The filter is PIL's bicubic one, which widens with the reduction and so does not alias, as
    Parmar et al. (arXiv 2104.11222) recommend.

    Args:
        image: Image of mode L, RGB or RGBA.
        size: (height, width).
        options: The fit and the color of margins. Default: None, `"crop"`.
    """
    from PIL import Image

    options = options or ImageOptions()
    height, width = size
    if image.size == (width, height):
        return image
    if options.fit == "crop":
        crop_width = min(image.width, max(1, round(image.height * width / height)))
        crop_height = min(image.height, max(1, round(image.width * height / width)))
        image = center_crop(image, (crop_height, crop_width))
    elif options.fit == "pad":
        scale = min(height / image.height, width / image.width)
        inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        inside = image.resize(inner, Image.Resampling.BICUBIC)
        color = Image.new("RGBA", (1, 1), options.color).convert(image.mode).getpixel((0, 0))
        padded = Image.new(image.mode, (width, height), color)
        padded.paste(inside, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return padded
    return image.resize((width, height), Image.Resampling.BICUBIC)


def center_crop(image: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    """Returns the central `size`, (height, width), of an image that is at least as large."""
    height, width = size
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def flatten_alpha(image: "Image.Image", options: ImageOptions) -> "Image.Image":
    """Returns an RGBA image as RGB, composited on the background."""
    from PIL import Image

    rgba = image.convert("RGBA")
    background = Image.new("RGBA", rgba.size, options.color)
    return Image.alpha_composite(background, rgba).convert("RGB")


def fit_array(
    pixels: np.ndarray,
    size: tuple[int, int],
    options: ImageOptions | None = None,
    *,
    crop: int | None = None,
) -> np.ndarray:
    """Returns `fit` of a uint8 array `[height, width, channels]`, again as an array of rank 3.

    Args:
        pixels: The image, of 1, 3 or 4 channels. Four become three unless `options.background` is
            `"alpha"`.
        size: (height, width).
        options: See `fit`.
        crop: Side of the central square that is kept first, or None (default).
    """
    from PIL import Image

    options = options or ImageOptions()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if image.mode == "RGBA" and not options.keeps_alpha:
        image = flatten_alpha(image, options)
    if crop is not None:
        image = center_crop(image, (crop, crop))
    result = np.asarray(fit(image, size, options))
    return result if result.ndim == 3 else result[..., np.newaxis]
