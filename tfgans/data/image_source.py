"""Sources over encoded images: decoded into memory where they fit, else when a batch needs them."""

import hashlib
import itertools
import math
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import capacity, decoding, paths, python_calls, row_cache, splits, unreadable
from tfgans.data.arrays import ArraySource
from tfgans.data.decoding import Header
from tfgans.data.example_checks import NUM_CHECKED, check_pixels
from tfgans.data.image_store import ImageStore
from tfgans.data.indexed import IndexedSource, normalize, spread
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions
from tfgans.data.row_cache import RowCache
from tfgans.data.threads import in_threads

# Images that are read at a time.
_CHUNK = 256

CACHES = ("auto", "memory", "disk", "none")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_NUM_LISTED = 5


class ImageSource(IndexedSource):
    """A source over encoded images, each decoded when a batch needs it.

    `tfgans.data.load` makes it. A file that cannot be read when its turn comes is a `ReadError`,
    see `IndexedSource`.

    Args:
        store: The images.
        options: Their size, which is required, fit and background.
        mode: `"L"` for one channel, `"RGB"` for three, `"RGBA"` for four.
        cache: Where decoded images are kept, by their place in the store, or None (default).
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
        cache: RowCache | None = None,
        flip: bool = False,
        seed: int = 0,
        name: str = "images",
    ) -> None:
        if options.size is None:
            raise ValueError("`options` must have a size. Received: None")
        self._store, self._options, self._mode, self._cache = store, options, mode, cache
        super().__init__(
            name=name,
            data_shape=(*options.size, _CHANNELS[mode]),
            num_examples=store.num_images,
            labels=store.labels,
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
        images, errors = self.decode(indices)
        if errors:
            raise errors[min(errors)]
        return images

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1].

        Images that the cache holds, as far as this process knows, are read without Python.
        """
        read, cache = super().rows, self._cache
        if cache is None:
            return read(indices)
        with tf.device("CPU:0"):  # The file is mapped into host memory.
            return tf.cond(
                cache.holds(indices),
                lambda: normalize(cache.gather(indices)),
                lambda: read(indices),
            )

    def decode(self, indices: np.ndarray) -> tuple[np.ndarray, dict[int, Exception]]:
        """Returns `raw`, and the errors of those that cannot be read, by place in `indices`."""
        images = np.empty((len(indices), *self.data_shape), np.uint8)
        errors: dict[int, Exception] = {}
        absent = [*range(len(indices))]
        if self._cache is not None:
            absent = self._cache.read(indices, images)
        for row, image in in_threads(lambda row: self._decode(int(indices[row])), absent):
            if isinstance(image, Exception):
                errors[row] = image
            else:
                images[row] = image
        if self._cache is not None and absent:
            readable = [row for row in absent if row not in errors]
            self._cache.write(indices[readable], images[readable])
        return images, errors

    def _decode(self, index: int) -> np.ndarray:
        name = f"{self._store.title(index)} in {self._store.place}"
        try:
            return decoding.decode(self._store.open(index), mode=self._mode, options=self._options)
        except decoding.UnexpectedColor as error:
            raise python_calls.ReadError(
                f"{name} does not fit the others: {error}, and all that were looked at before are "
                "gray. Make all files gray, or use cache='memory'"
            ) from error
        except unreadable.ERRORS as error:
            raise python_calls.ReadError(
                f"{name} cannot be read ({unreadable.reason(error)}). Repair or remove it, or "
                f"leave such files out {unreadable.REMEDY}"
            ) from error


def load_images(
    store: ImageStore,
    options: LoadOptions,
    *,
    name: str,
    origin: str,
) -> IndexedSource:
    """Returns the source of the images of a store, or of a part of them.

    The images have one channel when all of the split are gray and the background too, four with the
    background `"alpha"`, else three. They are held as 8-bit pixels: in memory, in a file on disk,
    or nowhere. Batches are the same in each case, to the bit. In memory all files are decoded
    before the first batch. Else each is decoded when it is first needed, its faults are reported
    only then, up to 1000 of them decide whether all are gray, and up to 64 whether all are zeros
    and ones.

    The file on disk is below `cache_dir`, serves all processes that load the store at that size,
    and is replaced when the state of the store has changed. Each split, size and `image_key` of an
    origin has a separate file.

    Args:
        store: The images of the whole split.
        options: The split or a part of it; the form of the images, without a size only if they fit
            in memory and have the same size already; the seed; and:

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
        ValueError: If the part is empty, images differ in size or do not fit in memory and there is
            no size, when images are unreadable and `skip_bad` is False, when all pixels are 0 or 1,
            or when the disk is full and `cache` is `"disk"`.
    """
    checks.choice("cache", options.cache, CACHES)
    checks.boolean("skip_bad", options.skip_bad)
    _warn_of_skipped_files(store, chosen=options.image_key is not None)
    cache, form = options.cache, options.of_images()
    part = splits.parse_split(options.split).indices(store.num_images)
    if cache == "memory" or (
        cache == "auto" and capacity.fits_in_memory(_estimated_size(store, form, len(part)))
    ):
        return _load_into_memory(store, part, form, options, name=name)
    if form.size is None:
        raise ValueError(
            "Images that are not held in memory need `image_size`. Received: "
            f"{store.num_images} files in {store.place} and image_size=None, with cache={cache!r}"
        )
    mode = _mode_of_some(store, part, form, skip_bad=options.skip_bad)
    rows = None
    if cache != "none":
        cache_dir = capacity.cache_directory(options.cache_dir)
        path = cache_dir / _cache_name(store, options, mode, origin)
        shape = (store.num_images, *form.size, _CHANNELS[mode])
        rows = _open_cache(path, shape, required=cache == "disk")
    source = ImageSource(
        store,
        form,
        mode=mode,
        cache=rows,
        flip=options.flip,
        seed=options.seed,
        name=name,
    )
    if options.skip_bad and rows is None:
        raise ValueError(
            "`skip_bad` decodes all files before the first batch, which needs a cache to keep them "
            f"in. Received: skip_bad=True with no cache for {store.place}. Use cache='disk' "
            "and a `cache_dir` with enough space, or remove the unreadable files"
        )
    if options.skip_bad:
        bad: dict[int, str] = {}
        for _ in _decode_all(source, part, bad):
            pass
        unreadable.report(store, bad, len(part), skip_bad=True)
        part = np.setdiff1d(part, list(bad))
    result = source if len(part) == store.num_images else splits.subset(source, part)
    _check_pixels(result)
    return result


