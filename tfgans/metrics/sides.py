"""The two sides of an evaluation, real and generated, read in chunks and looked at once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import Source
from tfgans.data.arrays import ArraySource
from tfgans.metrics import arrays
from tfgans.metrics.confidence import NUM_GROUPS, groups_of
from tfgans.metrics.extractors import Extractor, checksum
from tfgans.metrics.statistics import FeatureStatistics
from tfgans.models.sampled_pair import SampledPair

_CHUNK = 256
_MOST_REAL = 50_000
_ENDLESS = 10_000
# Features and examples kept for metrics of pairs, and to show: all of them may be too large.
NUM_KEPT = 10_000


class Real:
    """Real examples of a source, in an order of the seed: files often come class by class."""

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
        if available is not None:
            self.num = min(self.num, available)

    def first(self, count: int) -> np.ndarray:
        """Returns the first examples, float32."""
        return next(self.chunks())[:count]

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields the examples, float32 [up to 256, ...]."""
        if isinstance(self._source, ArraySource):
            order = _order(self._source.num_examples, self._seed)[: self.num]
            for start in range(0, self.num, _CHUNK):
                yield self._source.rows(tf.constant(order[start : start + _CHUNK])).numpy()
            return
        # Another branch of the stream than training's, which begins at batch 0.
        batches = self._source.batches(min(_CHUNK, self.num), start_step=2**40 + self._seed % 2**20)
        left = self.num
        for batch in batches:
            yield batch.numpy()[:left]
            left -= len(batch)
            if left <= 0:
                return


class Fake:
    """Generated examples: of a model, of anything with `sample(n, seed)`, or an array."""

    def __init__(self, origin: Any, num: int, seed: int, data_shape: tuple[int, ...]) -> None:
        self._origin, self._seed, self._data_shape = origin, seed, data_shape
        self._array = None if hasattr(origin, "sample") else _as_examples(origin, seed)
        self.num = num if self._array is None else min(num, len(self._array))
        shape = (
            origin.data_shape if isinstance(origin, SampledPair) else next(self.chunks()).shape[1:]
        )
        if tuple(shape) != tuple(data_shape):
            raise ValueError(
                f"Generated examples must have the shape of the real ones, {tuple(data_shape)}. "
                f"Received: {tuple(shape)}. Load the real ones at that size (`image_size`)"
            )

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields the examples, float32 [up to 256, ...]; images are checked to lie in [-1, 1]."""
        for index, start in enumerate(range(0, self.num, _CHUNK)):
            count = min(_CHUNK, self.num - start)
            if self._array is not None:
                made = self._array[start : start + count]
            else:
                # Chunk by chunk: a large sample need not fit into memory. Every chunk is drawn
                # whole, so that the first examples do not depend on how many follow.
                made = self._origin.sample(_CHUNK, seed=_seed_of(self._seed, index))[:count]
            checked = arrays.images if np.ndim(made) == 4 else arrays.finite
            yield checked("generated examples", made).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Returns what made the examples, as JSON values."""
        origin, common = self._origin, {"num_examples": self.num}
        if isinstance(origin, SampledPair):
            refinement, weights = origin.own_refinement, origin.sampling_generator.get_weights()
            if refinement is not None:
                weights += origin.discriminator.get_weights()
            return common | {
                "model": type(origin).__name__,
                "checksum": checksum(weights),
                "step": origin.step,
                "ema": origin.ema,
                "refinement": None if refinement is None else repr(refinement),
                "seed": self._seed,
            }
        if self._array is not None:
            return common | {"model": "array", "checksum": checksum([self._array])}
        described: dict[str, Any] = getattr(origin, "describe", dict)()
        return common | {"model": type(origin).__name__, **described, "seed": self._seed}


class View:
    """What metrics need of one side: statistics by group, some of the features and examples.

    Attributes:
        num: Int, examples seen.
        statistics: A `FeatureStatistics` a group, of all examples.
        features: float32 [at most 10 000, dim].
        probabilities: float32 [num, num_classes], or None.
        examples: float32 [at most 10 000, ...].
    """

    def __init__(
        self,
        side: Real | Fake,
        extractor: Extractor,
        advance: Callable[[int, str], None],
    ) -> None:
        self.statistics = [FeatureStatistics() for _ in range(NUM_GROUPS)]
        features, probabilities, kept, self.num = [], [], [], 0
        for examples in side.chunks():
            found = extractor(examples)
            group = groups_of(self.num + len(examples))[self.num :]
            for index, statistics in enumerate(self.statistics):
                if np.any(group == index):
                    statistics.update(found.features[group == index])
            room = max(0, NUM_KEPT - self.num)
            features.append(found.features[:room])
            kept.append(examples[:room])
            if found.probabilities is not None:
                probabilities.append(found.probabilities)
            self.num += len(examples)
            advance(len(examples), "looking at examples")
        self.features = np.concatenate(features)
        # None, if the extractor is no classifier.
        self.probabilities: Any = np.concatenate(probabilities) if probabilities else None
        self.examples = np.concatenate(kept)

    def merged(self, without: int | None = None) -> FeatureStatistics:
        """Returns the statistics of all groups but one."""
        merged = FeatureStatistics()
        for index, statistics in enumerate(self.statistics):
            if index != without:
                merged.merge(statistics)
        return merged


def _order(num: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed % 2**64).permutation(num)


def _as_examples(values: Any, seed: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim < 2 or not np.issubdtype(array.dtype, np.number) or len(array) < 2:
        raise ValueError(
            "Expected a tfgans.GAN, an object with `sample(n, seed)`, or an array of at least two "
            f"examples. Received: {type(values).__name__} of shape {array.shape}"
        )
    return array[_order(len(array), seed)]


def _seed_of(seed: int, index: int) -> int:
    """Returns a seed of 62 bits for a chunk: those of neighbouring seeds are unrelated."""
    sequence = np.random.SeedSequence([seed % 2**64, index])
    return int(sequence.generate_state(1, np.uint64)[0] >> 2)
