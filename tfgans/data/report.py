"""Reports what a data set holds, before it is trained on."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from tfgans.data import decoding, loading, paths, resize, splits, unreadable
from tfgans.data.example_checks import check_pixels
from tfgans.data.image_source import ImageSource, read_headers
from tfgans.data.image_store import ImageStore
from tfgans.data.indexed import IndexedSource, normalize, spread
from tfgans.data.load_options import LoadOptions
from tfgans.data.resize import ImageOptions
from tfgans.data.source import Source

_NUM_SAMPLES = 64
# Of samples whose size was not asked for.
_LARGEST_SAMPLE = 256
# Of all samples, and of all images that `inspect` decodes, which takes some seconds.
_MOST_PIXELS_SHOWN = 2**24
_MOST_PIXELS_READ = 2**28
_NUM_LISTED = 10
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Of the suggestion, without and with a GPU. All networks of images take these sides.
_LARGEST_SIDE = (64, 128)
_SMALLEST_SIDE = 8
_BATCH_SIZE = (64, 128)
_MOST_STEPS = (20_000, 100_000)
_PASSES = 20
_FEWEST_STEPS = 2000


@dataclass(frozen=True)
class Suggestion:
    """Settings to begin with: a rule of thumb for the data and the machine, not a measurement.

    Attributes:
        image_size: The size that was asked for; else the side of square images: that of most images
            if it is a multiple of 4, else the largest power of two that most images reach; at least
            8, at most 64 without a GPU and 128 with one. None for vectors.
        batch_size: 64, or 128 with a GPU; at most a quarter of the examples.
        steps: Twenty passes over the data, between 2000 and 20 000 (100 000 with a GPU).
    """

    image_size: int | tuple[int, int] | None
    batch_size: int
    steps: int


@dataclass(frozen=True)
class DataReport:
    """What a data set holds; `str` gives it as text.

    Attributes:
        name: Name of the data set.
        origin: Place that it was read from, or None.
        num_examples: Number of examples without the unreadable ones, or None where they are drawn
            without end.
        class_counts: Number of these examples by class, or None.
        num_readable: Number of readable images among those that were read: all, or 1000 of a large
            set.
        sizes: Number of these images by (height, width).
        modes: Number of these images by PIL's mode, such as `"L"`, `"RGB"` or `"I;16"`.
        num_transparent: Number of these images that may have transparent pixels.
        skipped_files: Number of files that are no images, by ending.
        empty: Folders without images.
        unreadable: Reasons of the unreadable images among those that were read, by name.
        options: The form that images are converted to.
        samples: Up to 64 examples, evenly spread, float32 `[num, *data_shape]`, images in [-1, 1].
        suggestion: See `Suggestion`.
    """

    name: str
    origin: str | None
    num_examples: int | None
    class_counts: Mapping[str, int] | None
    num_readable: int
    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]
    num_transparent: int
    skipped_files: Mapping[str, int]
    empty: tuple[str, ...]
    unreadable: Mapping[str, str]
    options: ImageOptions
    samples: np.ndarray
    suggestion: Suggestion

    @property
    def num_resized(self) -> int:
        """Number of the images read that have another size than the examples."""
        return sum(count for size, count in self.sizes.items() if size != self.samples.shape[1:3])

    @property
    def num_enlarged(self) -> int:
        """Number of the images read that are smaller than the examples: enlarged, they are blurred.

        With `fit="crop"` or `"stretch"` one of the two sides suffices.
        """
        height, width = self.samples.shape[1:3]
        decisive = min if self.options.fit == "pad" else max
        return sum(
            count
            for size, count in self.sizes.items()
            if decisive(height / size[0], width / size[1]) > 1
        )

    def table(self) -> list[tuple[str, str]]:
        """Returns the report, without the suggestion, as rows of a heading and a text."""
        rows = [("data", self.name), ("read from", self.origin or "-")]
        number = "without end" if self.num_examples is None else f"{self.num_examples}"
        rows.append(("examples", f"{number}, of shape {self.samples.shape[1:]}"))
        if self.class_counts is not None:
            classes = "class" if len(self.class_counts) == 1 else "classes"
            rows.append((f"{len(self.class_counts)} {classes}", _listed(self.class_counts)))
        if self.sizes:
            names = {f"{height}x{width}": num for (height, width), num in self.sizes.items()}
            of = (
                ""
                if self.num_readable == self.num_examples
                else f" of {self.num_readable} images read"
            )
            rows.append((f"sizes{of}", _listed(names)))
            rows.append(("modes", _listed(self.modes)))
            height, width = self.samples.shape[1:3]
            by = f" to {height}x{width} by {self.options.fit}" if self.num_resized else ""
            by += f", {self.num_enlarged} enlarged" if self.num_enlarged else ""
            rows.append(("resized", f"{self.num_resized} of {self.num_readable}{by}"))
        if self.num_transparent:
            form = "kept" if self.options.keeps_alpha else f"set on {self.options.background}"
            rows.append(("transparent", f"{self.num_transparent}, {form}"))
        if self.skipped_files:
            rows.append(("left out", paths.counted(self.skipped_files)))
        if self.empty:
            rows.append(("without images", ", ".join(self.empty)))
        if self.unreadable:
            name, reason = next(iter(self.unreadable.items()))
            rows.append(("unreadable", f"{len(self.unreadable)}, such as {name}: {reason}"))
        return rows

    def text(self) -> str:
        """Returns the report as text, without the suggestion."""
        return _aligned(self.table())

    def __str__(self) -> str:
        size = self.suggestion.image_size
        text = ",".join(map(str, size)) if isinstance(size, tuple) else size
        flags = f"--batch_size={self.suggestion.batch_size} --steps={self.suggestion.steps}"
        first = f"--image_size={text} {flags}" if size else flags
        return _aligned([*self.table(), ("to begin with", first)])


def inspect(
    name: str,
    *,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    fit: str = "crop",
    background: str = "white",
    image_key: str | None = None,
    label_key: str | None = None,
    follow_links: bool = False,
) -> DataReport:
    """Returns a report of a data set: its classes, sizes, modes, faults, samples and a suggestion.

    Of encoded images the headers are read, all of them up to 1000, else 1000 evenly spread. Of
    these, images of 2^28 pixels in all, at least 64, are decoded too. Images of many sizes need no
    `image_size` here.

    Args:
        name: See `load`, as for the other arguments.
        split: See `load`.
        image_size: Int or (height, width) of the samples. Default: None, the size of the
            images, or of the suggestion where they differ or have more than 256 pixels a side.
        data_dir: See `load`.
        download: See `load`.
        fit: See `load`.
        background: See `load`.
        image_key: See `load`.
        label_key: See `load`.
        follow_links: See `load`.

    Raises:
        ValueError: See `load`; unreadable images are reported instead, unless all are.

    Example:

    ```python
    print(tfgans.data.inspect("digits"))
    ```
    """
    options = LoadOptions(
        split=split,
        image_size=image_size,
        data_dir=data_dir,
        download=download,
        fit=fit,
        background=background,
        image_key=image_key,
        label_key=label_key,
        follow_links=follow_links,
    )
    data = loading.read(name, options)
    if isinstance(data, ImageStore):
        return _report_of_store(data, options, name)
    return _report_of_source(data, options, name)


def _report_of_store(store: ImageStore, options: LoadOptions, name: str) -> DataReport:
    part = splits.parse_split(options.split).indices(store.num_images)
    places = part[spread(len(part))].tolist()
    headers, bad = read_headers(store, places, with_size=True)
    num_pixels = np.mean([header.num_pixels for header in headers.values()] or [1])
    num = max(_NUM_SAMPLES, int(_MOST_PIXELS_READ / num_pixels))
    some = [[*headers][index] for index in spread(len(headers), num)]
    decoded, damaged = read_headers(store, some, with_size=False, decodes=True)
    headers = {place: header for place, header in headers.items() if place not in damaged}
    bad |= damaged
    if not decoded:
        unreadable.report(store, bad, len(bad), skip_bad=False)
    rows = np.setdiff1d(part, [*bad])
    sizes = Counter(header.size for header in headers.values() if header.size is not None)
    form = options.of_images()
    suggestion = _suggest(len(rows), sizes, options)
    if form.size is None:
        common = next(iter(sizes))
        is_kept = len(sizes) == 1 and max(common) <= _LARGEST_SAMPLE
        size = common if is_kept else resize.parse_size(suggestion.image_size)
        form = replace(form, size=size)
    # Of the whole split, as in `load`.
    others, _ = read_headers(store, spread(store.num_images), with_size=False)
    others = {place: header for place, header in others.items() if place not in bad}
    mode = decoding.common_mode((headers | others).values(), form)
    shown = [[*decoded][index] for index in spread(len(decoded), _num_samples(form.size or ()))]
    samples = ImageSource(store, form, mode=mode).raw(np.array(shown))
    check_pixels(samples)
    return DataReport(
        name=name,
        origin=store.place,
        num_examples=len(rows),
        class_counts=_class_counts(
            None if store.labels is None else store.labels[rows], store.class_names
        ),
        num_readable=len(headers),
        sizes=sizes,
        modes=Counter(header.mode for header in headers.values()),
        num_transparent=sum(header.has_alpha for header in headers.values()),
        skipped_files=store.skipped_files,
        empty=store.empty,
        unreadable={store.title(place): reason for place, reason in bad.items()},
        options=form,
        samples=normalize(tf.constant(samples)).numpy(),
        suggestion=suggestion,
    )


def _num_samples(size: tuple[int, ...]) -> int:
    return max(1, min(_NUM_SAMPLES, _MOST_PIXELS_SHOWN // math.prod(size)))


def _report_of_source(source: Source, options: LoadOptions, name: str) -> DataReport:
    num = source.num_examples
    if isinstance(source, IndexedSource):
        shown = spread(source.num_examples, _num_samples(source.data_shape[:2]))
        samples = source.rows(tf.constant(shown)).numpy()
    else:
        samples = next(iter(source.batches(_NUM_SAMPLES))).numpy()
    is_image = len(source.data_shape) == 3
    sizes = {source.image_shape[:2]: num or 1} if is_image else {}
    return DataReport(
        name=name,
        origin=source.origin,
        num_examples=num,
        class_counts=_class_counts(source.labels, source.class_names),
        num_readable=num or 0,
        sizes={} if num is None else sizes,
        modes={_MODES.get(source.data_shape[-1], "other"): num} if is_image and num else {},
        num_transparent=0,
        skipped_files={},
        empty=(),
        unreadable={},
        options=options.of_images(),
        samples=samples,
        suggestion=_suggest(num, sizes, options),
    )


def _class_counts(
    labels: np.ndarray | None, class_names: tuple[str, ...] | None
) -> dict[str, int] | None:
    if labels is None or labels.min() < 0:
        return None
    names = class_names or ()
    counts = dict.fromkeys(names, 0)
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        counts[names[label] if label < len(names) else str(label)] = int(count)
    return counts


def _suggest(
    num_examples: int | None, sizes: Mapping[tuple[int, int], int], options: LoadOptions
) -> Suggestion:
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    side = options.image_size
    if sizes and side is None:
        shorter = np.repeat([min(size) for size in sizes], list(sizes.values()))
        largest = min(float(np.median(shorter)), _LARGEST_SIDE[has_gpu])
        side = max(_SMALLEST_SIDE, 2 ** int(np.log2(max(largest, 1))))
        (height, width), count = max(sizes.items(), key=lambda item: item[1])
        is_common = 2 * count > sum(sizes.values())
        is_taken = height % 4 == 0 and _SMALLEST_SIDE <= height <= _LARGEST_SIDE[has_gpu]
        if is_common and height == width and is_taken:
            side = height
    batch_size = _BATCH_SIZE[has_gpu]
    if num_examples is None:
        return Suggestion(side, batch_size, _MOST_STEPS[has_gpu])
    batch_size = max(1, min(batch_size, num_examples // 4))
    steps = _PASSES * num_examples // batch_size
    return Suggestion(side, batch_size, min(max(steps, _FEWEST_STEPS), _MOST_STEPS[has_gpu]))


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(heading) for heading, _ in rows)
    return "\n".join(f"{heading:{width}}  {_printable(text)}" for heading, text in rows)


def _printable(text: str) -> str:
    """Returns text with escapes for what names of files may do to a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _listed(counts: Mapping[str, int]) -> str:
    """Returns `cat 40, dog 35, ...`, the most frequent first beyond ten."""
    items = list(counts.items())
    if len(items) > _NUM_LISTED:
        items = sorted(items, key=lambda item: -item[1])[:_NUM_LISTED]
    more = f", and {len(counts) - len(items)} more" if len(counts) > len(items) else ""
    return ", ".join(f"{name} {count}" for name, count in items) + more
