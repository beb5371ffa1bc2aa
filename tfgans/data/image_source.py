"""Sources over encoded images: decoded into memory where they fit, else when a batch needs them."""

import dataclasses
import hashlib
import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import capacity, decoding, paths, python_calls, row_cache, splits, unreadable
from tfgans.data.arrays import ArraySource
from tfgans.data.example_checks import NUM_CHECKED, check_pixels
from tfgans.data.image_store import ImageStore
from tfgans.data.indexed import IndexedSource, spread
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions
from tfgans.data.stored import NUM_THREADS, StoredSource, threads

T = TypeVar("T")
# Images that are read before they are taken.
_READ_AHEAD = 256

CACHES = ("auto", "memory", "disk", "none")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_CHUNK = 1024
_NUM_LISTED = 5


class ImageSource(StoredSource):
    """A source over encoded images, each decoded when a batch needs it.

    `tfgans.data.load` makes it. A file that cannot be read when its turn comes is a `ReadError`,
    see `StoredSource`.

    Args:
        store: The images.
        options: Their size, which is required, fit and background.
        mode: `"L"` for one channel, `"RGB"` for three, `"RGBA"` for four.
        cache: Where decoded images are kept, by their place in the store, or None (default).
        kept: Places of the images to use, or None (default) for all.
        flip: See `IndexedSource`.
        seed: Int. Decides the order. Default: 0.
        name: String for errors and reports. Default: `"images"`.
    """

    def __init__(
        self,
        store: ImageStore,
        options: ImageOptions,
        *,
        mode: str,
        cache: row_cache.RowCache | None = None,
        kept: np.ndarray | None = None,
        flip: bool = False,
        seed: int = 0,
        name: str = "images",
    ) -> None:
        if options.size is None:
            raise ValueError("`options` must have a size. Received: None")
        self._store, self._options, self._mode, self._cache = store, options, mode, cache
        self._places: np.ndarray = np.arange(len(store)) if kept is None else kept
        super().__init__(
            name=name,
            data_shape=(*options.size, _CHANNELS[mode]),
            num_examples=len(self._places),
            labels=None if store.labels is None else store.labels[self._places],
            class_names=store.class_names,
            flip=flip,
            seed=seed,
        )

    def _settings(self) -> dict[str, Any]:
        shown = {"place": self._store.place, "num_examples": self.num_examples}
        return {**shown, "data_shape": self.data_shape, "seed": self.seed, "name": self.name}

    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8.

        Raises:
            ReadError: If an image cannot be read.
        """
        images = np.empty((len(indices), *self.data_shape), np.uint8)
        places = self._places[indices]
        lacking = self._find(places, images)

        def decode(rows: list[int]) -> None:
            for row in rows:
                self._decode(places[row], images[row])

        # Few tasks: each costs as much as a tenth of a small image. In order: of several files that
        # cannot be read the same is always reported.
        size = -(-len(lacking) // NUM_THREADS) or 1
        parts = [lacking[start : start + size] for start in range(0, len(lacking), size)]
        for _ in threads().map(decode, parts):
            pass
        return images

    def _read(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices` `[k]`: without Python if the cache has all."""
        read = super()._read
        if self._cache is None:
            return read(indices)
        cache = self._cache
        with tf.device("CPU:0"):  # The file is mapped into host memory.
            places = tf.gather(self._places, indices)
            examples = tf.cond(
                cache.holds(places), lambda: cache.gather(places), lambda: read(indices)
            )
        return tf.reshape(examples, [-1, *self.data_shape])

    def unreadable(self) -> dict[int, str]:
        """Decodes all images, and returns the reasons of those that cannot be read, by place."""

        def attempt(place: int) -> str | None:
            image = np.empty(self.data_shape, np.uint8)
            try:
                if self._find(np.array([place]), image[np.newaxis]):
                    self._decode(place, image)
            except python_calls.ReadError as error:
                if isinstance(error.__cause__, decoding.UnexpectedColor):
                    raise
                return unreadable.reason(error.__cause__ or error)
            return None

        bad = {}
        for start in range(0, len(self._places), _CHUNK):
            some = self._places[start : start + _CHUNK].tolist()
            for place, reason in zip(some, threads().map(attempt, some), strict=True):
                if reason is not None:
                    bad[place] = reason
        return bad

    def _find(self, places: np.ndarray, images: np.ndarray) -> list[int]:
        """Fills images from the cache, and returns the rows of those that it lacks."""
        if self._cache is None:
            return [*range(len(images))]
        return self._cache.read(places, images)

    def _decode(self, place: int, image: np.ndarray) -> None:
        try:
            image[:] = decoding.decode(
                self._store.open(place), mode=self._mode, options=self._options
            )
        except decoding.UnexpectedColor as error:
            raise python_calls.ReadError(
                f"{self._title(place)} does not fit the others: {error}, and all that were looked "
                "at before are gray. Make all files gray, or use cache='memory'"
            ) from error
        except unreadable.ERRORS as error:
            raise python_calls.ReadError(
                f"{self._title(place)} cannot be read ({unreadable.reason(error)}). Repair or "
                f"remove it, or leave such files out {unreadable.REMEDY}"
            ) from error
        if self._cache is not None:
            self._cache.write(place, image)

    def _title(self, place: int) -> str:
        return f"{self._store.names[place]} in {self._store.place}"


