"""Images of a folder that are decoded when they are needed, and kept on disk if there is space."""

import contextlib
import functools
import hashlib
import os
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans.data import capacity, decoding, paths, python_calls, resize, row_cache, unreadable
from tfgans.data.indexed import IndexedSource, normalize

_NUM_PROBED = 1000
_CHUNK = 1024
_MOST_THREADS = 32


class FolderSource(IndexedSource):
    """A source over image files, each decoded when a batch needs it; `tfgans.data.load` makes it.

    A file that cannot be read when its turn comes is a `ReadError`, a `ValueError`, from `fit`;
    whoever iterates over `batches` finds it in the message of TensorFlow's `InvalidArgumentError`.

    Args:
        root: The folder.
        files: Paths of the images, relative to the folder.
        size: (height, width) that they are cropped and resized to.
        mode: `"L"` for one channel, `"RGB"` for three.
        cache: Where decoded images are kept, by the place of the file in `files`, or None
            (default).
        kept: Places of the files that count, or None (default): all.
        seed: Integer. Decides the order. Defaults to 0.
        name: String for errors and reports. Defaults to `"folder"`.
    """

    # Each is decoded in as many threads as there are cores.
    _parallel = 2

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        *,
        size: tuple[int, int],
        mode: str,
        cache: row_cache.RowCache | None = None,
        kept: np.ndarray | None = None,
        seed: int = 0,
        name: str = "folder",
    ) -> None:
        self._root, self._files, self._mode, self._cache = root, files, mode, cache
        self._places: np.ndarray = np.arange(len(files)) if kept is None else kept
        labels, class_names = paths.classes(files[int(place)] for place in self._places)
        super().__init__(
            name=name,
            data_shape=(*size, 1 if mode == "L" else 3),
            num_examples=len(self._places),
            labels=labels,
            class_names=class_names,
            seed=seed,
        )

    def _settings(self) -> dict[str, Any]:
        shown = {"root": str(self._root), "num_examples": self.num_examples}
        return {**shown, "data_shape": self.data_shape, "seed": self.seed, "name": self.name}

    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8.

        Raises:
            ReadError: When a file cannot be read.
        """
        images = np.empty((len(indices), *self.data_shape), np.uint8)
        places = self._places[indices]
        lacking = [row for row, place in enumerate(places) if not self._find(place, images[row])]
        # In order: of several files that cannot be read it is always the same that is told.
        for _ in _threads().map(lambda row: self._decode(places[row], images[row]), lacking):
            pass
        return images

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1]."""
        flat = tf.reshape(indices, [-1])
        if tf.executing_eagerly():
            images = tf.constant(self.raw(flat.numpy()))
        else:
            images = python_calls.call(self.raw, flat, tf.uint8)
        images.set_shape([flat.shape[0], *self.data_shape])
        shape = tf.concat([tf.shape(indices), self.data_shape], axis=0)
        shaped = tf.reshape(images, shape)
        return normalize(tf.ensure_shape(shaped, [*indices.shape, *self.data_shape]))

    def unreadable(self) -> dict[int, str]:
        """Decodes all files, and returns why those that cannot be read cannot, by their place."""

        def attempt(place: int) -> str | None:
            image = np.empty(self.data_shape, np.uint8)
            try:
                if not self._find(place, image):
                    self._decode(place, image)
            except python_calls.ReadError as error:
                if isinstance(error.__cause__, decoding.UnexpectedColor):
                    raise
                return unreadable.reason(error.__cause__ or error)
            return None

        bad = {}
        for start in range(0, len(self._places), _CHUNK):
            some = self._places[start : start + _CHUNK].tolist()
            for place, reason in zip(some, _threads().map(attempt, some), strict=True):
                if reason is not None:
                    bad[place] = reason
        return bad

    def _find(self, place: int, image: np.ndarray) -> bool:
        return self._cache is not None and self._cache.read(place, image)

    def _decode(self, place: int, image: np.ndarray) -> None:
        file = self._files[place]
        try:
            decoded = decoding.decode(self._root / file, mode=self._mode)
        except decoding.UnexpectedColor as error:
            raise python_calls.ReadError(
                f"{file} in {self._root} does not fit the others: {error}, and all that were "
                "looked at before are grey. Make all files grey, or use cache='memory' "
                "(`--cache=memory`)"
            ) from error
        except unreadable.ERRORS as error:
            raise python_calls.ReadError(
                f"{file} in {self._root} cannot be read ({unreadable.reason(error)}). Repair or "
                f"remove it, or leave such files out {unreadable.REMEDY}"
            ) from error
        image[:] = np.asarray(resize.fit(decoded, self.image_shape[:2])).reshape(image.shape)
        if self._cache is not None:
            self._cache.write(place, image)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), "tfgans-decode")


