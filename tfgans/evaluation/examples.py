"""The real and the generated examples of an evaluation, read in chunks."""

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, sampling
from tfgans.copies import Copyable
from tfgans.data import Source
from tfgans.data.indexed import IndexedSource
from tfgans.data.splits import parse_split
from tfgans.evaluation import classes
from tfgans.evaluation.extractors import Extractor, checksum
from tfgans.evaluation.intervals import NUM_GROUPS, groups_of
from tfgans.gan import GAN
from tfgans.images import from_uint8
from tfgans.metrics import FeatureStatistics, Metric, arrays
from tfgans.metrics.neighbors import closest_in_chunks

_CHUNK = 256
_MOST_REAL = 50_000
_ENDLESS = 10_000
# The range of images in [0, 1]: resized or generated, they may be a little below 0. Those of an
# untrained generator are all near 0.
_LOWEST, _HIGHEST = -0.1, 0.5
# Examples that are always kept: for distances to the closest real example, and to be shown.
NUM_COMPARED = 1000


class Needs(NamedTuple):
    """The parts of a set of examples that metrics read.

    Attributes:
        statistics: Bool, whether running means and covariances are kept. The size of a covariance
            is the square of the dimension.
        features: Int, the number of examples, from the first, whose features are kept.
        probabilities: Bool, whether the probabilities of all examples are kept.
        examples: Int, the number of examples, from the first, that are kept.
    """

    statistics: bool
    features: int
    probabilities: bool
    examples: int


