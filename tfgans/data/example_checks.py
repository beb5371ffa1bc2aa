"""The rule for real examples, the same for every container: types, shapes and ranges.

Floats are taken as they are; images must lie in [-1, 1]. uint8 is pixels from 0 to 255 and becomes
`x / 127.5 - 1`, in an array as in a dataset: the type says the scale. Where the type does not say
it (bool, uint8 of zeros and ones, images of other integers), the data are refused.
"""

import warnings

import numpy as np
import tensorflow as tf

from tfgans.images import from_uint8

_IMAGE_RANK = 3  # Of one example: height, width, channels.
NUM_CHECKED = 64  # Examples that show whether stored ones are zeros and ones.


def check_dtype(dtype: tf.DType, data_shape: tuple[int | None, ...]) -> None:
    """Raises ValueError if examples of this type have no known scale."""
    dtype = tf.as_dtype(dtype)
    if dtype.is_floating or dtype == tf.uint8:
        return
    if dtype == tf.bool:
        raise ValueError(
            "Examples must be floats or uint8. Received: bool. Scale them to [-1, 1]: "
            "`2 * tf.cast(x, tf.float32) - 1`"
        )
    if not dtype.is_integer or len(data_shape) == _IMAGE_RANK:
        raise ValueError(
            f"Examples must be floats, images in [-1, 1]; or uint8 from 0 to 255. Received: "
            f"{dtype.name}. Convert them, for example with `x.astype('uint8')` or "
            "`tf.cast(x, tf.float32) / 127.5 - 1`"
        )


def check_shape(shape: tf.TensorShape, data_shape: tuple[int | None, ...]) -> None:
    """Raises ValueError if a batch of this shape does not fit the discriminator."""
    shape = tf.TensorShape(shape)
    if tf.TensorShape([None, *data_shape]).is_compatible_with(shape) or (
        shape.rank == 1 and data_shape == (1,)
    ):
        return
    hint = ""
    if tf.TensorShape(data_shape).is_compatible_with(shape):
        hint = ". These are single examples: use `dataset.batch(batch_size)`"
    raise ValueError(
        "Batches must have the discriminator's input shape "
        f"{(None, *data_shape)}. Received: {tuple(shape)}{hint}"
    )


def check_values(batch: np.ndarray, data_shape: tuple[int | None, ...]) -> None:
    """Checks a batch as the user passes it, before uint8 is scaled.

    Args:
        batch: Array [batch, *data_shape].
        data_shape: Shape of one example, as the discriminator takes it.

    Raises:
        ValueError: If the type, the shape or the range is wrong, or a value is not finite.
    """
    check_dtype(tf.as_dtype(batch.dtype), data_shape)
    check_shape(tf.TensorShape(batch.shape), data_shape)
    if not batch.size:
        return
    if batch.dtype == np.uint8:
        check_pixels(batch)
        return
    batch = batch.astype(np.float32, copy=False)
    num_bad = batch.size - int(np.count_nonzero(np.isfinite(batch)))
    if num_bad:
        raise ValueError(
            f"The data must be finite. Received: {num_bad} NaN or infinite values in the first "
            "batch"
        )
    if len(data_shape) == _IMAGE_RANK:
        _check_image_range(float(batch.min()), float(batch.max()))


def check_pixels(examples: np.ndarray) -> None:
    """Raises ValueError if uint8 examples seem to be zeros and ones, not pixels up to 255."""
    if examples.max() == 1:
        raise ValueError(
            "uint8 examples are pixels from 0 to 255 and become `x / 127.5 - 1`. Received: uint8 "
            "with a maximum of 1. Scale zeros and ones yourself: `2 * tf.cast(x, tf.float32) - 1`, "
            "or save image files with 0 and 255"
        )


def to_float(examples: tf.Tensor, data_shape: tuple[int | None, ...]) -> tf.Tensor:
    """Returns examples as float32 [batch, *data_shape], uint8 scaled to [-1, 1]."""
    if examples.dtype == tf.uint8:
        examples = from_uint8(examples)
    examples = tf.cast(examples, tf.float32)
    if examples.shape.rank == 1 and data_shape == (1,):
        examples = examples[:, tf.newaxis]
    # A shape that the dataset does not know is that of the discriminator's input.
    return tf.ensure_shape(examples, [None, *data_shape])


def _check_image_range(low: float, high: float) -> None:
    if low < -1.001 or high > 1.001:
        raise ValueError(
            "Images must lie in [-1, 1]. "
            f"Received: [{low:.4g}, {high:.4g}] in the first batch. Pass them as uint8 from 0 to "
            "255, or rescale them: `x / 127.5 - 1`"
        )
    if low >= 0:
        warnings.warn(
            "Images are expected in [-1, 1], black at -1; the first batch lies in "
            f"[{low:.4g}, {high:.4g}]. If they were scaled to [0, 1], use `2 * x - 1`",
            stacklevel=6,
        )
