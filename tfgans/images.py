"""Pixels: between uint8 in [0, 255] and floats in [-1, 1], the range of all images in tfgans."""

from typing import TypeVar

import numpy as np
import tensorflow as tf

Images = TypeVar("Images", np.ndarray, tf.Tensor)


def from_uint8(pixels: Images, dtype: str = "float32") -> Images:
    """Returns `pixels / 127.5 - 1`: 0 becomes -1, and 255 becomes 1.

    Args:
        pixels: uint8 array or tensor of any shape.
        dtype: String, the floating-point type of the result and of the computation. Default:
            "float32".

    Returns:
        An array for an array, a tensor for a tensor.

    Example:

    >>> tfgans.images.from_uint8(np.array([0, 255], np.uint8))
    array([-1.,  1.], dtype=float32)
    """
    if tf.is_tensor(pixels):
        return tf.cast(pixels, dtype) / 127.5 - 1.0
    return np.asarray(pixels).astype(dtype) / 127.5 - 1.0


def to_uint8(images: Images) -> Images:
    """Returns images in [-1, 1] as uint8 in [0, 255], rounded to the nearest level.

    Args:
        images: Floating-point array or tensor of any shape. Values outside of [-1, 1] are clipped;
            NaN becomes 0.

    Returns:
        An array for an array, a tensor for a tensor.

    Example:

    >>> tfgans.images.to_uint8(np.array([-1.0, 0.0, 2.0]))
    array([  0, 128, 255], dtype=uint8)
    """
    if tf.is_tensor(images):
        clipped = tf.where(tf.math.is_nan(images), -1.0, tf.clip_by_value(images, -1.0, 1.0))
        return tf.cast(tf.round((clipped + 1.0) * 127.5), tf.uint8)
    clipped = np.nan_to_num(np.clip(images, -1.0, 1.0), nan=-1.0)
    return np.round((clipped + 1.0) * 127.5).astype(np.uint8)
