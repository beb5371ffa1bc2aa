"""The base class of augmentations."""

import abc
import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.settings import Settings

PENALTY_AT = ("augmented", "raw")


@dataclasses.dataclass(frozen=True)
class Augmentation(Settings, abc.ABC):
    """A random change T of the images that the discriminator sees, real and fake alike.

    A discriminator memorizes a small training set. It cannot do so if it sees each image changed
    differently at every update. `GAN(augmentation=...)` replaces D(x) by D(T(x)) in the updates
    of both players: the gradient of the generator passes through T. Samples, exports and
    evaluations are never augmented.

    An augmentation is immutable and serializable; what changes during training is in `state`.
    Create a separate one for each model: models with the same augmentation share its state.

    To add one: subclass it as a frozen dataclass (its fields are its config), define `augment`,
    register it with `keras.saving.register_keras_serializable(package="tfgans")`, and add a row to
    the contract table of the tests.

    Args:
        penalty_at: Where a gradient penalty takes the gradient. "augmented" (the default): at the
            images that the discriminator sees, T(x); penalties between two images mix augmented
            images. "raw": at x, through T, with a second derivative of T, as in NVIDIA's code of
            ADA. The code of the DiffAugment authors has both variants.

    Call arguments:
        images: Float tensor [batch, height, width, channels], in [-1, 1]; the sizes but for the
            batch are static.
        key: The int64[2] random key of this call, see `tfgans.random.key`. The same key gives the
            same changes. Each image has a separate draw.

    Returns (of the call): float32 tensor of the same shape, twice differentiable with respect to
    the images. Values may leave [-1, 1].

    Raises:
        ValueError: If the examples are no images of a known size, or integers.
    """

    penalty_at: str = dataclasses.field(default="augmented", kw_only=True)

    def __post_init__(self) -> None:
        checks.choice("penalty_at", self.penalty_at, PENALTY_AT)

    @abc.abstractmethod
    def augment(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns changed images: float32 [batch, height, width, channels], as the argument."""

    def __call__(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns changed images: float32 [batch, height, width, channels]."""
        images = tf.convert_to_tensor(images)
        self.check_shape(tuple(images.shape)[1:])
        if not images.dtype.is_floating:
            raise ValueError(
                f"`{type(self).__name__}` changes images of floats in [-1, 1]. Received: "
                f"{images.dtype.name}. Pass `images / 127.5 - 1.0`"
            )
        return self.augment(tf.cast(images, tf.float32), key)

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """Raises ValueError unless there are images of `shape`, [height, width, channels]."""
        if len(shape) != 3 or None in shape:
            raise ValueError(
                f"`{type(self).__name__}` changes images [height, width, channels] of a known "
                f"size. Received: examples of shape {tuple(shape)}. Leave the augmentation out"
            )

    @property
    def state(self) -> keras.layers.Layer | None:
        """The layer whose weights move in training, saved and resumed with the model; or None."""
        return None

    @property
    def p(self) -> keras.Variable | None:
        """The variable with the probability of changes, which is logged; or None."""
        return None

    @property
    def is_adaptive(self) -> bool:
        """Whether `adapt` moves the state."""
        return False

    def adapt(self, sign: float | tf.Tensor, num: int | tf.Tensor) -> None:
        """Moves the state after an update of the discriminator; does nothing if not adaptive.

        Args:
            sign: Scalar in [-1, 1], the mean sign of the logits on the real images of the update.
                Under `tf.distribute` of all replicas.
            num: Scalar, the number of these images.
        """
        del sign, num


def change_colors(images: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Returns images after a change of colors; the alpha of images with four channels stays."""
    if images.shape[3] != 4:
        return change(images)
    return tf.concat([change(images[..., :3]), images[..., 3:]], axis=3)


def per_image(values: tf.Tensor) -> tf.Tensor:
    """Returns numbers [batch] as [batch, 1, 1, 1], to compute with images."""
    return tf.reshape(values, [-1, 1, 1, 1])
