"""Random changes of the images that a discriminator sees, for training on few images."""

from tfgans.augmentation.adaptive_augment import AdaptiveAugment
from tfgans.augmentation.augmentation import Augmentation
from tfgans.augmentation.diff_augment import DiffAugment

__all__ = [
    "AdaptiveAugment",
    "Augmentation",
    "DiffAugment",
]