def _decode_all(
    source: ImageSource, places: np.ndarray, bad: dict[int, str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the readable images and their places; adds the reasons of the others to `bad`."""
    for start in range(0, len(places), _CHUNK):
        some = places[start : start + _CHUNK]
        images, errors = source.decode(some)
        for row, error in errors.items():
            if isinstance(error.__cause__, decoding.UnexpectedColor):
                raise error
            bad[int(some[row])] = unreadable.reason(error.__cause__ or error)
        readable = np.setdiff1d(np.arange(len(some)), list(errors))
        yield images[readable], some[readable]


def _check_pixels(source: IndexedSource) -> None:
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
    store: ImageStore, places: Iterable[int], *, with_size: bool, decodes: bool = False
) -> tuple[dict[int, Header], dict[int, str]]:
    """Returns the headers of images, and the reasons of unreadable ones, by place.

    Args:
        store: The images.
        places: Places of the images in the store.
        with_size: See `decoding.read_header`.
        decodes: Whether to decode the images too, which finds all that are unreadable. Default:
            False.
    """
    headers, bad = {}, {}

    def read(place: int) -> Header:
        if decodes:
            decoding.decode(store.open(place), mode="RGB")
        return decoding.read_header(store.open(place), with_size=with_size)

    for place, header in in_threads(read, places):
        if isinstance(header, Exception):
            bad[place] = unreadable.reason(header)
        else:
            headers[place] = header
    return headers, bad


def _load_into_memory(
    store: ImageStore, part: np.ndarray, form: ImageOptions, options: LoadOptions, *, name: str
) -> ArraySource:
    headers, bad = read_headers(store, part.tolist(), with_size=form.size is None)
    rest = np.setdiff1d(np.arange(store.num_images), part)
    other_headers, _ = read_headers(store, rest.tolist(), with_size=False)

    def common_mode(places: Iterable[int]) -> str:
        chosen = (headers[place] for place in places)
        return decoding.common_mode(itertools.chain(chosen, other_headers.values()), form)

    mode = common_mode(headers)
    form = replace(form, size=form.size or _common_size(headers.values()))
    source = ImageSource(store, form, mode=mode)
    # Filled in place: a list of images would need the memory twice.
    images = np.empty((len(headers), *source.data_shape), np.uint8)
    kept: list[int] = []
    for readable, places in _decode_all(source, np.asarray([*headers], np.int64), bad):
        images[len(kept) : len(kept) + len(places)] = readable
        kept += places.tolist()
    unreadable.report(store, bad, len(part), skip_bad=options.skip_bad)
    # The only files in color may have turned out to be bad.
    return ArraySource(
        images[: len(kept), ..., : _CHANNELS[common_mode(kept)]],
        labels=None if store.labels is None else store.labels[kept],
        class_names=store.class_names,
        flip=options.flip,
        seed=options.seed,
        name=name,
    )


def _estimated_size(store: ImageStore, form: ImageOptions, num_images: int) -> int:
    """Returns the bytes of images, from the headers of some; 0 if none can be read."""
    size = form.size
    if size is not None and capacity.fits_in_memory(most := num_images * size[0] * size[1] * 4):
        return most
    headers, _ = read_headers(store, spread(store.num_images), with_size=False)
    if not headers:
        return 0
    most_pixels = max(header.num_pixels for header in headers.values())
    pixels = most_pixels if size is None else size[0] * size[1]
    return num_images * pixels * _CHANNELS[decoding.common_mode(headers.values(), form)]


def _common_size(headers: Iterable[Header]) -> tuple[int, int]:
    counts = Counter(header.size for header in headers if header.size is not None)
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


def _mode_of_some(
    store: ImageStore, part: np.ndarray, form: ImageOptions, *, skip_bad: bool
) -> str:
    """Returns the mode of the images, judged by up to 1000; images to be left out do not count."""
    headers, bad = read_headers(store, spread(store.num_images), with_size=False, decodes=skip_bad)
    if not skip_bad:
        in_part = set(part.tolist())
        bad = {place: reason for place, reason in bad.items() if place in in_part}
    if not skip_bad or not headers:
        unreadable.report(store, bad, len(headers) + len(bad), skip_bad=False)
    return decoding.common_mode(headers.values(), form)


def _open_cache(path: Path, shape: tuple[int, ...], *, required: bool) -> RowCache | None:
    num_bytes = math.prod(shape)
    try:
        if capacity.fits_on_disk(path, num_bytes):
            return RowCache(path, shape)
        problem = f"{num_bytes / 1e9:.1f} GB do not fit in {path.parent}"
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