def load_images(
    store: ImageStore,
    options: LoadOptions,
    *,
    name: str,
    origin: str,
) -> IndexedSource:
    """Returns the source of the images of a store.

    The images have one channel when all are gray and the background too, four with the background
    `"alpha"`, else three. They are held as 8-bit pixels: in memory, in a file on disk, or nowhere.
    Batches are the same in each case, to the bit. In memory all files are decoded before the first
    batch. Else each is decoded when it is first needed, its faults are reported only then, up to
    1000 of them decide whether all are gray, and up to 64 whether all are zeros and ones.

    The file on disk is below `cache_dir`, serves all processes that load the store at that size,
    and is replaced when the state of the store has changed. Each split, size and `image_key` of an
    origin has a separate file.

    Args:
        store: The images.
        options: The form of the images, without a size only if they fit in memory and have the
            same size already; the seed; and:

            - `cache`: `"memory"`, `"disk"`, `"none"`, or `"auto"`: memory when the images take at
              most a quarter of what is available, else the disk when it has space, else none,
              with a warning.
            - `cache_dir`: folder of the files on disk; None for the environment variable
              `TFGANS_CACHE_DIR`, or else `~/.cache/tfgans/folders`.
            - `skip_bad`: whether to leave out unreadable images with a warning; else they are an
              error. On disk, this decodes all images before the first batch; with no cache it is
              refused.
        name: String for errors and reports.
        origin: String, the name of the data, independent of the working directory.

    Raises:
        ValueError: If images differ in size or do not fit in memory and there is no size, when
            images are unreadable and `skip_bad` is False, when all pixels are 0 or 1, or when the
            disk is full and `cache` is `"disk"`.
    """
    checks.choice("cache", options.cache, CACHES)
    checks.boolean("skip_bad", options.skip_bad)
    _warn_of_skipped_files(store, chosen=options.image_key is not None)
    cache, images = options.cache, options.of_images()
    if cache == "memory" or (
        cache == "auto" and capacity.fits_in_memory(_estimated_size(store, images))
    ):
        return _load_into_memory(store, images, options, name=name)
    if images.size is None:
        raise ValueError(
            "Images that are not held in memory need `image_size`. Received: "
            f"{len(store)} files in {store.place} and image_size=None, with cache={cache!r}"
        )
    mode = _mode_of_some(store, images, skip_bad=options.skip_bad)
    rows = None
    if cache != "none":
        cache_dir = capacity.cache_directory(options.cache_dir)
        path = cache_dir / _cache_name(store, options, mode, origin)
        row_size = images.size[0] * images.size[1] * _CHANNELS[mode]
        rows = _row_cache(path, len(store), row_size, required=cache == "disk")

    def make(kept: np.ndarray | None = None) -> ImageSource:
        return ImageSource(
            store,
            images,
            mode=mode,
            cache=rows,
            kept=kept,
            flip=options.flip,
            seed=options.seed,
            name=name,
        )

    source = make()
    if not options.skip_bad:
        _check_pixels(source)
        return source
    if rows is None:
        raise ValueError(
            "`skip_bad` decodes all files before the first batch, which needs a cache to keep them "
            f"in. Received: skip_bad=True with no cache for {store.place}. Use cache='disk' "
            "and a `cache_dir` with enough space, or remove the unreadable files"
        )
    bad = source.unreadable()
    reasons = {store.names[place]: reason for place, reason in bad.items()}
    unreadable.report(store.place, reasons, num_files=len(store), skip_bad=True)
    source = make(np.delete(np.arange(len(store)), list(bad)))
    _check_pixels(source)
    return source


