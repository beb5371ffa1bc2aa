"""Image sizes: centre-crop to the aspect ratio, then an antialiased resize."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tfgans import checks

if TYPE_CHECKING:
    from PIL import Image


def parse_size(image_size: Any) -> tuple[int, int] | None:
    """Returns (height, width) of an integer, a pair, or None, or raises ValueError."""
    if image_size is None:
        return None
    if isinstance(image_size, (tuple, list)):
        height, width = checks.shape("image_size", image_size, rank=2)
        return height, width
    side = checks.positive_int("image_size", image_size)
    return side, side


def fit(image: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    """Returns the image cropped about its centre to the shape of `size`, and resized to it.

    The filter is PIL's bicubic one, which widens with the reduction and so does not alias, as
    Parmar et al. (arXiv 2104.11222) recommend.

    Args:
        image: Image of mode L or RGB.
        size: (height, width).
    """
    from PIL import Image

    height, width = size
    crop_width = min(image.width, max(1, round(image.height * width / height)))
    crop_height = min(image.height, max(1, round(image.width * height / width)))
    cropped = center_crop(image, (crop_height, crop_width))
    return cropped.resize((width, height), Image.Resampling.BICUBIC)


def center_crop(image: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    """Returns the central `size`, (height, width), of an image that is at least as large."""
    height, width = size
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def fit_array(pixels: np.ndarray, size: tuple[int, int], *, crop: int | None = None) -> np.ndarray:
    """Returns `fit` of a uint8 array `[height, width, 1 or 3]`, again as an array of rank 3.

    Args:
        pixels: The image.
        size: (height, width).
        crop: Side of the central square that is kept first, or None (default).
    """
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if crop is not None:
        image = center_crop(image, (crop, crop))
    return np.asarray(fit(image, size)).reshape(*size, pixels.shape[-1])
