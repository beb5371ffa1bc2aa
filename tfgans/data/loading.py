"""Loads a source of real examples by its name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tfgans import files
from tfgans.data import (
    color,
    digits,
    fashion_mnist,
    hdf5,
    hugging_face,
    idx,
    image_source,
    npz,
    splits,
    tfds_images,
)
from tfgans.data.arrays import ArraySource
from tfgans.data.folder import FolderStore
from tfgans.data.hugging_face import HuggingFaceStore
from tfgans.data.image_store import ImageStore
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import LoadOptions
from tfgans.data.manifolds import LowRankGaussian, ParallelLines
from tfgans.data.source import DrawnSource, Source
from tfgans.data.stacked import StackedImages
from tfgans.data.synthetic import Grid, Ring, SwissRoll
from tfgans.data.tfrecord import TFRecordStore
from tfgans.data.webdataset import WebDatasetStore
from tfgans.data.zip_images import ZipStore


@dataclass(frozen=True)
class _Row:
    """A source by name, and the options that it takes.

    Attributes:
        read: Function (place, options) -> the source, or a store of encoded images.
        options: Names of its options beside the seed.
        place: What follows the name and a colon, or the empty string.
        convert: Function (source, seed) -> a source made of it, or None.
    """

    read: Callable[[str, LoadOptions], Source | ImageStore]
    options: tuple[str, ...] = ()
    place: str = ""
    convert: Callable[[Any, int], Source] | None = None

    @property
    def is_path(self) -> bool:
        """Whether the place is in the file system."""
        return self.place not in ("", _HUB_NAME)


_HUB_NAME = "NAME"
_IMAGES = ("split", "image_size", "fit", "flip")
_BASE = ("split", "image_size", "data_dir")
_ARRAYS = (*_IMAGES, "background")
_PREPARED = (*_ARRAYS, "data_dir", "download")
_ENCODED = (*_ARRAYS, "skip_bad", "cache", "cache_dir")
_KEYS = ("image_key", "label_key")


def _prepared(
    name: str,
    options: tuple[str, ...] = _PREPARED,
    convert: Callable[[Any, int], Source] | None = None,
) -> _Row:
    return _Row(lambda _, chosen: tfds_images.load_prepared(name, chosen), options, convert=convert)


def _drawn(make: type[DrawnSource]) -> _Row:
    return _Row(lambda _, options: make(seed=options.seed))  # type: ignore[call-arg]


def _stacked(images: ArraySource, seed: int) -> Source:
    return StackedImages(images, seed=seed)


def _tinted(images: ArraySource, seed: int) -> Source:
    return color.tint(images, seed=seed)


_SOURCES: Mapping[str, _Row] = {
    "digits": _Row(digits.load_digits, (*_ARRAYS, "data_dir")),
    "stacked_digits": _Row(digits.load_digits, _BASE, convert=_stacked),
    "mnist": _prepared("mnist"),
    "stacked_mnist": _prepared("mnist", (*_BASE, "download"), _stacked),
    "color_mnist": _prepared("mnist", (*_BASE, "download"), _tinted),
    "fashion_mnist": _Row(fashion_mnist.load_fashion_mnist, _PREPARED),
    "kmnist": _prepared("kmnist"),
    "cifar10": _prepared("cifar10"),
    "celeb_a": _prepared("celeb_a"),
    "ring": _drawn(Ring),
    "grid": _drawn(Grid),
    "swiss_roll": _drawn(SwissRoll),
    "parallel_lines": _drawn(ParallelLines),
    "low_rank_gaussian": _drawn(LowRankGaussian),
    "folder": _Row(FolderStore, (*_ENCODED, "follow_links"), "PATH"),
    "idx": _Row(idx.load_idx, _ARRAYS, "DIR"),
    "npz": _Row(npz.load_npz, (*_ARRAYS, *_KEYS), "FILE"),
    "hdf5": _Row(hdf5.load_hdf5, (*_ARRAYS, *_KEYS), "FILE[/key]"),
    "tfrecord": _Row(TFRecordStore, (*_ENCODED, *_KEYS), "GLOB"),
    "zip": _Row(ZipStore, _ENCODED, "FILE"),
    "webdataset": _Row(WebDatasetStore, (*_ENCODED, *_KEYS), "GLOB"),
    "hf": _Row(HuggingFaceStore, (*_ENCODED, *_KEYS, "download"), _HUB_NAME),
}

NAMES = tuple(f"{name}:{row.place}" if row.place else name for name, row in _SOURCES.items())


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
            `"hdf5:FILE[/key]"` arrays, `"tfrecord:GLOB"` encoded images in records,
            `"webdataset:GLOB"` those of WebDataset's tar files, `"hf:NAME"` a data set of the
            Hugging Face hub. `~` stands for the home folder.
        split: `"train"` (default), `"test"`, or another that the data have; or a part of it, such
            as `"train[:90%]"` or `"train[5000:]"`: a slice of a fixed permutation.
        image_size: Int or (height, width) that images are resized to without aliasing.
            Default: None, their size as stored, for celeb_a 64.
        data_dir: Folder of datasets prepared by tensorflow-datasets. Default: the environment
            variable `TFGANS_DATA_DIR`, or else `~/.cache/tfgans`.
        download: Whether to download what `data_dir` lacks. Default: False.
        seed: Int. Decides the order of batches, or what is drawn. Default: 0.
        fit: How to fit images with another aspect ratio: `"crop"` (default) crops them about the
            center, `"pad"` adds margins, `"stretch"` changes the aspect ratio.
        background: Color behind transparent pixels and of margins: `"white"` (default), `"black"`,
            `"#rrggbb"`; or `"alpha"`, which keeps transparency as a fourth channel.
        flip: Whether batches mirror images left to right with probability 1/2. Default: False.
        image_key: Name of the images in an npz or HDF5 file, in records, or among columns.
            Default: None, the usual names.
        label_key: Name of the labels there. Default: None, the usual names, no labels if there
            are none.
        skip_bad: Whether to leave out unreadable images, with a warning. Default: False, they
            are an error.
        cache: Where decoded images are held: `"memory"`, `"disk"`, `"none"`, or `"auto"`
            (default), the first of these with enough space. See `image_source.load_images`.
        cache_dir: Folder of images on disk. Default: the environment variable
            `TFGANS_CACHE_DIR`, or else `~/.cache/tfgans/folders`.
        follow_links: Whether links in a folder may lead out of it. Default: False, such a
            link is an error.

    Raises:
        ValueError: If the name is unknown, an option is out of range or means nothing for this
            source, or the data are absent.

    Example:

    >>> source = tfgans.data.load("ring", seed=1)
    >>> next(iter(source.batches(256))).shape
    TensorShape([256, 2])
    """
    options = LoadOptions(
        split=split,
        image_size=image_size,
        data_dir=data_dir,
        download=download,
        seed=seed,
        fit=fit,
        background=background,
        flip=flip,
        image_key=image_key,
        label_key=label_key,
        skip_bad=skip_bad,
        cache=cache,
        cache_dir=cache_dir,
        follow_links=follow_links,
    )
    data = read(name, options)
    if isinstance(data, ImageStore):
        origin = absolute_name(name)
        source: Source = image_source.load_images(data, options, name=name, origin=origin)
        source.origin = os.path.expanduser(data.place)
    else:
        source = data
    source.load_options = {"name": absolute_name(name), **options.to_json()}
    return source


