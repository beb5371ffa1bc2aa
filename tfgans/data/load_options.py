"""The options of `tfgans.data.load`."""

import os
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tfgans import files
from tfgans.data import resize
from tfgans.data.resize import ImageOptions

_FILES = "it applies to encoded images only"
# Why a source refuses an option that it does not take.
_REASONS = {
    "split": "it has the split 'train' only",
    "image_size": "its examples are vectors, not images",
    "data_dir": "it is not stored in a data folder",
    "download": "there is nothing to download",
    "fit": "its images are not resized by it",
    "background": "its images have no transparency",
    "flip": "its examples are not flipped",
    "image_key": "its images have no key",
    "label_key": "its labels have no key",
    "skip_bad": _FILES,
    "cache": _FILES,
    "cache_dir": _FILES,
    "follow_links": "it applies to 'folder:PATH' only",
}
_PATHS = ("data_dir", "cache_dir")
# Settings of a run: with the checksum of the data, they decide the examples. Not the place of the
# files, for a folder may be copied, nor what only chooses the examples there.
DECIDING = ("split", "image_size", "fit", "background", "flip")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options of `tfgans.data.load`, with its defaults; see there."""

    split: str = "train"
    image_size: int | tuple[int, int] | None = None
    data_dir: str | os.PathLike[str] | None = None
    download: bool = False
    seed: int = 0
    fit: str = "crop"
    background: str = "white"
    flip: bool = False
    image_key: str | None = None
    label_key: str | None = None
    skip_bad: bool = False
    cache: str = "auto"
    cache_dir: str | os.PathLike[str] | None = None
    follow_links: bool = False

    def of_images(self) -> ImageOptions:
        """Returns the size, fit and background of images.

        Raises:
            ValueError: If a value is out of range.
        """
        return ImageOptions(resize.parse_size(self.image_size), self.fit, self.background)

    def check_taken(self, name: str, taken: tuple[str, ...]) -> None:
        """Raises ValueError if an option differs from its default and means nothing for a source.

        Args:
            name: Name of the source.
            taken: Names of the options that it takes, beside the seed.
        """
        for option, reason in _REASONS.items():
            value, default = getattr(self, option), getattr(LoadOptions, option)
            if option not in taken and value != default:
                raise ValueError(
                    f"`{option}` cannot be used with {name!r}: {reason}. Received: "
                    f"{option}={value!r}. Leave it out"
                )

    def to_json(self) -> dict[str, Any]:
        """Returns all options but the seed as JSON values that mean the same in any folder."""
        values: dict[str, Any] = {}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in _PATHS and value is not None:
                value = os.path.abspath(files.path(value))
            if isinstance(value, np.integer | np.ndarray):
                value = value.tolist()
            elif isinstance(value, tuple):
                value = [np.asarray(part).item() for part in value]
            values[option.name] = value
        del values["seed"]
        return values
