"""Sources over arrays in files: held in memory where they fit, else read batch by batch."""

import functools
import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tfgans.copies import Copyable
from tfgans.data import capacity, paths, python_calls, resize
from tfgans.data.arrays import ArraySource, check_values
from tfgans.data.example_checks import NUM_CHECKED, check_pixels
from tfgans.data.indexed import IndexedSource, spread
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions

if TYPE_CHECKING:
    import h5py

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


# An array in a file, examples along axis 0; rows are read by slices or increasing integers.
ArrayRows: TypeAlias = "np.ndarray | h5py.Dataset"


class StoredArraySource(Copyable, IndexedSource):
    """A source over the rows of an array in a file, read when a batch needs them.

    The arguments are those of `load_array`; the array is opened once in each process.
    """

    _transient = ("array_in_file",)

    def __init__(
        self,
        open_rows: Callable[[], ArrayRows],
        options: LoadOptions,
        *,
        labels: np.ndarray | None,
        class_names: Sequence[str] | None = None,
        name: str,
    ) -> None:
        self._open_rows, self._options = open_rows, options.of_images()
        rows = self.array_in_file
        _check_type(rows, self._options, name)
        first = convert(rows[:1], self._options, name)
        self.dtype = first.dtype
        if labels is not None:
            labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        super().__init__(
            name=name,
            data_shape=first.shape[1:],
            num_examples=rows.shape[0],
            labels=labels,
            class_names=class_names,
            flip=options.flip,
            seed=options.seed,
        )

    @functools.cached_property
    def array_in_file(self) -> ArrayRows:
        """The array."""
        return self._open_rows()

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
            rows = convert(self.array_in_file[unique], self._options, self.name)
        except (OSError, ValueError) as error:
            raise python_calls.ReadError(str(error)) from error
        return rows[places]


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
        open_rows: Function, which can be pickled, that returns the array: uint8 images `[n, height,
            width]` or `[n, height, width, channels]`, floats that are images in [-1, 1], or vectors
            `[n, dim]`.
        options: The form of the images, and the seed.
        labels: Integers `[n]` or `[n, 1]`, or None.
        class_names: Names of the classes 0, 1, ..., or None (default).
        name: String for errors and reports.

    Raises:
        ValueError: If the array is of another type or shape, not finite or out of range, or the
            labels do not fit it.
    """
    stored = StoredArraySource(
        open_rows, options, labels=labels, class_names=class_names, name=name
    )
    shape, dtype = (stored.num_examples, *stored.data_shape), stored.dtype
    rows = stored.array_in_file
    if not capacity.fits_in_memory(math.prod(shape) * dtype.itemsize):
        check_pixels(rows[spread(rows.shape[0], NUM_CHECKED)])
        return stored
    array = np.empty(shape, dtype)
    for start in range(0, len(array), _CHUNK):
        some = slice(start, start + _CHUNK)
        array[some] = convert(rows[some], options.of_images(), name)
    return ArraySource(
        array,
        labels=stored.labels,
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
    listed = ", ".join(sorted(keys)[:20]) or "none"
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
    if dtype != np.uint8 and dtype.kind != "f" and not (dtype.kind in "iu" and len(shape) == 2):
        raise ValueError(
            f"{name!r} must hold uint8 (0 to 255) or floats, images in [-1, 1], or vectors of "
            f"integers. Received: {dtype} of shape {shape}. Convert it, for example with "
            "`x.astype('float32')`"
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
