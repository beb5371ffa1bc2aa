"""Sources over a finite number of examples: their order is a pure function of (seed, step)."""

import abc
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import draws, python_calls
from tfgans.data.label_checks import check_integers
from tfgans.data.source import Source
from tfgans.data.tables import to_array
from tfgans.images import from_uint8
from tfgans.random import Role

# The number of rounds in `tf.random.experimental.index_shuffle`.
_SHUFFLE_ROUNDS = 4
# Values that are all read for a checksum.
_MOST_SUMMED = 2**28
_CHECKSUM_CHUNK = 1024
_NUM_SPREAD = 1000


class IndexedSource(Source):
    """A source over examples 0, 1, ..., n - 1, shuffled anew in every epoch.

    Batch `t` holds the examples at positions `t * batch_size, ..., (t + 1) * batch_size - 1` of an
    endless sequence of epochs, each a permutation of all examples. A batch may span the end of one
    epoch and the start of the next, so no example is ever left out. Subclasses write `raw`.

    An example that cannot be read is a `ReadError`, a `ValueError`, from `fit`; code that iterates
    over `batches` finds it in the message of TensorFlow's `InvalidArgumentError`.

    Args:
        name: String. What errors and reports call the source.
        data_shape: Tuple of positive integers, the shape of one example.
        num_examples: Int of at least 1.
        labels: Int array `[num_examples]`, or None (default).
        class_names: Names of the classes 0, 1, ..., or None (default).
        flip: Whether `batches` mirrors images left to right, each with probability 1/2 in each
            epoch: a pure function of the seed, the epoch and the index. `raw` and `rows`, which
            evaluations read, do not. Default: False.
        seed: Int. Decides the order. Default: 0.

    Raises:
        ValueError: If the labels do not fit the examples.
    """

    num_examples: int  # Never None here.
    dtype = np.dtype(np.uint8)  # Of `raw`.
    _parallel = 2  # Batches that are read at a time, each in as many threads as there are cores.

    def __init__(
        self,
        *,
        name: str,
        data_shape: tuple[int, ...],
        num_examples: int,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        flip: bool = False,
        seed: int = 0,
    ) -> None:
        if labels is not None:
            labels = check_integers(to_array(labels, "`labels`"), [(num_examples,)])
        self.flip = checks.boolean("flip", flip)
        if self.flip and len(data_shape) != 3:
            raise ValueError(
                f"`flip` is for images, of rank 3. Received: flip=True with examples of shape "
                f"{tuple(data_shape)} in {name!r}. Leave it out"
            )
        super().__init__(
            name=name,
            data_shape=data_shape,
            num_examples=num_examples,
            labels=labels,
            num_classes=_num_classes(labels, class_names),
            class_names=class_names,
            seed=seed,
        )

    @abc.abstractmethod
    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8 or float32."""

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1]."""
        flat = tf.reshape(indices, [-1])
        if tf.executing_eagerly():
            examples = tf.constant(self.raw(flat.numpy()))
        else:
            examples = python_calls.call(self.raw, flat, self.dtype)
        examples = tf.reshape(examples, tf.concat([tf.shape(indices), self.data_shape], axis=0))
        return normalize(tf.ensure_shape(examples, [*indices.shape, *self.data_shape]))

    def checksum(self) -> str:
        """Returns a SHA-256 of the examples, by which runs and evaluations recognize their data.

        It covers the shape, the number and the labels of all examples, and the values of all
        examples, or of 1000 evenly spread ones if there are more than 2^28 values. It does not
        depend on where the examples are held.

        Raises:
            ReadError: If an example cannot be read.
        """
        result = hashlib.sha256(f"{self.data_shape} {self.num_examples}".encode())
        if self.labels is not None:
            result.update(self.labels.tobytes())
        chosen = np.arange(self.num_examples)
        if self.num_examples * math.prod(self.data_shape) > _MOST_SUMMED:
            chosen = np.asarray(spread(self.num_examples))
        for start in range(0, len(chosen), _CHECKSUM_CHUNK):
            rows = self.raw(chosen[start : start + _CHECKSUM_CHUNK])
            result.update(rows.dtype.str.encode() + np.ascontiguousarray(rows).tobytes())
        return result.hexdigest()

    def batch(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns batch number `step`: float32 `[batch_size, *data_shape]`."""
        return self.part_of_batch(step, batch_size, slice(0, batch_size))

    def part_of_batch(self, step: tf.Tensor, batch_size: int, part: slice) -> tf.Tensor:
        """Returns some rows of batch number `step`, and reads no others."""
        indices = self._indices(step, batch_size)[part]
        examples = self.rows(indices)
        if not self.flip:
            return examples
        positions = (step * batch_size + tf.range(batch_size, dtype=tf.int64))[part]
        # A permutation of 0, ..., 2 n - 1 puts an index into the upper half with probability 1/2.
        is_flipped = (
            self._shuffle(indices, positions // self.num_examples, Role.DATA_FLIP, 2)
            >= self.num_examples
        )
        return tf.where(is_flipped[:, None, None, None], examples[:, :, ::-1], examples)

    def batch_labels(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        """Returns the classes of batch number `step`: int32 `[batch_size]`."""
        return tf.cast(tf.gather(self.labels, self._indices(step, batch_size)), tf.int32)

    def _indices(self, step: tf.Tensor, batch_size: int) -> tf.Tensor:
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        epochs = positions // self.num_examples
        return self._shuffle(positions % self.num_examples, epochs, Role.DATA_ORDER, 1)

    def _shuffle(
        self, indices: tf.Tensor, epochs: tf.Tensor, role: Role, multiple: int
    ) -> tf.Tensor:
        """Returns where the permutation of each epoch puts each index, below `multiple * n`."""
        # A batch is no larger than an epoch, so it meets at most two. Each gets separate random
        # seeds: seeds that differ by 1 give visibly correlated permutations. The op takes three
        # numbers and reads 32 bits of each.
        keys = [draws.key(self.seed, role, epochs[0] + i) for i in range(2)]
        seeds = tf.stack([draws.integers([3], key, 2**32) for key in keys])
        # Not `tf.random.experimental.index_shuffle`: it cannot take a seed for each row (TF 2.21).
        return tf.raw_ops.RandomIndexShuffle(
            index=indices,
            seed=tf.gather(seeds, epochs - epochs[0]),
            max_index=tf.constant(multiple * self.num_examples - 1, tf.int64),
            rounds=_SHUFFLE_ROUNDS,
        )


def spread(count: int, most: int | None = None) -> list[int]:
    """Returns up to `most` (None: 1000) of the numbers below `count`, evenly spread."""
    num = min(_NUM_SPREAD if most is None else most, count)
    return [place * count // num for place in range(num)]


def normalize(examples: tf.Tensor) -> tf.Tensor:
    """Returns float32: uint8 {0, ..., 255} mapped onto [-1, 1], float32 as it is."""
    return from_uint8(examples) if examples.dtype == tf.uint8 else examples


def _num_classes(labels: np.ndarray | None, class_names: Sequence[str] | None) -> int | None:
    """Returns the number of classes, if the labels number them 0, 1, ..."""
    if labels is None or labels.min() < 0:
        return None
    return max(int(labels.max()) + 1, len(class_names or ()))