class Real(Copyable):
    """Real examples of a source, shuffled by the seed, since files are often sorted by class."""

    _transient = ("_batches",)
    _batches: tf.data.Dataset | None = None

    def __init__(
        self, source: Source, num: int | None, *, if_endless: int | None, seed: int
    ) -> None:
        self._source, self._seed = source, seed
        available = source.num_examples
        if num is None and available is None:
            num = if_endless or _ENDLESS
        elif num is None:
            num = min(available or 0, _MOST_REAL)
        self.num = checks.int_at_least("num_real", num, 2)
        if self.num > (available or self.num):
            raise ValueError(
                f"`num_real` must be at most the number of examples of {source.name!r}, "
                f"{available}. Received: {checks.short(num)}. Leave it out to take all"
            )

    @functools.cached_property
    def checksum(self) -> str:
        """The checksum of the source, computed once."""
        return self._source.checksum()

    def first(self, count: int) -> np.ndarray:
        """Returns the first examples, float32."""
        return next(self.chunks())[:count]

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields the examples, float32 [up to 256, ...]."""
        if isinstance(self._source, IndexedSource):
            order = _order(self._source.num_examples, self._seed)[: self.num]
            for start in range(0, self.num, _CHUNK):
                yield self._source.rows(tf.constant(order[start : start + _CHUNK])).numpy()
            return
        if self._batches is None:
            # Made once, since TensorFlow keeps the functions of each dataset. Not from the batches
            # of training, which start at step 0, and 2^20 batches of its own for almost each seed.
            start = 2**40 + (_seed_of(self._seed, 0) % 2**40) * 2**20
            self._batches = self._source.batches(min(_CHUNK, self.num), start_step=start)
        left = self.num
        for batch in self._batches:
            yield batch.numpy()[:left]
            left -= len(batch)
            if left <= 0:
                return


class HeldOut(Real):
    """Real examples that stand in for generated ones: about what a perfect generator would score.

    Splits that have the same number of each class score better than independent draws would.

    Args:
        source: `Source` of the examples.
        num: Int, the number of examples; fewer if the source has fewer.
        seed: Int, of the order.
        like: `Source` of the real examples that they are compared with.

    Raises:
        ValueError: If the examples have another shape, or are those that they are compared with.
    """

    def __init__(self, source: Source, num: int, *, seed: int, like: Source) -> None:
        if source.data_shape != like.data_shape:
            raise ValueError(
                f"The examples of {source.name!r} must have the shape of the real examples, "
                f"{tuple(like.data_shape)}. Received shape: {tuple(source.data_shape)}"
            )
        if source.num_examples == 1:
            raise ValueError(
                f"{source.name!r} must have at least two examples to stand in for samples. "
                "Received: 1"
            )
        super().__init__(source, min(num, source.num_examples or num), if_endless=None, seed=seed)
        if self.checksum == like.checksum():
            raise ValueError(
                f"{source.name!r} holds the real examples themselves. Compare them with another "
                "part of the data, as of `split='test'`"
            )
        if _may_share_examples(source, like):
            warnings.warn(
                f"The examples of {source.name!r} may overlap with the real examples: they are "
                "parts of the same split. Examples in both would score better than new ones. Use "
                "parts that do not overlap, with bounds of the same kind, such as `train[:90%]` "
                "and `train[90%:]`",
                stacklevel=2,
            )

    def describe(self) -> dict[str, Any]:
        """Returns the origin of the examples as JSON values."""
        source = self._source
        return {
            "num_examples": self.num,
            "model": "real examples",
            "source": source.name,
            "split": (source.load_options or {}).get("split", "unknown"),
            "checksum": self.checksum,
            "classes": None,
            "seed": self._seed,
        }


class Fake:
    """Generated examples: of a model, of an object with `sample(n, seed)`, or an array.

    Of a conditional model (see `classes.is_conditional`) `sample` is called with `labels`, classes
    that are drawn by the shares of the source.
    """

    def __init__(self, origin: Any, num: int, seed: int, source: Source) -> None:
        self._origin, self._seed, self._data_shape = origin, seed, source.data_shape
        self._class_shares = classes.shares_for(origin, source)
        self._class_names = source.class_names
        self._array = None if hasattr(origin, "sample") else _as_examples(origin)
        self.num = num if self._array is None else min(num, len(self._array))
        self._has_clipped = False
        # Before the real examples are read, which may take long.
        if self._array is None:
            self._checked(self._sample(2, seed), 2)
            return
        for start in range(0, len(self._array), _CHUNK):
            rows = self._array[start : start + _CHUNK]
            self._checked(rows, len(rows))

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields the examples, float32 [up to 256, ...]; images lie in [-1, 1].

        An array is shuffled by the seed, since files are often sorted by class.
        """
        order = _order(0 if self._array is None else len(self._array), self._seed)
        for index, start in enumerate(range(0, self.num, _CHUNK)):
            count = min(_CHUNK, self.num - start)
            if self._array is not None:
                yield self._checked(self._array[order[start : start + count]], count)
            else:
                # Every chunk is drawn whole, so that the first examples do not depend on the
                # number of examples.
                drawn = self._sample(_CHUNK, _seed_of(self._seed, index))
                yield self._checked(drawn, _CHUNK)[:count]

    def _sample(self, count: int, seed: int) -> Any:
        if self._class_shares is None:
            return self._origin.sample(count, seed=seed)
        labels = sampling.draw_labels(count, seed, self._class_shares)
        return self._origin.sample(count, seed=seed, labels=labels)

    def _checked(self, values: Any, count: int) -> np.ndarray:
        """Returns examples as float32, or raises ValueError."""
        examples = np.asarray(values)
        if examples.shape != (count, *self._data_shape):
            raise ValueError(
                f"Expected {count} generated examples of the shape of the real examples, "
                f"{tuple(self._data_shape)}. Received shape: {examples.shape}. "
                + _remedy(examples.shape, self._data_shape)
            )
        examples = from_uint8(examples) if examples.dtype == np.uint8 else examples
        if isinstance(self._origin, GAN) and examples.ndim == 4:
            examples = self._clipped(examples)
        arrays.finite("generated examples", examples, error=arrays.NotFiniteError)
        check = arrays.images if examples.ndim == 4 else arrays.numbers
        return check("generated examples", examples).astype(np.float32)

    def _clipped(self, images: np.ndarray) -> np.ndarray:
        """Returns images in [-1, 1]: the output of a generator may have no bound."""
        if not self._has_clipped and np.abs(images).max() > arrays.LARGEST_PIXEL:
            warnings.warn(
                f"Generated images have values in [{images.min():g}, {images.max():g}]. They are "
                "clipped to [-1, 1], as in pictures. A generator that ends in tanh has no others",
                stacklevel=2,
            )
            self._has_clipped = True
        return np.clip(images, -1.0, 1.0)

    def describe(self) -> dict[str, Any]:
        """Returns the origin of the examples as JSON values."""
        origin = self._origin
        rule = classes.describe(origin, self._class_shares, self._class_names)
        common = {"num_examples": self.num, **rule}
        if isinstance(origin, GAN):
            refinement = origin.refinement
            return common | {
                "model": type(origin).__name__,
                "checksum": model_checksum(origin, refined=refinement is not None),
                "step": origin.step,
                "ema": origin.ema,
                "refinement": None if refinement is None else repr(refinement),
                "seed": self._seed,
            }
        if self._array is not None:
            return common | {"model": "array", "checksum": checksum([self._array])}
        described: dict[str, Any] = getattr(origin, "describe", dict)()
        return common | {"model": type(origin).__name__, **described, "seed": self._seed}


