"""DiffAugment: a fixed set of changes, always at full strength."""

import dataclasses

import keras
import tensorflow as tf

from tfgans import checks, random, shapes
from tfgans.augmentation.augmentation import Augmentation, change_colors, per_image
from tfgans.augmentation.pixels import take

OPERATIONS = ("color", "translation", "cutout", "flip")
# The columns of the draws of an image: the numbers of an operation do not depend on the policy.
_DRAWS = ("brightness", "saturation", "contrast", "down", "right", "top", "left", "flip")


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class DiffAugment(Augmentation):
    """DiffAugment: changes color and place, and cuts a hole, in every image at every update.

    | operation | change of each image |
    |---|---|
    | `color` | x + b, b ~ U[-1/2, 1/2); then the deviation of each value from its pixel's mean \
over channels times U[0, 2); then the deviation from the image's mean times U[1/2, 3/2) |
    | `translation` | moved by whole pixels, up to 1/8 of each side; uncovered pixels become \
`fill` |
    | `cutout` | a box of half of each side, anywhere, becomes `fill` |
    | `flip` | mirrored left to right with probability 1/2 |

    `color` leaves the alpha of images with four channels as it is.

    The operations run in the order of the policy. They are as in the authors' code; `flip` is the
    one of their code for consistency regularization. There is no gate as in `AdaptiveAugment`:
    nothing prevents samples with holes or borders. The authors use all of
    "color,translation,cutout" for hundreds of images and subsets for more: "translation,cutout" or
    "color,cutout" for CIFAR-10.

    Args:
        policy: String, some of "color", "translation", "cutout" and "flip" with commas between, in
            the order in which they run. Empty: nothing is changed. Default:
            "color,translation,cutout".
        strength: Float in [0, 1], a factor of all ranges, of the side of the hole and of the
            probability of a flip; 0 is the identity. Default: 1, as published.
        fill: Float, the value of uncovered pixels. Default: 0, as published: middle gray, which is
            visible on images with another background, on real and fake images alike.
        penalty_at: "augmented" or "raw", see `Augmentation`. Default: "augmented".

    Raises:
        ValueError: If an argument is not as above.

    Example:

    ```python
    augmentation = tfgans.augmentation.DiffAugment("translation,cutout")
    changed = augmentation(images, tfgans.random.key(0))
    gan = tfgans.NonSaturatingGAN(generator, discriminator, augmentation=augmentation)
    ```

    Reference: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training";
    github.com/mit-han-lab/data-efficient-gans.
    """

    policy: str = "color,translation,cutout"
    strength: float = 1.0
    fill: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.operations if isinstance(self.policy, str) else ("",)
        if len(set(names)) < len(names) or not set(names) <= set(OPERATIONS):
            listed = ", ".join(map(repr, OPERATIONS))
            raise ValueError(
                f"`policy` must name some of {listed}, each at most once, with commas between, say "
                f"'color,translation,cutout'. Received: {checks.short(self.policy)}"
            )
        if checks.non_negative("strength", self.strength) > 1:
            raise ValueError(
                f"`strength` must be in [0, 1]. Received: {checks.short(self.strength)}"
            )
        checks.finite("fill", self.fill)

    @property
    def operations(self) -> tuple[str, ...]:
        """The names in the policy, in their order."""
        return tuple(self.policy.split(",")) if self.policy else ()

    def augment(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the images after all operations of the policy."""
        if not self.operations:
            return images
        numbers = random.uniform([shapes.batch_size(images), len(_DRAWS)], key)
        draws = dict(zip(_DRAWS, tf.unstack(numbers, axis=1), strict=True))
        changes = {
            "color": self._color,
            "translation": self._translation,
            "cutout": self._cutout,
            "flip": self._flip,
        }
        for operation in self.operations:
            images = changes[operation](images, draws)
        return images

    def _color(self, images: tf.Tensor, draws: dict[str, tf.Tensor]) -> tf.Tensor:
        def around_zero(name: str) -> tf.Tensor:
            return per_image(self.strength * (draws[name] - 0.5))

        def change(colors: tf.Tensor) -> tf.Tensor:
            colors = colors + around_zero("brightness")
            if colors.shape[3] > 1:
                gray = tf.reduce_mean(colors, axis=3, keepdims=True)
                colors = colors + 2.0 * around_zero("saturation") * (colors - gray)
            mean = tf.reduce_mean(colors, axis=[1, 2, 3], keepdims=True)
            return colors + around_zero("contrast") * (colors - mean)

        return change_colors(images, change)

    def _translation(self, images: tf.Tensor, draws: dict[str, tf.Tensor]) -> tf.Tensor:
        places, inside = [], []
        for size, name in zip(images.shape[1:3], ("down", "right"), strict=True):
            most = int(size * self.strength / 8 + 0.5)
            shift = integers(draws[name], 2 * most + 1) - most
            place = tf.range(size) - shift[:, tf.newaxis]
            inside.append((place >= 0) & (place < size))
            places.append(tf.clip_by_value(place, 0, size - 1))
        rows, columns = places
        moved = take(images, images.shape[2] * rows[:, :, tf.newaxis] + columns[:, tf.newaxis])
        return self._filled(moved, inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis])

    def _cutout(self, images: tf.Tensor, draws: dict[str, tf.Tensor]) -> tf.Tensor:
        inside = []
        for size, name in zip(images.shape[1:3], ("top", "left"), strict=True):
            side = int(size * self.strength / 2 + 0.5)
            # Boxes are cut off at the border.
            first = integers(draws[name], size + 1 - side % 2) - side // 2
            place = tf.range(size) - first[:, tf.newaxis]
            inside.append((place >= 0) & (place < side))
        hole = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis]
        return self._filled(images, ~hole)

    def _flip(self, images: tf.Tensor, draws: dict[str, tf.Tensor]) -> tf.Tensor:
        mirrored = draws["flip"] < 0.5 * self.strength
        return tf.where(tf.reshape(mirrored, [-1, 1, 1, 1]), images[:, :, ::-1], images)

    def _filled(self, images: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """Returns the images with `fill` where `kept` [batch, height, width] is False."""
        return tf.where(kept[..., tf.newaxis], images, self.fill)


def integers(uniforms: tf.Tensor, count: int) -> tf.Tensor:
    """Returns int32: uniform draws from 0 to count - 1, made of draws of U[0, 1)."""
    return tf.cast(uniforms * count, tf.int32)
