"""Images of a folder."""

import contextlib
import os
import warnings
from collections.abc import Hashable
from pathlib import Path

from tfgans import checks
from tfgans.data import capacity, image_source, paths, resize
from tfgans.data.image_store import ImageStore, spread
from tfgans.data.indexed import IndexedSource
from tfgans.data.resize import ImageOptions


class FolderStore(ImageStore):
    """The image files of a split of a folder.

    Args:
        path: The folder.
        split: See `paths.split_folder`. Defaults to `"train"`.
        follow_links: Whether links may lead out of the folder. Defaults to False.

    Attributes:
        listing: See `paths.Listing`.

    Raises:
        ValueError: See `paths.list_images`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        split: str = "train",
        follow_links: bool = False,
    ) -> None:
        named = Path(path).expanduser()
        within = None if checks.boolean("follow_links", follow_links) else named
        self.listing = paths.list_images(named, split, within=within)
        labels, class_names = paths.classes(self.listing.files)
        super().__init__(
            str(self.listing.root), self.listing.files, labels=labels, class_names=class_names
        )

    def open(self, index: int) -> Path:
        """Returns the path of an image."""
        return self.listing.root / self.names[index]

    def state(self) -> Hashable:
        """Returns the names, the times of the folders, and sizes and times of up to 1000 files.

        A folder's time changes with the names in it.
        """
        times = tuple(os.stat(folder).st_mtime_ns for folder in self.listing.folders)
        files = tuple(_state_of(self.open(place)) for place in spread(len(self)))
        return self.listing.files.digest(), times, files


def load_folder(
    path: str | os.PathLike[str],
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    background: str = "white",
    flip: bool = False,
    seed: int = 0,
    skip_bad: bool = False,
    cache: str = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    follow_links: bool = False,
) -> IndexedSource:
    """Returns the images below a folder, in the order of their paths.

    Files count when their name ends in one of `paths.EXTENSIONS`, in any case; hidden files and
    folders, `__MACOSX` and thumbnails do not. When every image lies in a subfolder, the first-level
    subfolders are the classes, in sorted order: `labels` and `class_names`. See `decoding.decode`
    for the conversion of a file to an image, and `image_source.load_images` for where the images
    are held.

    A file that was written over in place is noticed by the cache on disk if it is one of 1000. To
    be sure, remove the cache.

    Args:
        path: The folder. Subfolders `train`, `val`, `valid`, `validation` and `test` are splits.
        split: Name of a split. Defaults to `"train"`, the only one without such subfolders.
        image_size: Integer, or (height, width), that all images are resized to. May be None
            (default) in memory, when they have one size already.
        fit: See `ImageOptions`.
        background: See `ImageOptions`.
        flip: See `IndexedSource`.
        seed: Integer. Decides the order of batches. Defaults to 0.
        skip_bad: See `image_source.load_images`.
        cache: See `image_source.load_images`.
        cache_dir: Folder of the files on disk. Defaults to the environment variable
            `TFGANS_CACHE_DIR`, or else to `~/.cache/tfgans/folders`.
        follow_links: Whether links may lead out of the folder. Defaults to False: such a link is
            an error.

    Raises:
        ValueError: When there is no such folder or split or nothing in it, when splits and classes
            are mixed; or see `image_source.load_images`.
    """
    checks.choice("cache", cache, image_source.CACHES)
    options = ImageOptions(resize.parse_size(image_size), fit, background)
    store = FolderStore(path, split=split, follow_links=follow_links)
    _warn_of_left_out(store.listing)
    return image_source.load_images(
        store,
        options,
        cache=cache,
        cache_dir=capacity.cache_directory(cache_dir),
        skip_bad=skip_bad,
        flip=flip,
        seed=seed,
        name=f"folder:{path}",
    )


def _warn_of_left_out(listing: paths.Listing) -> None:
    """Warns of images in formats that are not decoded, and of classes without images."""
    images = {name: num for name, num in listing.left_out.items() if name in paths.OTHER_IMAGES}
    if images:
        warnings.warn(
            f"Files in {listing.root} are left out, for their format is not read: "
            f"{paths.counted(images)}. Convert them to PNG",
            stacklevel=4,
        )
    if listing.empty:
        warnings.warn(
            f"Folders in {listing.root} hold no image and are no classes: "
            f"{', '.join(listing.empty)}",
            stacklevel=4,
        )


def _state_of(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):  # A link to nowhere.
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None