def as_samples(
    origin: Any, num: int, *, requires_all: bool, seed: int, source: Source
) -> Fake | HeldOut:
    """Returns the examples that are compared with those of a source.

    Args:
        origin: See `tfgans.evaluation.evaluate`.
        num: Int, the number of examples; fewer if an array or a finite source has fewer.
        requires_all: Bool, whether it must not have fewer.
        seed: Int, of the examples and of their order.
        source: `Source` of the real examples.

    Raises:
        ValueError: If there are fewer examples than required, or they do not match the source.
    """
    available = _available(origin)
    if requires_all and available is not None and available < num:
        raise ValueError(
            f"`num_samples` must be at most the number of samples, {available}. Received: {num}. "
            "Leave it out to take all"
        )
    # A source without end draws other examples from another seed, as a generator does.
    if isinstance(origin, Source) and origin.num_examples is not None:
        return HeldOut(origin, num, seed=seed, like=source)
    return Fake(origin, num, seed, source)


def _remedy(shape: tuple[int, ...], data_shape: Sequence[int]) -> str:
    """Returns how to bring generated examples of another shape to that of the real ones."""
    if len(data_shape) < 3:
        return "Take both from the same data or extractor"
    *size, channels = data_shape
    if shape[1:] == tuple(size):
        return "Add the axis of the channels: `images[..., np.newaxis]`"
    if shape[1:] == (channels, *size):
        return "Move the axis of the channels to the end: `np.moveaxis(images, 1, -1)`"
    if shape[1:-1] == tuple(size):
        return (
            "Give both the same number of channels: gray images as `images.repeat(3, axis=-1)`, or "
            "folders that hold images of the same mode"
        )
    return "Load the real examples at that size (`image_size`)"


def _may_share_examples(first: Source, second: Source) -> bool:
    """Returns whether two sources of `tfgans.data.load` are parts of a split that may overlap."""
    options = [dict(source.load_options or {}) for source in (first, second)]
    splits = [each.pop("split", None) for each in options]
    if None in splits or options[0] != options[1]:
        return False
    return parse_split(splits[0]).may_overlap(parse_split(splits[1]))


def _available(origin: Any) -> int | None:
    """Returns the number of examples of an array or a source; None if they are drawn."""
    if isinstance(origin, Source):
        return origin.num_examples
    return None if hasattr(origin, "sample") else len(_as_examples(origin))


def model_checksum(gan: GAN, *, refined: bool) -> str:
    """Returns the checksum of a model in records: of the weights that make its samples.

    Args:
        gan: `tfgans.GAN`.
        refined: Bool, whether the discriminator refines the samples, so that its weights count too.
    """
    weights = gan.sampling_generator.get_weights()
    return checksum(weights + gan.discriminator.get_weights() if refined else weights)


