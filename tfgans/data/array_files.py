"""Sources over arrays in files: held in memory where they fit, else read batch by batch."""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfgans.copies import Copyable
from tfgans.data import capacity, paths, python_calls, resize
from tfgans.data.arrays import ArraySource, check_values
from tfgans.data.example_checks import NUM_CHECKED, check_pixels
from tfgans.data.indexed import IndexedSource, spread
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions
from tfgans.data.stored import StoredSource

_CHANNELS = (1, 3, 4)
_CHUNK = 1024
# Pairs of keys of images and labels, for a split where `{}` stands; the last are of `train` alone.
_KEYS = (
    *(("{}_images", "{}_labels"), ("images_{}", "labels_{}"), ("{}/images", "{}/labels")),
    *(("{}/image", "{}/label"), ("x_{}", "y_{}"), ("X_{}", "Y_{}"), ("X_{}", "y_{}")),
    *(("{}_x", "{}_y"), ("{}", "{}_labels")),
)
_KEYS_OF_ALL = (
    *(("images", "labels"), ("image", "label"), ("x", "y"), ("X", "y"), ("X", "Y")),
    *(("data", "labels"), ("data", "label"), ("imgs", "labels")),
)


class ArrayRows(Protocol):
    """An array in a file: `numpy.ndarray`, `numpy.memmap` or `h5py.Dataset`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, examples along axis 0."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        ...

    def __getitem__(self, key: Any) -> Any:
        """Returns rows: of a slice, or of increasing integers."""
        ...


class StoredArraySource(Copyable, StoredSource):
    """A source over the rows of an array in a file, read when a batch needs them.

    Args:
        open_rows: Function that returns the array; called once in each process.
        options: The size and background of images; without a size, rows are taken as they are.
        labels: Int array `[n]`, or None (default).
        class_names: Names of the classes 0, 1, ..., or None (default).
        flip: See `IndexedSource`.
        seed: Int. Decides the order. Default: 0.
        name: String for errors and reports. Default: `"array"`.

    Raises:
        ValueError: If the array is of another type or shape, or the labels do not fit it.
    """

    _transient = ("_rows",)
    _rows: ArrayRows | None = None

    def __init__(
        self,
        open_rows: Callable[[], ArrayRows],
        options: ImageOptions | None = None,
        *,
        labels: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        flip: bool = False,
        seed: int = 0,
        name: str = "array",
    ) -> None:
        self._open_rows, self._options = open_rows, options or ImageOptions()
        rows = self._array()
        _check_type(rows, self._options, name)
        first = self._convert(rows[:1], name)
        self._dtype = tf.as_dtype(first.dtype)
        if first.dtype == np.uint8:
            check_pixels(rows[spread(rows.shape[0], NUM_CHECKED)])
        super().__init__(
            name=name,
            data_shape=first.shape[1:],
            num_examples=rows.shape[0],
            labels=labels,
            class_names=class_names,
            flip=flip,
            seed=seed,
        )

    def _settings(self) -> dict[str, Any]:
        return {"num_examples": self.num_examples, "data_shape": self.data_shape, "name": self.name}

    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8 or float32.

        Raises:
            ReadError: If they cannot be read, or are not finite or out of range.
        """
        # HDF5 reads increasing rows only, each of them once.
        unique, places = np.unique(indices, return_inverse=True)
        try:
            rows = self._convert(self._array()[unique], self.name)
        except (OSError, ValueError) as error:
            raise python_calls.ReadError(str(error)) from error
        return rows[places]

    def _array(self) -> ArrayRows:
        if self._rows is None:
            self._rows = self._open_rows()
        return self._rows

    def _convert(self, rows: np.ndarray, name: str) -> np.ndarray:
        return convert(rows, self._options, name)


def in_memory(rows: np.ndarray) -> Callable[[], np.ndarray]:
    """Returns a function, which can be pickled, of an array that is in memory already."""
    return functools.partial(_same, rows)


def _same(rows: np.ndarray) -> np.ndarray:
    return rows


def load_array(
    open_rows: Callable[[], ArrayRows],
    options: LoadOptions,
    *,
    labels: np.ndarray | None,
    class_names: Sequence[str] | None = None,
    name: str,
) -> IndexedSource:
    """Returns the source of an array in a file.

    It is held in memory if it takes at most a quarter of the available memory.

    Args:
        open_rows: Function that returns the array: uint8 images `[n, height, width]` or `[n,
            height, width, channels]`, floats that are images in [-1, 1], or vectors `[n, dim]`.
        options: The form of the images, and the seed.
        labels: Integers `[n]` or `[n, 1]`, or None.
        class_names: Names of the classes 0, 1, ..., or None (default).
        name: String for errors and reports.

    Raises:
        ValueError: If the array is of another type or shape, not finite or out of range, or the
            labels do not fit it.
    """
    rows, images = open_rows(), options.of_images()
    _check_type(rows, images, name)
    if labels is not None:
        labels = np.asarray(labels)
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    first = convert(rows[:1], images, name)
    if not capacity.fits_in_memory(rows.shape[0] * first.nbytes):
        return StoredArraySource(
            open_rows,
            images,
            labels=labels,
            class_names=class_names,
            flip=options.flip,
            seed=options.seed,
            name=name,
        )
    array = np.empty((rows.shape[0], *first.shape[1:]), first.dtype)
    for start in range(0, len(array), _CHUNK):
        array[start : start + _CHUNK] = convert(rows[start : start + _CHUNK], images, name)
    return ArraySource(
        array,
        labels=labels,
        class_names=class_names,
        flip=options.flip,
        seed=options.seed,
        name=name,
    )


