"""The interface of places that hold encoded images: folders, archives, record files."""

import abc
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from tfgans.copies import Copyable
from tfgans.data.decoding import ImageFile


class ImageStore(Copyable, abc.ABC):
    """The encoded images of a split, by number.

    Args:
        place: String for errors: the path of the folder or the file.
        num_images: Int of at least 1.
        labels: Int array `[num_images]`, or None (default).
        class_names: Names of the classes 0, 1, ..., or None (default).
        skipped_files: Number of files that are not images, by lowercase file extension.
        empty: Folders without images, which could have been classes.
    """

    def __init__(
        self,
        place: str,
        num_images: int,
        *,
        labels: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        skipped_files: Mapping[str, int] | None = None,
        empty: Sequence[str] = (),
    ) -> None:
        self.place, self.num_images, self.labels = place, num_images, labels
        self.class_names = None if class_names is None else tuple(class_names)
        self.skipped_files, self.empty = dict(skipped_files or {}), tuple(empty)

    @abc.abstractmethod
    def title(self, index: int) -> str:
        """Returns the name of an image, for errors."""

    @abc.abstractmethod
    def open(self, index: int) -> ImageFile:
        """Returns the path of an image file, or its content as an open file.

        Raises:
            OSError, ValueError: If it cannot be read.
        """

    @abc.abstractmethod
    def state(self) -> Hashable:
        """Returns a value that differs when the images differ."""
