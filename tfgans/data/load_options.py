"""The options of `tfgans.data.load`."""

import os
from dataclasses import dataclass

from tfgans.data import resize
from tfgans.data.resize import ImageOptions


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
            ValueError: When a value is out of range.
        """
        return ImageOptions(resize.parse_size(self.image_size), self.fit, self.background)