def convert(rows: np.ndarray, options: ImageOptions, name: str) -> np.ndarray:
    """Returns rows as examples: gray images get an axis for the channel, images are resized.

    Raises:
        ValueError: If values are not finite or out of range.
    """
    if rows.ndim == 3:
        rows = rows[..., np.newaxis]
    if rows.dtype != np.uint8 or rows.ndim == 2:
        return check_values(rows, name)
    size = options.size or rows.shape[1:3]
    if size == rows.shape[1:3] and (rows.shape[3] != 4 or options.keeps_alpha):
        return rows
    return np.stack([resize.fit_array(image, size, options) for image in rows])


def choose_keys(
    keys: Collection[str],
    split: str,
    image_key: str | None,
    label_key: str | None,
    *,
    place: str,
) -> tuple[str, str | None]:
    """Returns the keys of a split's images and labels; the key of the labels is None without any.

    Keys that the user does not name are searched for: `train_images` and `train_labels`, `x_train`
    and `y_train`, `train/images` and so on, with all words for the split. For `"train"`, `images`
    and `labels`, `x` and `y`, `data` and `labels`, or the only key in the file are found too.

    Raises:
        SplitNotFoundError: If no key belongs to the split.
        ValueError: If a key that the user names is absent.
    """
    listed = ", ".join(sorted(keys)[:20])
    for option, value in (("image_key", image_key), ("label_key", label_key)):
        if value is not None and value not in keys:
            raise ValueError(
                f"`{option}` must be one of the keys of {place}: {listed}. Received: {value!r}"
            )
    if image_key is not None and split != "train":
        raise paths.SplitNotFoundError(
            f"`image_key` names the images of {place}, whatever the split. Received: "
            f"image_key={image_key!r} and split={split!r}. Leave one of them out"
        )
    words = [word for word in paths.SPLIT_WORDS if paths.split_of(word) == paths.split_of(split)]
    pairs = [
        (image.format(word), label.format(word))
        for image, label in _KEYS
        for word in (split, *words)
    ]
    if split == "train":
        pairs += _KEYS_OF_ALL
    if image_key is None:
        chosen = [pair for pair in pairs if pair[0] in keys]
        if not chosen and split == "train" and len(keys) == 1:
            chosen = [(next(iter(keys)), "")]
        if not chosen:
            raise paths.SplitNotFoundError(
                f"The images of the split {split!r} must be at a key such as `images` or "
                f"`{split}_images`. Received: {place} with the keys {listed}. Name the key by "
                "`image_key`"
            )
        with_labels = [pair for pair in chosen if pair[1] in keys]
        image_key, label = (with_labels or chosen)[0]
    else:
        label = next((pair[1] for pair in pairs if pair[0] == image_key and pair[1] in keys), "")
    return image_key, label_key or (label if label in keys else None)


def _check_type(rows: ArrayRows, options: ImageOptions, name: str) -> None:
    """Raises ValueError if an array can be neither images nor vectors."""
    shape, dtype = tuple(rows.shape), np.dtype(rows.dtype)
    if dtype != np.uint8 and dtype.kind != "f":
        raise ValueError(
            f"{name!r} must hold uint8 (0 to 255) or floats, images in [-1, 1]. Received: {dtype} "
            f"of shape {shape}. Convert it"
        )
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise ValueError(
            f"{name!r} must hold images [n, height, width] or [n, height, width, channels], or "
            f"vectors [n, dim], at least one. Received: shape {shape}"
        )
    if len(shape) == 4 and shape[-1] not in _CHANNELS:
        hint = ""
        if shape[1] in _CHANNELS:
            hint = ". The channels must come last: use `np.transpose(images, [0, 2, 3, 1])`"
        raise ValueError(
            f"The images of {name!r} must have 1, 3 or 4 channels, along the last axis. Received: "
            f"shape {shape}{hint}"
        )
    if options.size is not None and (len(shape) == 2 or dtype != np.uint8):
        raise ValueError(
            "`image_size` is for uint8 images. Received: image_size="
            f"{options.size} with {dtype} of shape {shape} in {name!r}. Leave it out"
        )
    channels = shape[3] if len(shape) == 4 else 1
    if channels != 4:
        resize.check_background(options, channels, name)
