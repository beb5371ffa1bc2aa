"""The rule for real examples, the same for every container: types, shapes and ranges.

Floats are taken as they are; images must lie in [-1, 1]. uint8 is pixels from 0 to 255 and becomes
`x / 127.5 - 1`, in an array as in a dataset: the type says the scale. Where the type does not say
it (bool, uint8 of zeros and ones, images of other integers), the data are refused.
"""

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


def check_range(examples: np.ndarray, name: str) -> np.ndarray:
    """Returns a batch of examples as uint8, or as finite float32, images in [-1, 1].

    Raises:
        ValueError: If the values are not finite or out of range; the error calls them `name`.
    """
    if examples.dtype == np.uint8:
        return examples
    with np.errstate(over="ignore"):  # What overflows float32 is infinite, and counted below.
        values = examples.astype(np.float32, copy=False)
    num_bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if num_bad:
        raise ValueError(
            f"{name} must be finite in float32. Received: {num_bad} NaN or infinite values of "
            f"{values.size}. Remove or replace them"
        )
    if values.ndim == _IMAGE_RANK + 1 and np.abs(values).max() > 1.001:
        raise ValueError(
            f"Images of floats must lie in [-1, 1]. Received: {name} in [{values.min():g}, "
            f"{values.max():g}]. Pass uint8 from 0 to 255, or rescale: `x / 127.5 - 1`"
        )
    return values


def check_pixels(examples: np.ndarray) -> None:
    """Raises ValueError if uint8 examples seem to be zeros and ones, not pixels up to 255."""
    if examples.dtype == np.uint8 and examples.max() == 1:
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
