"""The options of `tfgans.data.load`."""

import os
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from tfgans import files
from tfgans.data import resize
from tfgans.data.resize import ImageOptions

_FILES = "it applies to encoded images only"


def _about(reason: str, *, decides: bool = False, is_path: bool = False) -> dict[str, Any]:
    """Returns the metadata of an option that only some sources take.

    Args:
        reason: Why the other sources refuse it.
        decides: Whether it is a setting of a run: with the checksum of the data, it decides the
            examples.
        is_path: Whether it is a path.
    """
    return {"reason": reason, "decides": decides, "is_path": is_path}


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options of `tfgans.data.load`, with its defaults; see there."""

    split: str = field(
        default="train", metadata=_about("it has the split 'train' only", decides=True)
    )
    image_size: int | tuple[int, int] | None = field(
        default=None, metadata=_about("its examples are vectors, not images", decides=True)
    )
    data_dir: str | os.PathLike[str] | None = field(
        default=None, metadata=_about("it is not stored in a data folder", is_path=True)
    )
    download: bool = field(default=False, metadata=_about("there is nothing to download"))
    seed: int = 0
    fit: str = field(
        default="crop", metadata=_about("its images are not resized by it", decides=True)
    )
    background: str = field(
        default="white", metadata=_about("its images have no transparency", decides=True)
    )
    flip: bool = field(default=False, metadata=_about("its examples are not flipped", decides=True))
    image_key: str | None = field(default=None, metadata=_about("its images have no key"))
    label_key: str | None = field(default=None, metadata=_about("its labels have no key"))
    skip_bad: bool = field(default=False, metadata=_about(_FILES))
    cache: str = field(default="auto", metadata=_about(_FILES))
    cache_dir: str | os.PathLike[str] | None = field(
        default=None, metadata=_about(_FILES, is_path=True)
    )
    follow_links: bool = field(default=False, metadata=_about("it applies to 'folder:PATH' only"))

    def of_images(self) -> ImageOptions:
        """Returns the size, fit and background of images.

        Raises:
            ValueError: If a value is out of range.
        """
        return ImageOptions(resize.parse_size(self.image_size), self.fit, self.background)

    def refused(self, taken: tuple[str, ...]) -> tuple[str, str] | None:
        """Returns the first option, and the reason, that a source refuses; None if there is none.

        Args:
            taken: Names of the options that the source takes, beside the seed.
        """
        for option in fields(self):
            reason = option.metadata.get("reason")
            if reason is None or option.name in taken:
                continue
            if getattr(self, option.name) != option.default:
                return option.name, reason
        return None

    def to_json(self) -> dict[str, Any]:
        """Returns all options but the seed as JSON values that mean the same in any folder."""
        values: dict[str, Any] = {}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.metadata.get("is_path") and value is not None:
                value = os.path.abspath(files.path(value))
            if isinstance(value, np.integer | np.ndarray):
                value = value.tolist()
            elif isinstance(value, tuple):
                value = [np.asarray(part).item() for part in value]
            values[option.name] = value
        del values["seed"]
        return values


# Not the place of the files, for a folder may be copied, nor what only chooses the examples there.
DECIDING = tuple(option.name for option in fields(LoadOptions) if option.metadata.get("decides"))