class View:
    """The parts of a set of examples that metrics read, from a single pass over all of them.

    Args:
        examples: `Real`, which `HeldOut` is, or `Fake`.
        extractor: `Extractor` of the features.
        needs: The parts to keep.
        advance: Function (number of examples, what is being done), called after each chunk.
        real: The view of the real examples, to which distances are taken. Default: None, these are
            the real examples.

    Attributes:
        num: Int, all examples.
        dim: Int, the dimension of a feature.
        statistics: A `FeatureStatistics` for each group, of all examples; empty if not needed.
        features: float32 [at most `needs.features`, dim]; empty if not needed.
        probabilities: float32 [num, num_classes]; empty if not needed.
        examples: float32 [at most `needs.examples`, ...].
    """

    def __init__(
        self,
        examples: Real | Fake,
        extractor: Extractor,
        needs: Needs,
        advance: Callable[[int, str], None],
        real: "View | None" = None,
    ) -> None:
        self._all, self._real = examples, real
        self.dim: int | None = None
        self.statistics = [FeatureStatistics() for _ in range(NUM_GROUPS * needs.statistics)]
        features, probabilities, kept, self.num = [], [], [], 0
        lowest, highest = np.inf, -np.inf
        for chunk in examples.chunks():
            extracted = extractor(chunk)
            groups = groups_of(self.num + len(chunk))[self.num :]
            for index, statistics in enumerate(self.statistics):
                if np.any(groups == index):
                    statistics.update(extracted.features[groups == index])
            # Copies: a view would keep the whole chunk in memory.
            if needs.features > self.num:
                features.append(extracted.features[: needs.features - self.num].copy())
            if needs.examples > self.num:
                kept.append(chunk[: needs.examples - self.num].copy())
            if needs.probabilities and extracted.probabilities is not None:
                probabilities.append(extracted.probabilities)
            self.num, self.dim = self.num + len(chunk), extracted.features.shape[1]
            lowest, highest = min(lowest, float(chunk.min())), max(highest, float(chunk.max()))
            advance(len(chunk), "reading examples")
        self.features, self.probabilities, self.examples = map(
            _joined, (features, probabilities, kept)
        )
        if self.examples.ndim == 4:
            _warn_of_unit_range("real" if real is None else "generated", lowest, highest)

    def read(self, metric: Metric, *, without: int | None = None) -> Any:
        """Returns what a metric reads: see `Metric.reads`.

        Args:
            metric: The metric.
            without: Int, a group of examples that is left out. Default: None.
        """
        if metric.reads == "statistics":
            return self._merged(without)
        rows = getattr(self, metric.reads)[: metric.max_examples]
        return rows if without is None else rows[groups_of(len(rows)) != without]

    def count(self, metric: Metric) -> int:
        """Returns the number of examples that the numbers of a metric depend on."""
        num_read = min(self.num, metric.max_examples or self.num)
        if metric.reads != "distances":
            return num_read
        # From some of the samples, but to all real examples.
        return self.num if self._real is None else min(num_read, NUM_COMPARED)

    def closest(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distance from each sample to the closest of all examples, and the example."""
        return closest_in_chunks(samples, self._all.chunks())

    @functools.cached_property
    def distances(self) -> np.ndarray:
        """float64 [at most 1000]: from the first examples to the closest other real example."""
        first = self.examples[:NUM_COMPARED]
        if self._real is not None:
            return self._real.closest(first)[0]
        return closest_in_chunks(first, self._all.chunks(), apart=True)[0]

    def _merged(self, without: int | None) -> FeatureStatistics:
        """Returns the statistics of all groups but `without`."""
        merged = FeatureStatistics()
        for index, statistics in enumerate(self.statistics):
            if index != without:
                merged.merge(statistics)
        return merged


def _warn_of_unit_range(kind: str, lowest: float, highest: float) -> None:
    """Warns if the range of images is that of images in [0, 1]."""
    if lowest > _LOWEST and highest > _HIGHEST:
        warnings.warn(
            f"No {kind} image has a value below {_LOWEST}: they should lie in [-1, 1], and seem to "
            "lie in [0, 1]. Rescale them: `2 * x - 1`",
            stacklevel=3,
        )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros([0, 0], np.float32)


def _order(num: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed % 2**64).permutation(num)


def _as_examples(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim < 2 or not np.issubdtype(array.dtype, np.number) or len(array) < 2:
        raise ValueError(
            "Expected a tfgans.GAN, an object with `sample(n, seed)`, or an array of numbers with "
            f"at least two examples. Received: {type(values).__name__} of shape {array.shape} and "
            f"dtype {array.dtype}"
        )
    return array


def _seed_of(seed: int, index: int) -> int:
    """Returns a seed of 62 bits for a chunk; seeds of neighboring chunks are unrelated."""
    sequence = np.random.SeedSequence([seed % 2**64, index])
    return int(sequence.generate_state(1, np.uint64)[0] >> 2)