def absolute_name(name: str) -> str:
    """Returns a name that means the same in any folder."""
    kind, _, place = name.partition(":")
    if not place or (kind == "hf" and not hugging_face.is_folder(place)):
        return name
    return f"{kind}:{os.path.abspath(files.path(place))}"


def read(name: str, options: LoadOptions) -> Source | ImageStore:
    """Returns the source that a name stands for, or the store of all images of its split.

    Raises:
        ValueError: See `load`.
    """
    row, place = _row(name)
    options.check_taken(name, row.options)
    options.of_images()  # Before files are listed.
    # Examples may be read after the working folder has changed.
    absolute = os.path.abspath(files.path(place)) if row.is_path else place
    part = splits.parse_split(options.split)
    if "split" in row.options:
        options = replace(options, split=part.name)
    source = row.read(absolute, options)
    if isinstance(source, ImageStore):
        return source
    origin = os.path.expanduser(place) if source.origin is None and place else source.origin
    if isinstance(source, IndexedSource) and part.is_part:
        source = splits.subset(source, part.indices(source.num_examples))
    if row.convert is not None:
        source = row.convert(source, options.seed)
    if row.is_path:
        source.name = name  # As the user wrote it: records compare wherever the files lie.
    source.origin = origin
    return source


def _row(name: str) -> tuple[_Row, str]:
    """Returns the row of a name, and the place that it names, which may be empty."""
    kind, _, place = name.partition(":") if isinstance(name, str) else ("", "", "")
    row = _SOURCES.get(kind)
    if row is None or bool(row.place) != bool(place) or (not place and ":" in name):
        raise ValueError(f"`name` must be one of {', '.join(NAMES)}. Received: {name!r}")
    return row, place
