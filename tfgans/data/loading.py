"""Loads a source of real examples by its name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tfgans.data import (
    color,
    fashion_mnist,
    folder,
    hdf5,
    hugging_face,
    idx,
    npz,
    splits,
    tfds_images,
    tfrecord,
    zip_images,
)
from tfgans.data.manifolds import LowRankGaussian, ParallelLines
from tfgans.data.source import Source
from tfgans.data.stacked import StackedImages
from tfgans.data.synthetic import Grid, Ring, SwissRoll

_FILES = "it applies to images in files only"

# Options that only some sources take, their defaults, and why the others refuse them.
_OPTIONS: Mapping[str, tuple[Any, str]] = {
    "split": ("train", "it has the split 'train' only"),
    "image_size": (None, "its examples are vectors, not images"),
    "data_dir": (None, "it is not stored in a data folder"),
    "download": (False, "there is nothing to download"),
    "fit": ("crop", "its images are not resized"),
    "background": ("white", "its images have no transparency"),
    "flip": (False, "its examples are not flipped"),
    "image_key": (None, "its images have no name"),
    "label_key": (None, "its labels have no name"),
    "skip_bad": (False, _FILES),
    "cache": ("auto", _FILES),
    "cache_dir": (None, _FILES),
    "follow_links": (False, "it applies to 'folder:PATH' only"),
}


@dataclass(frozen=True)
class _Row:
    """The function that makes a source, and the options that it takes."""

    make: Callable[..., Source]
    options: tuple[str, ...] = ()
    convert: Callable[..., Source] | None = None  # Of what `make` returns, and `seed`.


def _part(make: Callable[..., Any], split: str, **options: Any) -> Any:
    """Returns a source of a split, or of a part of it such as `"train[:90%]"`."""
    parsed = splits.parse_split(split)
    source = make(split=parsed.name, **options)
    if not parsed.is_part:
        return source
    part = splits.subset(source, parsed.indices(source.num_examples))
    part.origin = source.origin
    return part


_IMAGES = ("split", "image_size", "fit", "flip")
_BASE = ("split", "image_size", "data_dir")
_PREPARED = (*_IMAGES, "data_dir", "download")
_ARRAYS = (*_IMAGES, "background")
_ENCODED = (*_ARRAYS, "skip_bad", "cache", "cache_dir")
_KEYS = ("image_key", "label_key")


def _prepared(
    name: str,
    options: tuple[str, ...] = _PREPARED,
    convert: Callable[..., Source] | None = None,
) -> _Row:
    return _Row(partial(tfds_images.load_images, name), options, convert)


_SOURCES: Mapping[str, _Row] = {
    "digits": _prepared("digits", (*_IMAGES, "data_dir")),
    "stacked_digits": _prepared("digits", _BASE, StackedImages),
    "mnist": _prepared("mnist"),
    "stacked_mnist": _prepared("mnist", (*_BASE, "download"), StackedImages),
    "color_mnist": _prepared("mnist", (*_BASE, "download"), color.tint),
    "fashion_mnist": _Row(fashion_mnist.load_fashion_mnist, _PREPARED),
    "kmnist": _prepared("kmnist"),
    "cifar10": _prepared("cifar10"),
    "celeb_a": _prepared("celeb_a"),
    "ring": _Row(Ring),
    "grid": _Row(Grid),
    "swiss_roll": _Row(SwissRoll),
    "parallel_lines": _Row(ParallelLines),
    "low_rank_gaussian": _Row(LowRankGaussian),
}
# Sources of a path or a name that follows the kind and a colon, and what follows it.
_KINDS: Mapping[str, tuple[str, _Row]] = {
    "folder": ("PATH", _Row(folder.load_folder, (*_ENCODED, "follow_links"))),
    "idx": ("DIR", _Row(idx.load_idx, _ARRAYS)),
    "npz": ("FILE", _Row(npz.load_npz, (*_ARRAYS, *_KEYS))),
    "hdf5": ("FILE", _Row(hdf5.load_hdf5, (*_ARRAYS, *_KEYS))),
    "tfrecord": ("GLOB", _Row(tfrecord.load_tfrecord, (*_ENCODED, *_KEYS))),
    "zip": ("FILE", _Row(zip_images.load_zip, _ENCODED)),
    "hf": ("NAME", _Row(hugging_face.load_hf, (*_ENCODED, *_KEYS))),
}

NAMES = (*_SOURCES, *(f"{kind}:{place}" for kind, (place, _) in _KINDS.items()))


def load(
    name: str,
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    seed: int = 0,
    fit: str = "crop",
    background: str = "white",
    flip: bool = False,
    image_key: str | None = None,
    label_key: str | None = None,
    skip_bad: bool = False,
    cache: str = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    follow_links: bool = False,
) -> Source:
    """Returns the source of real examples that a name stands for.

    Args:
        name: One of `NAMES`. `"folder:PATH"` reads the images below a folder, `"zip:FILE"` those
            of an archive, `"idx:DIR"` the files of MNIST's format, `"npz:FILE"` and
            `"hdf5:FILE[/key]"` arrays, `"tfrecord:GLOB"` encoded images in records, `"hf:NAME"` a
            data set of the Hugging Face hub. `~` stands for the home folder.
        split: `"train"` (default), `"test"`, or another that the data have; or a part of it, such
            as `"train[:90%]"` or `"train[5000:]"`: a slice of a fixed permutation.
        image_size: Integer or (height, width) that images are resized to without aliasing.
            Defaults to None: their size as stored, for celeb_a 64.
        data_dir: Folder of datasets prepared by tensorflow-datasets. Defaults to the environment
            variable `TFGANS_DATA_DIR`, or else to `~/.cache/tfgans`.
        download: Whether to download what `data_dir` lacks. Defaults to False.
        seed: Integer. Decides the order of batches, or what is drawn. Defaults to 0.
        fit: The way to an image of another shape: `"crop"` (default) cuts it about its centre,
            `"pad"` adds margins, `"stretch"` changes the aspect ratio.
        background: Color behind transparent pixels and of margins: `"white"` (default), `"black"`,
            `"#rrggbb"`; or `"alpha"`, which keeps transparency as a fourth channel.
        flip: Whether batches mirror images left to right with probability 1/2. Defaults to False.
        image_key: Name of the images in an npz or HDF5 file, in records, or among columns.
            Defaults to None: the usual names.
        label_key: Name of the labels there. Defaults to None: the usual names, no labels if there
            are none.
        skip_bad: Whether to leave out unreadable images, with a warning. Defaults to False: they
            are an error.
        cache: Where decoded images are held: `"memory"`, `"disk"`, `"none"`, or `"auto"`
            (default), the first of these with enough space. See `image_source.load_images`.
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
    kind, colon, place = name.partition(":") if isinstance(name, str) else ("", "", "")
    if colon and place and kind in _KINDS:
        row = _KINDS[kind][1]
        make: Callable[..., Source] = partial(row.make, place)
    elif isinstance(name, str) and name in _SOURCES:
        row = _SOURCES[name]
        make = row.make
    else:
        raise ValueError(
            f"`name` (`--dataset`) must be one of {', '.join(NAMES)}. Received: {name!r}"
        )
    received = {
        "split": split,
        "image_size": image_size,
        "data_dir": data_dir,
        "download": download,
        "fit": fit,
        "background": background,
        "flip": flip,
        "image_key": image_key,
        "label_key": label_key,
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
    options = {option: received[option] for option in row.options if option != "split"}
    if "split" not in row.options:
        return make(seed=seed, **options)
    source = _part(make, split, seed=seed, **options)
    if place:
        source.origin = os.path.expanduser(place)
    return source if row.convert is None else row.convert(source, seed=seed)
