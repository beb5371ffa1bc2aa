"""Images of a folder."""

import contextlib
import os
from collections.abc import Hashable
from pathlib import Path

import numpy as np

from tfgans import checks, files
from tfgans.data import dataset_json, paths
from tfgans.data.image_store import ImageStore
from tfgans.data.indexed import spread
from tfgans.data.load_options import LoadOptions


class FolderStore(ImageStore):
    """The image files of a split of a folder, in the order of their paths.

    Files count when their name ends in one of `paths.EXTENSIONS`, in any case; hidden files and
    folders, `__MACOSX` and thumbnails do not. When every image lies in a subfolder, the first-level
    subfolders are the classes, in sorted order. Subfolders `train`, `val`, `valid`, `validation`
    and `test` are splits; the classes of all are numbered as those of `train`, further ones follow.
    A file `dataset.json`, in the folder or in that of the split, decides the labels instead of
    subfolders, as in StyleGAN2: `{"labels": [["00000/img00000000.png", 6], ...]}` with paths
    relative to the file.

    Args:
        path: The folder.
        options: The split, see `paths.select_split`, and `follow_links`.

    Raises:
        ValueError: See `paths.list_images`.
    """

    def __init__(self, path: str, options: LoadOptions) -> None:
        named = files.path(path)
        within = None if checks.boolean("follow_links", options.follow_links) else named
        self._listing = paths.list_images(named, options.split, within=within)
        labels, class_names = _classes(self._listing, named, within)
        super().__init__(
            str(self._listing.root),
            len(self._listing.files),
            labels=labels,
            class_names=class_names,
            skipped_files=self._listing.skipped_files,
            empty=self._listing.empty,
        )

    def title(self, index: int) -> str:
        """Returns the path of an image in the folder of the split."""
        return self._listing.files[index]

    def open(self, index: int) -> str:
        """Returns the path of an image."""
        return os.path.join(self.place, self.title(index))  # In a third of `Path`'s time.

    def state(self) -> Hashable:
        """Returns the names, the times of their folders, and sizes and times of up to 1000 files.

        A folder's time changes with the names in it. A file that was written over in place is
        noticed if it is one of the 1000, and its size or time has changed.
        """
        times = tuple(os.stat(folder).st_mtime_ns for folder in self._listing.folders)
        files = tuple(_state_of(self.open(place)) for place in spread(self.num_images))
        return tuple(self._listing.files), times, files


def _classes(
    listing: paths.Listing, named: Path, within: Path | None
) -> tuple[np.ndarray | None, list[str] | None]:
    """Returns the labels of the images and the names of the classes, each of which may be None."""
    for folder in (listing.root, named):
        file = folder / dataset_json.NAME
        if not file.is_file():
            continue
        if within is not None:
            paths.refuse_outside(str(file), os.path.realpath(within))
        inner = listing.root.relative_to(folder)
        labels = dataset_json.read_labels(
            file.read_bytes,
            [(inner / name).as_posix() for name in listing.files],
            num_bytes=file.stat().st_size,
            place=str(file),
        )
        return labels, None
    return paths.classes(listing.files, listing.train_classes)


def _state_of(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):  # A link to nowhere.
        status = os.stat(path)
        return status.st_size, status.st_mtime_ns
    return None
