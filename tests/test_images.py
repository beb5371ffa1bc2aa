"""Pixels to floats and back, of arrays and of tensors."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans.images import from_uint8, to_uint8

PIXELS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_and_tensors_give_the_same_bits(dtype):
    floats = from_uint8(PIXELS, dtype)
    assert floats.dtype == dtype
    np.testing.assert_array_equal(floats, PIXELS.astype(dtype) / 127.5 - 1)
    assert (floats.min(), floats.max()) == (-1, 1)
    tensor = from_uint8(tf.constant(PIXELS), dtype)
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor, floats)
    np.testing.assert_array_equal(to_uint8(floats), PIXELS)
    np.testing.assert_array_equal(to_uint8(tensor), PIXELS)


@pytest.mark.parametrize("kind", [np.array, tf.constant])
def test_values_outside_are_clipped_and_nan_is_black(kind):
    values = kind([-2.0, -1.0, 0.0, 1.0, 9.0, np.nan])
    pixels = to_uint8(values)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [0, 0, 128, 255, 255, 0])
