"""The course of R3GAN's settings over the images of a training."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self, TypeAlias

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.settings import Settings

# The values at the start and at the end.
Course: TypeAlias = tuple[float, float]


class ScheduledValues(NamedTuple):
    """The settings at a point of the training: float32 scalars.

    Attributes:
        learning_rate: Of both players.
        beta_2: Of both Adam optimizers.
        gamma: Twice the weight of R1 and of R2.
        ema_half_life: Half-life, in images, of a weight's share in the generator's average.
        augmentation: The probability of each transform; 0 where the schedule does not move it.
    """

    learning_rate: tf.Tensor
    beta_2: tf.Tensor
    gamma: tf.Tensor
    ema_half_life: tf.Tensor
    augmentation: tf.Tensor


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class R3GANSchedule(Settings):
    """Moves settings from a start to an end along half a cosine, by the images seen.

    After t images, a setting is end + (1 + cos(pi t / T)) / 2 * (start - end); from T images on, it
    stays at its end. All settings are functions of t alone, whatever the batch size, so a resumed
    run continues as if it had not been interrupted.

    Args:
        num_images: Int of at least 1, T: the real examples, repeated ones too, in the updates of
            the discriminator until all settings are at their ends.
        learning_rate: Pair of floats above 0, of both players. Default: 2e-4 to 5e-5.
        beta_2: Pair of floats in [0, 1), of both Adam optimizers. Default: 0.9 to 0.99.
        gamma: Pair of floats of at least 0, twice the weight of R1 and of R2. Default: 1 to 0.1:
            our start, and the authors' end of a tenth of it.
        ema_half_life: Pair of numbers of images of at least 0, after which a weight has half its
            share in the average of the generator; at 0 the average is the generator. Default: 0 to
            a fortieth of `num_images`, as the authors have it for faces.
        augmentation: Pair of floats in [0, 1], p of an `AdaptiveAugment(..., target=None)`; or None
            (the default), the augmentation, if any, stays as it is.

    Raises:
        ValueError: If a number is out of its range.

    Example:

    >>> schedule = R3GANSchedule.preset("cifar10")
    >>> values = schedule.at(10_000_000)
    >>> print(f"{float(values.learning_rate):.6f} {float(values.gamma):.4f}")
    0.000125 0.0275

    Reference: [Huang et al. 2024](https://arxiv.org/abs/2501.05441), and the authors' code, from
    which the presets are.
    """

    num_images: int
    learning_rate: Course = (2e-4, 5e-5)
    beta_2: Course = (0.9, 0.99)
    gamma: Course = (1.0, 0.1)
    ema_half_life: Course | None = None
    augmentation: Course | None = None

    def __post_init__(self) -> None:
        num_images = checks.positive_int("num_images", self.num_images)
        if self.ema_half_life is None:
            object.__setattr__(self, "ema_half_life", (0.0, num_images / 40))
        for name in ScheduledValues._fields:
            if name != "augmentation" or self.augmentation is not None:
                # The only way in a frozen dataclass; configs hold lists.
                object.__setattr__(self, name, _pair(name, getattr(self, name)))
        for value in self.learning_rate:
            checks.positive("learning_rate", value)
        if max(self.beta_2) >= 1:
            raise ValueError(f"`beta_2` must be below 1. Received: {self.beta_2}")
        if self.augmentation is not None and max(self.augmentation) > 1:
            raise ValueError(f"`augmentation` must be at most 1. Received: {self.augmentation}")

    @classmethod
    def preset(cls, name: str) -> Self:
        """Returns the published schedule of a data set.

        It moves p, so the model needs an augmentation. That of the authors is
        `AdaptiveAugment("blit,geom,color,cutout", target=None, color_multiplier=0.5,
        penalty_at="raw")`, but with the wavelet filter of ADA's code, which tfgans does not have.

        Args:
            name: "cifar10", "ffhq64", "ffhq256", "imagenet32" or "imagenet64".
        """
        num_images, gamma, half_life, p = PRESETS[checks.choice("name", name, PRESETS)]
        return cls(
            num_images=num_images,
            gamma=(gamma, gamma / 10),
            ema_half_life=(0.0, half_life),
            augmentation=(0.0, p),
        )

    def at(self, num_images: int | tf.Tensor) -> ScheduledValues:
        """Returns the settings after so many images.

        Args:
            num_images: Int or scalar integer tensor of at least 0.
        """
        part = tf.minimum(1.0, tf.cast(num_images, tf.float32) / self.num_images)
        done = (1.0 - tf.cos(math.pi * part)) / 2.0
        pairs = (getattr(self, name) or (0.0, 0.0) for name in ScheduledValues._fields)
        return ScheduledValues(*(start + done * (end - start) for start, end in pairs))


# By data set: images; gamma at the start; half-life of the average, and p, at the end.
PRESETS: Mapping[str, tuple[int, float, float, float]] = {
    "cifar10": (20_000_000, 0.05, 5e6, 0.55),
    "ffhq64": (20_000_000, 2.0, 5e5, 0.3),
    "ffhq256": (20_000_000, 150.0, 5e5, 0.3),
    "imagenet32": (200_000_000, 0.5, 5e7, 0.5),
    "imagenet64": (200_000_000, 1.0, 5e7, 0.4),
}


def _pair(name: str, value: Course) -> Course:
    """Returns a pair of floats of at least 0, or raises ValueError."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ValueError(f"`{name}` must be a pair (start, end). Received: {checks.short(value)}")
    start, end = (checks.non_negative(name, number) for number in value)
    return start, end
