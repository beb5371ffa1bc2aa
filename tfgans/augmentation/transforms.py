"""The transforms of ADA: what a gate that opens with probability p does to an image."""

import math
from collections.abc import Collection

import tensorflow as tf

from tfgans import random, shapes
from tfgans.augmentation.augmentation import change_colors, per_image
from tfgans.augmentation.diff_augment import integers
from tfgans.augmentation.pixels import Blit, move, warp
from tfgans.random import Role

GROUPS = ("blit", "geom", "color", "noise", "cutout")
# Short names of several groups, as in NVIDIA's code.
SETS = {"bg": "blit,geom", "bgc": "blit,geom,color"}

# The columns of the draws of an image: gates and uniform numbers, and normal numbers.
_UNIFORMS = (
    *("flip", "turn", "shift", "scale", "turn_before", "stretch", "turn_after", "fraction"),
    *("brightness", "contrast", "luma", "hue", "saturation", "noise", "cutout"),
    *("flip_draw", "turn_draw", "down", "right", "angle_before", "angle_after"),
    *("luma_draw", "hue_angle", "cutout_row", "cutout_column"),
)
_NORMALS = (
    *("scale", "stretch", "down", "right", "brightness", "contrast", "saturation", "noise"),
)


class Transforms:
    """The draws of a batch, and the groups of transforms that use them.

    Args:
        images: Float32 [batch, height, width, channels].
        key: The int64[2] key of the draws.
        p: Float32 scalar in [0, 1], the probability of each transform.
        color_multiplier: Float, the factor of p for the transforms of color.
    """

    def __init__(
        self, images: tf.Tensor, key: tf.Tensor, *, p: tf.Tensor, color_multiplier: float
    ) -> None:
        self._num = shapes.batch_size(images)
        self._height, self._width, self._channels = images.shape[1:]
        self._key, self._p, self._color_multiplier = key, p, color_multiplier
        uniforms = random.uniform([self._num, len(_UNIFORMS)], key)
        normals_key = random.fold(key, Role.AUGMENTATION_NORMALS)
        normals = random.normal([self._num, len(_NORMALS)], normals_key)
        self._uniforms = dict(zip(_UNIFORMS, tf.unstack(uniforms, axis=1), strict=True))
        self._normals = dict(zip(_NORMALS, tf.unstack(normals, axis=1), strict=True))

    def apply(self, images: tf.Tensor, groups: Collection[str]) -> tf.Tensor:
        """Returns the images after the transforms of `groups`, in the order of ADA."""
        blit = self._blit() if "blit" in groups else Blit.identity(self._num)
        if "geom" in groups:
            images = self._geometry(images, blit)
        elif "blit" in groups:
            images = move(images, blit)
        if "color" in groups:
            images = change_colors(images, self._color)
        if "noise" in groups:
            images = self._noise(images)
        return self._cutout(images) if "cutout" in groups else images

    def _gate(self, name: str, p: tf.Tensor | None = None) -> tf.Tensor:
        """Returns float32 [batch]: 1 where a transform applies, else 0."""
        return tf.cast(self._uniforms[name] < (self._p if p is None else p), tf.float32)

    def _angle(self, name: str, gate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns cosine and sine of an angle of U[-pi, pi); 1 and 0 where the gate is closed."""
        angle = math.pi * gate * (2.0 * self._uniforms[name] - 1.0)
        return tf.cos(angle), tf.sin(angle)

    def _blit(self) -> Blit:
        square = self._height == self._width
        turns = integers(self._uniforms["turn_draw"], 4 if square else 2) * (1 if square else 2)
        shifts = [
            tf.cast(tf.round(self._gate("shift") * size * (draw - 0.5) / 4.0), tf.int32)
            for size, draw in (
                (self._height, self._uniforms["down"]),
                (self._width, self._uniforms["right"]),
            )
        ]
        flips = integers(self._uniforms["flip_draw"], 2)
        return Blit(
            turns=tf.cast(self._gate("turn"), tf.int32) * turns,
            mirrored=tf.cast(self._gate("flip"), tf.int32) * flips,
            shift_rows=shifts[0],
            shift_columns=shifts[1],
        )

    def _geometry(self, images: tf.Tensor, blit: Blit) -> tf.Tensor:
        """Scales, turns, stretches along an axis, turns back or on, and shifts."""
        scale = _power_of_two(0.2 * self._gate("scale") * self._normals["scale"])
        stretch = _power_of_two(0.2 * self._gate("stretch") * self._normals["stretch"])
        # With this probability for each of two turns, either happens with probability p.
        p_turn = 1.0 - tf.sqrt(1.0 - self._p)
        cos_1, sin_1 = self._angle("angle_before", self._gate("turn_before", p_turn))
        cos_2, sin_2 = self._angle("angle_after", self._gate("turn_after", p_turn))
        fraction = 0.125 * self._gate("fraction")
        down = fraction * self._height * self._normals["down"]
        right = fraction * self._width * self._normals["right"]
        # The map from a place of the output to a place of the input, about the center: the inverse
        # of each step, the last step first. (x, y) are column and row.
        xx, xy = cos_2 / stretch, sin_2 / stretch
        yx, yy = -sin_2 * stretch, cos_2 * stretch
        xx, xy, yx, yy = (
            value / scale
            for value in (
                cos_1 * xx + sin_1 * yx,
                cos_1 * xy + sin_1 * yy,
                cos_1 * yx - sin_1 * xx,
                cos_1 * yy - sin_1 * xy,
            )
        )
        middle_row, middle_column = (self._height - 1) / 2, (self._width - 1) / 2
        y = tf.range(self._height, dtype=tf.float32) - middle_row - down[:, tf.newaxis]
        x = tf.range(self._width, dtype=tf.float32) - middle_column - right[:, tf.newaxis]
        y, x = y[:, :, tf.newaxis], x[:, tf.newaxis]

        def times(values: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
            return tf.reshape(values, [-1, 1, 1]) * places

        rows = times(yx, x) + times(yy, y) + middle_row
        columns = times(xx, x) + times(xy, y) + middle_column
        return warp(images, rows, columns, blit)

    def _color(self, images: tf.Tensor) -> tf.Tensor:
        """Brightness, contrast about middle gray, luma flip, hue and saturation, in this order.

        With v the direction of gray, all but brightness act separately on v and on the plane
        orthogonal to it: the luma flip negates the component along v, hue rotates the plane, and
        saturation scales it.
        """
        p = self._p * self._color_multiplier
        brightness = 0.2 * self._gate("brightness", p) * self._normals["brightness"]
        contrast = _power_of_two(0.5 * self._gate("contrast", p) * self._normals["contrast"])
        flipped = self._gate("luma", p) * tf.floor(2.0 * self._uniforms["luma_draw"])
        gray = contrast * (1.0 - 2.0 * flipped)
        offset = per_image(gray * brightness)
        if images.shape[3] == 1:
            return per_image(gray) * images + offset
        saturation = _power_of_two(self._gate("saturation", p) * self._normals["saturation"])
        cos, sin = self._angle("hue_angle", self._gate("hue", p))
        plane = contrast * saturation * cos
        # The cross product with v.
        turned = tf.roll(images, 1, axis=3) - tf.roll(images, -1, axis=3)
        across = contrast * saturation * sin / math.sqrt(3.0)
        mean = tf.reduce_mean(images, axis=3, keepdims=True)
        return (
            per_image(plane) * images
            + per_image(gray - plane) * mean
            + per_image(across) * turned
            + offset
        )

    def _noise(self, images: tf.Tensor) -> tf.Tensor:
        """Adds Gaussian noise, of a standard deviation that is drawn for each image."""
        stddev = 0.1 * self._gate("noise") * tf.abs(self._normals["noise"])
        noise_key = random.fold(self._key, Role.AUGMENTATION_NOISE)
        shape = [self._num, self._height, self._width, self._channels]
        return images + per_image(stddev) * random.normal(shape, noise_key)

    def _cutout(self, images: tf.Tensor) -> tf.Tensor:
        """Cuts a hole of half of each side, whose center is anywhere, to middle gray."""
        inside = []
        for size, name in ((self._height, "cutout_row"), (self._width, "cutout_column")):
            places = (tf.range(size, dtype=tf.float32) + 0.5) / size
            inside.append(tf.abs(places - self._uniforms[name][:, tf.newaxis]) < 0.25)
        hole = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis]
        hole &= tf.reshape(self._gate("cutout") > 0, [-1, 1, 1])
        return tf.where(hole[..., tf.newaxis], 0.0, images)


def _power_of_two(exponent: tf.Tensor) -> tf.Tensor:
    return tf.exp(math.log(2.0) * exponent)