def _check_pixels(source: ImageSource) -> None:
    """Raises ValueError if some images, evenly spread, hold zeros and ones only.

    The first one that holds other values ends the search.
    """
    largest = 0
    for index in spread(source.num_examples, NUM_CHECKED):
        try:
            largest = max(largest, int(source.raw(np.array([index])).max()))
        except python_calls.ReadError:
            continue  # Reported when its turn comes.
        if largest > 1:
            return
    check_pixels(np.array([largest], np.uint8))


def _warn_of_skipped_files(store: ImageStore, *, chosen: bool) -> None:
    """Warns of images that are not read, unless others were `chosen`, and of empty folders."""
    images = {name: num for name, num in store.skipped_files.items() if name in paths.OTHER_IMAGES}
    if images:
        warnings.warn(
            f"Files in {store.place} are skipped, because their format is not supported: "
            f"{paths.counted(images)}. Convert them to PNG",
            stacklevel=4,
        )
    names = {name: num for name, num in store.skipped_files.items() if name in paths.EXTENSIONS}
    if names and not chosen:
        warnings.warn(
            f"Files in {store.place} are skipped, because of their names: {paths.counted(names)}. "
            "In WebDataset the name of a sample ends at its first dot, and a sample has one image. "
            "Rename them, or choose the image with `image_key`",
            stacklevel=4,
        )
    if store.empty:
        warnings.warn(
            f"Folders in {store.place} contain no images and are not used as classes: "
            f"{', '.join(store.empty)}",
            stacklevel=4,
        )


def read_headers(
    store: ImageStore,
    places: Iterable[int],
    bad: dict[str, str],
    *,
    with_size: bool,
    decodes: bool = False,
) -> dict[int, decoding.Header]:
    """Returns the headers of images by place; adds the reasons of unreadable ones to `bad`.

    Args:
        store: The images.
        places: Places of the images in the store.
        bad: The reasons by name.
        with_size: See `decoding.read_header`.
        decodes: Whether to decode the images too, which finds all that are unreadable. Default:
            False.
    """
    headers = {}

    def read(place: int) -> decoding.Header:
        if decodes:
            decoding.decode(store.open(place), mode="RGB")
        return decoding.read_header(store.open(place), with_size=with_size)

    for place, header in _in_threads(read, places):
        if isinstance(header, Exception):
            bad[store.names[place]] = unreadable.reason(header)
        else:
            headers[place] = header
    return headers


def _in_threads(
    read: Callable[[int], T], places: Iterable[int]
) -> Iterator[tuple[int, T | Exception]]:
    """Yields what `read` returns of each place, in order, or why it cannot be read."""

    def attempt(place: int) -> T | Exception:
        try:
            return read(place)
        except unreadable.ERRORS as error:
            return error

    remaining = iter(places)
    # A few at a time: what is read and not yet taken needs memory.
    while chunk := list(itertools.islice(remaining, _READ_AHEAD)):
        yield from zip(chunk, threads().map(attempt, chunk), strict=True)


def _load_into_memory(
    store: ImageStore, form: ImageOptions, options: LoadOptions, *, name: str
) -> ArraySource:
    bad: dict[str, str] = {}
    headers = read_headers(store, range(len(store)), bad, with_size=form.size is None)
    size = form.size or _common_size(header.size for header in headers.values())
    images, kept = _decode_all(store, headers, size, form, bad)
    unreadable.report(store.place, bad, num_files=len(store), skip_bad=options.skip_bad)
    return ArraySource(
        images,
        labels=None if store.labels is None else store.labels[kept],
        class_names=store.class_names,
        flip=options.flip,
        seed=options.seed,
        name=name,
    )


