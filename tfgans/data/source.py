"""The base class of sources: endless batches that depend on (seed, step) alone."""

import abc
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import draws
from tfgans.random import Role
from tfgans.reprs import SettingsRepr

# Examples that the checksum of a source without end is made of, and their decimals.
_NUM_SUMMED = 256
_DECIMALS = 3


class Source(SettingsRepr, abc.ABC):
    """A source of real examples with random access to batches by number.

    Batch `t` is a pure function of the seed and `t`: a run that starts at step 1000 sees the
    batches that an uninterrupted run would have seen. Subclasses write `batch`.

    Args:
        name: String. What errors and reports call the source.
        data_shape: Tuple of positive integers, the shape of one example.
        num_examples: Int of at least 1, or None when examples are drawn without end.
        labels: Int array `[num_examples]`, or None.
        num_classes: Int of at least 1, when every example is of one of the classes 0, 1, ...,
            num_classes - 1; else None. Then a conditional model can be trained on the source.
        class_names: Names of the classes 0, 1, ..., or None (default).
        seed: Int in the int64 range. Decides the order, or the draws.

    Attributes:
        origin: String, the place that the examples were read from, or None.
        load_options: The arguments with which `tfgans.data.load` made the source, as JSON values
            and but for the seed; None for other sources.
    """

    origin: str | None = None
    load_options: dict[str, Any] | None = None
    _parallel = tf.data.AUTOTUNE  # Batches that are made at a time.

    def __init__(
        self,
        *,
        name: str,
        data_shape: tuple[int, ...],
        num_examples: int | None = None,
        labels: np.ndarray | None = None,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.num_classes = num_classes
        self.class_names = None if class_names is None else tuple(class_names)
        self.data_shape = checks.shape("data_shape", data_shape)
        self.num_examples = num_examples
        self.labels = None if labels is None else np.asarray(labels, dtype=np.int64)
        self.seed = checks.integer("seed", seed)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The (height, width, channels) of one image.

        Raises:
            AttributeError: If the examples are not images.
        """
        if len(self.data_shape) != 3:
            raise AttributeError(
                f"`image_shape` exists only where examples are images, of rank 3. {self.name!r} "
                f"has examples of shape {self.data_shape}: use `data_shape`"
            )
        height, width, channels = self.data_shape
        return height, width, channels

    @property
    def class_shares(self) -> np.ndarray | None:
        """The probability of each class: float64 `[num_classes]`, with sum 1.

        For stored examples, these are the relative frequencies of the labels, 0 for a class without
        examples; for drawn examples, the probabilities with which classes are drawn. None if the
        source has no classes.

        Example:

        >>> array = np.zeros([4, 2], np.float32)
        >>> tfgans.data.from_array(array, labels=[0, 2, 2, 2]).class_shares
        array([0.25, 0.  , 0.75])
        """
        if self.num_classes is None:
            return None
        if self.labels is None:
            raise NotImplementedError(
                f"{type(self).__name__} has classes: it must state their shares (`class_shares`)"
            )
        return np.bincount(self.labels, minlength=self.num_classes) / len(self.labels)

    def batches(
        self,
        batch_size: int,
        *,
        start_step: int | Callable[[], int] = 0,
        labels: bool = False,
        part: tuple[int, int] | None = None,
    ) -> tf.data.Dataset:
        """Returns the endless dataset of batches `start_step`, `start_step + 1`, ...

        Args:
            batch_size: Int of at least 1, at most `num_examples`.
            start_step: Int of at least 0: the number of the first batch. Or a callable that
                returns it: called whenever an iterator over the dataset is asked for its first
                batch, so that a step count restored after the dataset was made is honored.
            labels: Whether to also return the class of each example. Default: False.
            part: (index, count): each batch is cut into `count` equal parts, and part `index` of
                it is returned, for a worker that loads its share only. Of stored examples no
                others are read. Default: None, the whole batch.

        Returns:
            A `tf.data.Dataset` of float32 `[batch_size, *data_shape]`, static shape. Images lie
            in [-1, 1]. With `labels`, of pairs (examples, int32 `[batch_size]`); the examples are
            the same. The parts 0, 1, ... of a batch, concatenated, are bit-identical to the whole
            batch.

        Raises:
            ValueError: If an argument is out of range.
        """
        size = checks.positive_int("batch_size", batch_size)
        numbers = _numbers_from(start_step)
        if self.num_examples is not None and size > self.num_examples:
            raise ValueError(
                f"`batch_size` must be at most the number of examples of {self.name!r}, "
                f"{self.num_examples}. Received: {batch_size}. Use a smaller batch or more data"
            )

        if labels and self.num_classes is None:
            raise ValueError(
                f"{self.name!r} has no classes 0, 1, ... to train a conditional model on. "
                f"Received: labels={checks.short(labels)}. Leave it out, or take a source "
                "with labels"
            )

        rows = _rows_of_part(part, size)

        @tf.autograph.experimental.do_not_convert
        def batch(step: tf.Tensor) -> Any:
            examples = self.part_of_batch(step, size, rows)
            return (examples, self.batch_labels(step, size)[rows]) if labels else examples

        dataset = numbers.map(batch, num_parallel_calls=self._parallel)
        options = dataset_options(is_part=part is not None)
        return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)

    @property
    def gaussian_modes(self) -> tuple[np.ndarray, float, np.ndarray] | None:
        """(centers `[num_modes, dim]`, standard deviation, proportions `[num_modes]`).

        None unless the examples are drawn from a mixture of Gaussians.
        """
        return None

    def checksum(self) -> str:
        """Returns a SHA-256 of the examples, by which runs and evaluations recognize their data.

        It is of the first batch, of up to 256 examples, rounded to three decimals.
        """
        size = min(_NUM_SUMMED, self.num_examples or _NUM_SUMMED)
        return _rounded_checksum(next(iter(self.batches(size))).numpy())

    @abc.abstractmethod
    def batch(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns batch number `step` (scalar int64): float32 `[batch_size, *data_shape]`."""

    def part_of_batch(self, step: tf.Tensor, batch_size: int, part: slice) -> tf.Tensor:
        """Returns some rows of batch number `step`. Override it where the other rows are costly."""
        return self.batch(step, batch_size)[part]

    def batch_labels(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns the classes of batch number `step`: int32 `[batch_size]`.

        Subclasses whose examples have classes override it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has classes: it must return those of a batch (`batch_labels`)"
        )


class DrawnSource(Source):
    """Examples drawn without end. Subclasses write `draw`.

    Args:
        name: See `Source`.
        data_shape: See `Source`.
        num_classes: See `Source`. Subclasses that have some write `draw_labels` and
            `class_shares`.
        seed: Int. Decides what `batches` draws; `sample` takes another seed.
    """

    def __init__(
        self,
        *,
        name: str,
        data_shape: tuple[int, ...],
        num_classes: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(name=name, data_shape=data_shape, num_classes=num_classes, seed=seed)

    def sample(self, n: int, seed: int) -> np.ndarray:
        """Returns float32 `[n, *data_shape]`, a pure function of `n` and `seed`.

        Args:
            n: Int of at least 1.
            seed: Int in the int64 range.

        Raises:
            ValueError: If an argument is out of range.
        """
        num_examples = checks.positive_int("n", n)
        return self.draw(num_examples, self._sample_key(seed)).numpy()

    def checksum(self) -> str:
        """Returns a SHA-256 of 256 samples of seed 0, rounded to three decimals.

        It is that of the distribution, whatever the seed of the source. Rounded, since machines
        round differently.
        """
        return _rounded_checksum(self.sample(_NUM_SUMMED, seed=0))

    def _sample_key(self, seed: int) -> tf.Tensor:
        return draws.key(checks.integer("seed", seed), Role.DATA_SAMPLE)

    def batch(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns batch number `step`, drawn with a key of the seed and the step."""
        return self.draw(batch_size, draws.key(self.seed, Role.DATA_BATCH, step))

    def batch_labels(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns the classes of batch number `step`: int32 `[batch_size]`."""
        key = draws.key(self.seed, Role.DATA_BATCH, step)
        return tf.cast(self.draw_labels(batch_size, key), tf.int32)

    def draw_labels(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns the classes of `draw(n, key)`: integers `[n]`.

        Subclasses whose examples have classes override it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has classes: it must return those drawn (`draw_labels`)"
        )

    @abc.abstractmethod
    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""


def _rounded_checksum(examples: np.ndarray) -> str:
    values = np.round(examples.astype(np.float64), _DECIMALS) + 0.0  # No negative zeros.
    header = f"{values.dtype.str}{values.shape}".encode()
    return hashlib.sha256(header + values.tobytes()).hexdigest()


def _numbers_from(start: int | Callable[[], int]) -> tf.data.Dataset:
    """Returns the endless dataset of int64 scalars start, start + 1, ..."""
    if not callable(start):
        return tf.data.Dataset.counter(checks.int_at_least("start_step", start, 0))
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return int_of_iterator(start).flat_map(tf.data.Dataset.counter).apply(endless)


def int_of_iterator(function: Callable[[], int]) -> tf.data.Dataset:
    """Returns the dataset of a single int64 scalar, which is called for in each iterator."""
    return tf.data.Dataset.from_generator(
        lambda: iter([function()]), output_signature=tf.TensorSpec([], tf.int64)
    )


def dataset_options(*, is_part: bool = False) -> tf.data.Options:
    """Returns the options of datasets of batches.

    Args:
        is_part: Whether the batches are one worker's share already. Default: False.
    """
    options = tf.data.Options()
    options.deterministic = True
    # There are no files to share out among the workers.
    policies = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policies.OFF if is_part else policies.DATA
    # The optimizations gain nothing here, and each iterator would copy the examples in memory.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _rows_of_part(part: tuple[int, int] | None, batch_size: int) -> slice:
    if part is None:
        return slice(0, batch_size)
    if not isinstance(part, tuple) or len(part) != 2:
        raise ValueError(
            f"`part` must be None or a pair (index, count). Received: {checks.short(part)}"
        )
    count = checks.positive_int("count of part", part[1])
    index = checks.int_at_least("index of part", part[0], 0)
    if index >= count or batch_size % count:
        raise ValueError(
            f"`part` must be (index, count) with index < count, and count must divide `batch_size` "
            f"= {batch_size}. Received: {part}"
        )
    size = batch_size // count
    return slice(index * size, (index + 1) * size)