def spread(files: Sequence[str]) -> list[str]:
    """Returns up to 1000 of the files, evenly spread."""
    count = min(_NUM_PROBED, len(files))
    return [files[place * len(files) // count] for place in range(count)]


def load(
    root: Path,
    files: paths.PathList,
    folders: Iterable[str],
    size: tuple[int, int],
    cache: str,
    cache_dir: Path,
    *,
    skip_bad: bool,
    seed: int,
    name: str,
) -> FolderSource:
    """Returns the source of files that are decoded when they are needed; see `load_folder`.

    Args:
        root: The folder.
        files: All images in it.
        folders: The folders that were looked into.
        size: (height, width).
        cache: `"auto"`, `"disk"` or `"none"`.
        cache_dir: Folder of the files on disk.
        skip_bad: Whether to leave out unreadable files.
        seed: Integer.
        name: String for errors and reports.
    """
    mode = _mode(root, spread(files), skip_bad=skip_bad)
    kept_rows = None
    if cache != "none":
        path = cache_dir / _cache_name(root, files, folders, size, mode)
        row_size = size[0] * size[1] * (1 if mode == "L" else 3)
        kept_rows = _row_cache(path, len(files), row_size, required=cache == "disk")
    make = functools.partial(
        FolderSource, root, files, size=size, mode=mode, cache=kept_rows, seed=seed, name=name
    )
    source = make()
    if not skip_bad:
        return source
    if kept_rows is None:
        raise ValueError(
            "`skip_bad` decodes all files before the first batch, which needs a cache to keep them "
            f"in. Received: skip_bad=True with no cache for {root}. Use cache='disk' "
            "(`--cache=disk`) and a `cache_dir` with enough space, or remove the unreadable files"
        )
    bad = source.unreadable()
    reasons = {files[place]: reason for place, reason in bad.items()}
    unreadable.report(root, reasons, num_files=len(files), skip_bad=True)
    kept = np.delete(np.arange(len(files)), list(bad))
    return make(kept=kept)


def _mode(root: Path, some: Sequence[str], *, skip_bad: bool) -> str:
    """Returns the mode of the images, by some files. Those that will be left out do not count."""
    grey, bad = True, {}
    for file in some:
        try:
            header = decoding.read_header(root / file, with_size=False)
            if skip_bad:
                decoding.decode(root / file, mode="RGB")
        except unreadable.ERRORS as error:
            bad[file] = unreadable.reason(error)
        else:
            grey = grey and header.is_grey
    if not skip_bad or len(bad) == len(some):
        unreadable.report(root, bad, num_files=len(some), skip_bad=False)
    return "L" if grey else "RGB"


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
    advice = "Choose another folder with `cache_dir` (`--cache_dir`)"
    if required:
        raise ValueError(f"Decoded images cannot be kept on disk: {problem}. {advice}")
    warnings.warn(
        f"Decoded images are kept neither in memory nor on disk, but decoded each time: {problem}. "
        f"{advice}, or a smaller image size",
        stacklevel=4,
    )
    return None


def _cache_name(
    root: Path,
    files: paths.PathList,
    folders: Iterable[str],
    size: tuple[int, int],
    mode: str,
) -> str:
    """Returns the name of the file for these images: what they are of, and the folder's state."""
    import PIL

    made = (os.path.realpath(root), size, mode, decoding.VERSION, PIL.__version__)
    # A folder's time changes with the names in it; the times of files are read for some only.
    times = [os.stat(folder).st_mtime_ns for folder in folders]
    state = (files.digest(), times, [_state_of(root / file) for file in spread(files)])
    key, version = (hashlib.sha256(repr(part).encode()).hexdigest()[:24] for part in (made, state))
    return f"{key}-{version}{row_cache.SUFFIX}"


def _state_of(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):  # A link to nowhere.
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None