def _estimated_size(store: ImageStore, options: ImageOptions) -> int:
    """Returns the bytes of all images, from the headers of some; 0 if none can be read."""
    size = options.size
    if size is not None and capacity.fits_in_memory(most := len(store) * size[0] * size[1] * 4):
        return most
    headers = read_headers(store, spread(len(store)), {}, with_size=False).values()
    if not headers:
        return 0
    pixels = max(header.num_pixels for header in headers) if size is None else size[0] * size[1]
    return len(store) * pixels * _CHANNELS[decoding.common_mode(headers, options)]


def _common_size(sizes: Iterable[Any]) -> tuple[int, int]:
    counts = Counter(sizes)
    if len(counts) > 1:
        listed = ", ".join(
            f"{height}x{width} ({count})"
            for (height, width), count in counts.most_common(_NUM_LISTED)
        )
        raise ValueError(
            f"Without `image_size` all images must have one size. Received {len(counts)} sizes "
            f"(height x width, files): {listed}. Pass `image_size`"
        )
    return next(iter(counts), (1, 1))  # No size at all: `unreadable.report` says that all are bad.


def _decode_all(
    store: ImageStore,
    headers: dict[int, decoding.Header],
    size: tuple[int, int],
    options: ImageOptions,
    bad: dict[str, str],
) -> tuple[np.ndarray, list[int]]:
    """Returns uint8 `[num_kept, *size, channels]` and their places; adds the others to `bad`."""
    mode = decoding.common_mode(headers.values(), options)
    # Filled in place: a list of images would need the memory twice.
    images = np.empty((len(headers), *size, _CHANNELS[mode]), np.uint8)
    kept: list[int] = []
    options = dataclasses.replace(options, size=size)

    def read(place: int) -> np.ndarray:
        return decoding.decode(store.open(place), mode=mode, options=options)

    for place, image in _in_threads(read, headers):
        if isinstance(image, Exception):
            bad[store.names[place]] = unreadable.reason(image)
        else:
            images[len(kept)] = image
            kept.append(place)
    # The only files in color may have turned out to be bad.
    channels = _CHANNELS[decoding.common_mode((headers[place] for place in kept), options)]
    return images[: len(kept), ..., :channels], kept


def _mode_of_some(store: ImageStore, options: ImageOptions, *, skip_bad: bool) -> str:
    """Returns the mode of the images, judged by up to 1000; images to be left out do not count."""
    places = spread(len(store))
    bad: dict[str, str] = {}
    headers = read_headers(store, places, bad, with_size=False, decodes=skip_bad)
    if not skip_bad or len(bad) == len(places):
        unreadable.report(store.place, bad, num_files=len(places), skip_bad=False)
    return decoding.common_mode(headers.values(), options)


def _row_cache(
    path: Path, num_rows: int, row_size: int, *, required: bool
) -> row_cache.RowCache | None:
    need = row_cache.file_size(num_rows, row_size)
    try:
        if capacity.fits_on_disk(path, need):
            return row_cache.RowCache(path, num_rows=num_rows, row_size=row_size)
        problem = f"{need / 1e9:.1f} GB do not fit in {path.parent}"
    except OSError as error:
        problem = str(error)
    advice = "Choose another folder with `cache_dir`"
    if required:
        raise ValueError(f"Decoded images cannot be kept on disk: {problem}. {advice}")
    warnings.warn(
        f"Decoded images are kept neither in memory nor on disk, but decoded each time: {problem}. "
        f"{advice}, or a smaller image size",
        stacklevel=4,
    )
    return None


def _cache_name(store: ImageStore, options: LoadOptions, mode: str, origin: str) -> str:
    """Returns the name of the file of these images: their origin and form, and their state."""
    import PIL

    split = splits.parse_split(options.split).name
    made = (origin, split, options.image_key, options.of_images(), mode)
    # A file of another state is replaced.
    state = (store.state(), decoding.VERSION, PIL.__version__)
    parts = (hashlib.sha256(repr(part).encode()).hexdigest()[:24] for part in (made, state))
    return "-".join(parts) + row_cache.SUFFIX
