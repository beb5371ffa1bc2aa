"""Images whose pixels come from other places of the same image.

The gradient of `tf.gather` is its exact adjoint, at any order of derivative. The gradient of
`tf.raw_ops.ImageProjectiveTransformV3`, and so of `keras.ops.image.affine_transform` and of Keras's
random layers, is an inverse warp, which is not the adjoint: a generator would train on it without
an error.
"""

import dataclasses
from typing import Self

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Blit:
    """A motion of the pixel grid onto itself, for each image of a batch.

    An output pixel (row, column) shows the pixel (row - shift_rows, column - shift_columns),
    reflected at the borders, of the image that is turned after it is mirrored.

    Attributes:
        turns: Int32 [batch], quarter turns from 0 to 3; of images that are no squares, half turns
            alone (0 or 2).
        mirrored: Int32 [batch], 1 where the image is mirrored left to right before it is turned.
        shift_rows: Int32 [batch], pixels downwards, fewer than the height.
        shift_columns: Int32 [batch], pixels to the right, fewer than the width.
    """

    turns: tf.Tensor
    mirrored: tf.Tensor
    shift_rows: tf.Tensor
    shift_columns: tf.Tensor

    @classmethod
    def identity(cls, num: int | tf.Tensor) -> Self:
        """Returns the motion that leaves each of `num` images as it is."""
        zeros = tf.zeros([num], tf.int32)
        return cls(zeros, zeros, zeros, zeros)

    def source(
        self, rows: tf.Tensor, columns: tf.Tensor, *, height: int, width: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns two int32 tensors whose sum is the flat index of the pixel that is shown.

        Args:
            rows: Int32 [batch, ...], from 0 to height - 1.
            columns: Int32 [batch, ...], from 0 to width - 1.
            height: Int, of the image.
            width: Int, of the image.
        """
        ones = [1] * (len(rows.shape) - 1)

        def align(values: tf.Tensor) -> tf.Tensor:
            return tf.reshape(values, [-1, *ones])

        rows = _reflect_once(rows - align(self.shift_rows), height)
        columns = _reflect_once(columns - align(self.shift_columns), width)
        # Where turned by an odd number the axes are swapped, then either may run backwards; the
        # flat index is a linear function of row and column either way.
        swapped = self.turns % 2
        rows_backwards = self.turns // 2
        columns_backwards = (rows_backwards + swapped + self.mirrored) % 2
        row_stride = width * (1 - 2 * rows_backwards)
        column_stride = 1 - 2 * columns_backwards
        start = width * (height - 1) * rows_backwards + (width - 1) * columns_backwards
        of_row = tf.where(swapped > 0, column_stride, row_stride)
        of_column = tf.where(swapped > 0, row_stride, column_stride)
        return align(start) + align(of_row) * rows, align(of_column) * columns


def move(images: tf.Tensor, blit: Blit) -> tf.Tensor:
    """Returns float [batch, height, width, channels]: the images, moved on the pixel grid."""
    height, width = images.shape[1:3]
    num = tf.shape(images)[0]
    rows = tf.tile(tf.range(height)[tf.newaxis, :, tf.newaxis], [num, 1, 1])
    columns = tf.tile(tf.range(width)[tf.newaxis, tf.newaxis], [num, 1, 1])
    by_row, by_column = blit.source(rows, columns, height=height, width=width)
    return take(images, by_row + by_column)


def warp(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, blit: Blit) -> tf.Tensor:
    """Returns images whose pixels are interpolated between those of the moved images.

    Bilinear, without a low-pass filter: images that shrink show aliasing. Beyond the border the
    image is reflected. Integer coordinates return the pixels unchanged, so the identity is exact.

    Args:
        images: Float [batch, height, width, channels].
        rows: Float [batch, height, width], for each output pixel the row where it is read, in
            pixels; the center of the first pixel is at 0.
        columns: Float [batch, height, width], the columns.
        blit: The motion of the pixel grid before the interpolation.
    """
    height, width = images.shape[1:3]
    row, next_row, row_share = _neighbors(rows, height)
    column, next_column, column_share = _neighbors(columns, width)
    by_row, by_column = blit.source(row, column, height=height, width=width)
    by_next_row, by_next_column = blit.source(next_row, next_column, height=height, width=width)
    upper, left = 1.0 - row_share, 1.0 - column_share

    def corner(index: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        return weight[..., tf.newaxis] * take(images, index)

    return (
        corner(by_row + by_column, upper * left)
        + corner(by_row + by_next_column, upper * column_share)
        + corner(by_next_row + by_column, row_share * left)
        + corner(by_next_row + by_next_column, row_share * column_share)
    )


def take(images: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Returns float [batch, height, width, channels]: the pixel at each flat index.

    Args:
        images: Float [batch, height, width, channels].
        index: Int32 [batch, height, width], row times width plus column.
    """
    height, width, channels = images.shape[1:]
    # Not with `batch_dims`, of which XLA cannot compile the second derivative in a loop.
    first = height * width * tf.range(tf.shape(images)[0])
    flat = tf.reshape(images, [-1, channels])
    return tf.gather(flat, index + first[:, tf.newaxis, tf.newaxis])


def _neighbors(places: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the integers around each coordinate, reflected, and the weight of the second."""
    last = size - 1
    if not last:
        zeros = tf.zeros_like(places)
        return tf.cast(zeros, tf.int32), tf.cast(zeros, tf.int32), zeros
    # Reflected at both ends any number of times: a triangle wave of the period 2 * last.
    wave = places - 2.0 * last * tf.floor(places / (2.0 * last))
    inside = last - tf.abs(wave - last)
    floor = tf.floor(inside)
    first = tf.cast(floor, tf.int32)
    return first, tf.minimum(first + 1, last), inside - floor


def _reflect_once(index: tf.Tensor, size: int) -> tf.Tensor:
    """Returns each index within [0, size), reflected at the end that it lies beyond."""
    return (size - 1) - tf.abs((size - 1) - tf.abs(index))
