"""From a name to a source of real examples."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tfgans import files
from tfgans.data import color, folder, tfds_images
from tfgans.data.manifolds import LowRankGaussian, ParallelLines
from tfgans.data.source import Source
from tfgans.data.stacked import StackedImages
from tfgans.data.synthetic import Grid, Ring, SwissRoll

_FOLDER = "folder:"

# Options that only some sources take, their defaults, and why the others refuse them.
_OPTIONS: Mapping[str, tuple[Any, str]] = {
    "split": ("train", "it has the split 'train' only"),
    "image_size": (None, "its examples are vectors, not images"),
    "data_dir": (None, "it is not stored in a data folder"),
    "download": (False, "there is nothing to download"),
    "skip_bad": (False, "it applies to files of 'folder:PATH' only"),
    "cache": ("auto", "it applies to files of 'folder:PATH' only"),
    "cache_dir": (None, "it applies to files of 'folder:PATH' only"),
    "follow_links": (False, "it applies to files of 'folder:PATH' only"),
}


@dataclass(frozen=True)
class _Row:
    """How a source is made, and which of the options it takes."""

    make: Callable[..., Source]
    options: tuple[str, ...] = ()


_BUNDLED = ("split", "image_size", "data_dir")
_DOWNLOADED = (*_BUNDLED, "download")


def _stacked(base: str, *, seed: int, **options: Any) -> Source:
    return StackedImages(tfds_images.load_images(base, **options), seed=seed)


def _tinted(base: str, *, seed: int, **options: Any) -> Source:
    return color.tint(tfds_images.load_images(base, **options), seed=seed)


_SOURCES: Mapping[str, _Row] = {
    "digits": _Row(partial(tfds_images.load_images, "digits"), _BUNDLED),
    "stacked_digits": _Row(partial(_stacked, "digits"), _BUNDLED),
    "mnist": _Row(partial(tfds_images.load_images, "mnist"), _DOWNLOADED),
    "stacked_mnist": _Row(partial(_stacked, "mnist"), _DOWNLOADED),
    "color_mnist": _Row(partial(_tinted, "mnist"), _DOWNLOADED),
    "cifar10": _Row(partial(tfds_images.load_images, "cifar10"), _DOWNLOADED),
    "celeb_a": _Row(partial(tfds_images.load_images, "celeb_a"), _DOWNLOADED),
    "ring": _Row(Ring),
    "grid": _Row(Grid),
    "swiss_roll": _Row(SwissRoll),
    "parallel_lines": _Row(ParallelLines),
    "low_rank_gaussian": _Row(LowRankGaussian),
}

NAMES = (*_SOURCES, _FOLDER + "PATH")


def load(
    name: str,
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    seed: int = 0,
    skip_bad: bool = False,
    cache: str = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    follow_links: bool = False,
) -> Source:
    """Returns the source of real examples that a name stands for.

    Args:
        name: One of `NAMES`; `"folder:PATH"` reads the images below a folder.
        split: `"train"` (default), `"test"`, or another that the data have.
        image_size: Integer or (height, width): images are cropped about their centre to its shape
            and resized without aliasing. Defaults to None: their own size, for celeb_a 64.
        data_dir: Folder of datasets prepared by tensorflow-datasets. Defaults to the environment
            variable `TFGANS_DATA_DIR`, or else to `~/.cache/tfgans`.
        download: Whether to download what `data_dir` lacks. Defaults to False.
        seed: Integer. Decides the order of batches, or what is drawn. Defaults to 0.
        skip_bad: Whether to leave out the unreadable files of a folder, with a warning. Defaults
            to False: they are an error.
        cache: Where the decoded images of a folder are held: `"memory"`, `"disk"`, `"none"`, or
            `"auto"` (default), the first of these with enough space. See `folder.load_folder`.
        cache_dir: Folder of images on disk. Defaults to the environment variable
            `TFGANS_CACHE_DIR`, or else to `~/.cache/tfgans/folders`.
        follow_links: Whether links in a folder may lead out of it. Defaults to False: one that
            does is an error.

    Raises:
        ValueError: When the name is unknown, an option is out of range or means nothing for this
            source, or the data are absent.

    Example:

    >>> source = tfgans.data.load("ring", seed=1)
    >>> next(iter(source.batches(256))).shape
    TensorShape([256, 2])
    """
    row = _row(name)
    received = {
        "split": split,
        "image_size": image_size,
        "data_dir": data_dir,
        "download": download,
        "skip_bad": skip_bad,
        "cache": cache,
        "cache_dir": cache_dir,
        "follow_links": follow_links,
    }
    for option, (default, reason) in _OPTIONS.items():
        if option not in row.options and received[option] != default:
            raise ValueError(
                f"`{option}` cannot be used with {name!r}: {reason}. Received: "
                f"{option}={received[option]!r}. Leave it out"
            )
    source = row.make(seed=seed, **{option: received[option] for option in row.options})
    source.load_options = _as_json(name, received)
    return source


def _as_json(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `load` as JSON values that mean the same in any folder."""
    if name.startswith(_FOLDER):
        name = _FOLDER + os.path.abspath(files.path(name.removeprefix(_FOLDER)))
    absolute = {
        option: os.path.abspath(files.path(options[option]))
        for option in ("data_dir", "cache_dir")
        if options[option] is not None
    }
    size = options["image_size"]
    lengths = list(size) if isinstance(size, tuple) else size
    return {"name": name, **options, **absolute, "image_size": lengths}


def _row(name: str) -> _Row:
    if isinstance(name, str) and name.startswith(_FOLDER) and name != _FOLDER:
        make = partial(folder.load_folder, name.removeprefix(_FOLDER))
        return _Row(make, ("split", "image_size", "skip_bad", "cache", "cache_dir", "follow_links"))
    if not isinstance(name, str) or name not in _SOURCES:
        raise ValueError(
            f"`name` (`--dataset`) must be one of {', '.join(NAMES)}. Received: {name!r}"
        )
    return _SOURCES[name]
