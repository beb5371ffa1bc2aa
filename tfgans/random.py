"""Random draws that are a pure function of a key, so that runs repeat and resume exactly.

A key is an int64 tensor of shape [2]. Nothing here holds state, so nothing needs to be saved: the
same key gives the same numbers before and after a restart, eagerly and in a `tf.function`. XLA
gives them too, up to the rounding of a logarithm: there TensorFlow's float draws differ (measured
with 2.21, Philox as well) but its integer bits do not, so this module makes floats from the bits.

A key can be used both for draws and to derive child keys: `fold` reads blocks of Philox that no
draw reaches. `Role` and `ReservedStep` list every branch below the keys of the package, so that no
two draws share a key.

Axis 0 is the example axis. A replica under `tf.distribute`, and a micro-batch (`micro_batch`),
draws the rows of its examples in the global batch: no two share noise, and the numbers that an
example sees do not depend on the number of replicas or micro-batches.
"""

import contextlib
import contextvars
import enum
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

ALGORITHM = "philox"
_PHILOX = 1  # Its number among `tf.random.Algorithm`.
# Words of 32 bits that Philox makes of each value of its counter.
_BLOCK = 4
# Where `fold` reads the counter of Philox: no draw is long enough to come here.
_FOLD_BLOCK = 2**63
# Children of a sample's key start above the roles that lie below the same key.
_FIRST_CHILD = 1000
# The index of the current micro-batch of this replica's examples, and their number.
_micro_batch: contextvars.ContextVar[tuple[int | tf.Tensor, int]] = contextvars.ContextVar(
    "micro_batch", default=(0, 1)
)

# The number of copies of the rows, all of which see the same draws.
_copies: contextvars.ContextVar[int] = contextvars.ContextVar("copies", default=1)

# Where the rows of this replica begin in the global batch, if replicas have shares of other sizes.
_first_row: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar(
    "first_row", default=None
)

Integer: TypeAlias = int | np.integer | tf.Tensor
T = TypeVar("T")


@enum.unique
class Role(enum.IntEnum):
    """The purpose of a draw: the branch of its key below the key of an update or a sample."""

    # Below the key of an update of a player, (seed, step, update).
    LATENTS = 0
    PENALTY = 1
    GENERATOR_ROUTING = 2
    DISCRIMINATOR_ROUTING = 3
    ROW_ASSIGNMENT = 4
    NOISE_ON_REAL = 5
    NOISE_ON_FAKE = 6
    COMPONENTS = 7
    REFINEMENT = 8
    INNER_UPDATES = 9
    PENALTY_OF_COMPONENT = 10
    AUGMENTATION_OF_REAL = 16
    AUGMENTATION_OF_FAKE = 17
    AUGMENTATION_OF_PENALTY = 18
    CLASS_ASSIGNMENT = 27
    # Below the key of a penalty.
    PENALTY_TERM = 11
    PENALTY_FRACTION = 12
    PENALTY_POINTS = 13
    LATENT_NOISE = 19
    REGULARIZER = 24
    # Below the key of a regularizer.
    CONSISTENCY_OF_REAL = 25
    CONSISTENCY_OF_FAKE = 26
    # Below the key of an augmentation.
    AUGMENTATION_NORMALS = 14
    AUGMENTATION_NOISE = 15
    # Below the key of the augmentation of a penalty.
    NOISE_ON_PENALIZED = 23
    # Below the key of a sample, (seed, index). Its latent is drawn from the key itself.
    SAMPLE_COMPONENT = 20
    SAMPLE_CLASS = 21
    SAMPLE_REFINEMENT = 22
    # Below the key of a seed alone.
    LATENT_HASH = 30
    # Below the key of the data, (seed, `ReservedStep.DATA`).
    DATA_ORDER = 40
    DATA_BATCH = 41
    DATA_SAMPLE = 42
    DATA_COLOR = 43
    DATA_BASIS = 44
    DATA_FLIP = 45
    DATA_SPLIT = 46


@enum.unique
class ReservedStep(enum.IntEnum):
    """Numbers that no training step has, for draws outside of training."""

    EVALUATION = -1
    DOCTOR = -2
    # Real examples must not be correlated with the latents of a model of the same seed.
    DATA = -3
    HELD_OUT = -4
    GRADIENT_NORMS = -5
    SHOWN_EXAMPLES = -6
    PERTURBATION = -7


def key(seed: int, *path: Integer) -> tf.Tensor:
    """Returns the int64[2] key of `seed`, folded along `path`.

    Args:
        seed: Integer in the int64 range.
        *path: Integers or scalar integer tensors (say step, update, role); each different path
            gives an independent key.
    """
    result = tf.constant([seed, 0], dtype=tf.int64)
    for index in path:
        result = fold(result, index)
    return result


def fold(parent: tf.Tensor, index: Integer) -> tf.Tensor:
    """Returns the key of child `index` (an integer or a scalar integer tensor) of a key."""
    first = _philox([], *_philox_state(parent, first_block=_FOLD_BLOCK), dtype=tf.int64)
    return tf.stack([first, tf.cast(index, tf.int64)])


def fold_rows(parents: tf.Tensor, index: Integer) -> tf.Tensor:
    """Returns int64 [num_rows, 2]: child `index` of each of the keys `parents` [num_rows, 2]."""
    return tf.map_fn(lambda parent: fold(parent, index), tf.convert_to_tensor(parents, tf.int64))


def keys_of_rows(rows: tf.Tensor, parent: tf.Tensor) -> tf.Tensor:
    """Returns int64 [num_rows, 2]: a key for each row, made from the bits of its values alone.

    A latent from any origin thus decides a draw: equal rows get equal keys, and rows that differ in
    a bit get independent ones (a multilinear hash with random coefficients, then Philox where the
    key is used).

    Args:
        rows: Floats [num_rows, ...], of a static shape but for axis 0; read as float32.
        parent: The int64[2] key of the hash.
    """
    size = math.prod(rows.shape[1:])
    values = tf.reshape(tf.cast(rows, tf.float32), [-1, size, 1])
    coefficients = _philox([size, 2], *_philox_state(parent), dtype=tf.int64)
    # Integers wrap around, so the order of the sum does not matter.
    return tf.reduce_sum(tf.cast(tf.bitcast(values, tf.int32), tf.int64) * coefficients, axis=1)


class Stream:
    """The randomness of an update: a key for each role, draws by role, and the update's number.

    Args:
        key: The int64[2] key of the update, say `tfgans.random.key(seed, step, update)`.
        update: Scalar int tensor, the number of this update among all of the discriminator's, by
            which the `every` of a penalty counts. Default: None, each update has the penalty.
        latent_noise: Float, the standard deviation of noise that is added to the latents that
            `GAN.latents_of_update` draws, for fakes near those of the unchanged latents. Default:
            0, none.

    Attributes:
        latent_noise_was_taken: Bool, whether latents have the noise.
    """

    def __init__(
        self, key: tf.Tensor, *, update: tf.Tensor | None = None, latent_noise: float = 0.0
    ) -> None:
        self.update = update
        self._key, self._latent_noise = key, latent_noise
        self.latent_noise_was_taken = False

    def take_latent_noise(self) -> float:
        """Returns the standard deviation of the noise to add to latents, 0 for none."""
        self.latent_noise_was_taken = True
        return self._latent_noise

    def key(self, role: Integer, *path: Integer) -> tf.Tensor:
        """Returns the int64[2] key of a role, folded along `path`."""
        result = fold(self._key, role)
        for index in path:
            result = fold(result, index)
        return result

    def uniform(self, role: Role, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
        """Returns float32 draws of U[0, 1); `shape[0]` counts the examples of this replica."""
        return uniform(shape, self.key(role))

    def with_latent_noise(self, latent_noise: float) -> "Stream":
        """Returns the stream of the same draws, with noise on the latents."""
        return Stream(self._key, update=self.update, latent_noise=latent_noise)

    def substream(self, role: Integer, *path: Integer, update: tf.Tensor | None = None) -> "Stream":
        """Returns the stream below a role, for updates within the update.

        Args:
            role: Integer or scalar integer tensor.
            *path: More of them.
            update: Scalar int tensor, the number of the inner update. Default: None, that of this
                stream.
        """
        return Stream(self.key(role, *path), update=self.update if update is None else update)


class RowDraws(Protocol):
    """Draws for a number of rows, whose latents `GAN.draw_latents` makes.

    In training the rows are those of a batch; in `GAN.sample` and in exports each row has a
    separate key, so that a row does not depend on the other rows.
    """

    def normal(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of N(0, 1); each call gives new numbers."""

    def uniform(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of U[0, 1); each call gives new numbers."""


class BatchDraws:
    """`RowDraws` with a single key for all rows of a batch.

    Args:
        num_rows: Int or scalar tensor, the rows of this replica or micro-batch.
        key: The int64[2] key.
    """

    def __init__(self, num_rows: Integer, key: tf.Tensor) -> None:
        self._num_rows, self._keys = num_rows, _NextKey(key, fold)

    def normal(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of N(0, 1)."""
        return normal([self._num_rows, *row_shape], self._keys.take())

    def uniform(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of U[0, 1)."""
        return uniform([self._num_rows, *row_shape], self._keys.take())


class SampleDraws:
    """`RowDraws` with a key per row.

    Args:
        keys: int64 [rows, 2].
    """

    def __init__(self, keys: tf.Tensor) -> None:
        self._keys = _NextKey(keys, fold_rows)

    def normal(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of N(0, 1)."""
        return normal_rows(self._keys.take(), row_shape)

    def uniform(self, row_shape: Sequence[int]) -> tf.Tensor:
        """Returns float32 [rows, *row_shape] of U[0, 1)."""
        return uniform_rows(self._keys.take(), row_shape)


class _NextKey:
    """Returns the key itself at the first call, then a new child of it at each call."""

    def __init__(self, key: tf.Tensor, fold_key: Callable[[tf.Tensor, int], tf.Tensor]) -> None:
        self._key, self._fold, self._count = key, fold_key, 0

    def take(self) -> tf.Tensor:
        index, self._count = self._count, self._count + 1
        return self._key if index == 0 else self._fold(self._key, _FIRST_CHILD + index)


def micro_batch(index: Integer, count: int) -> AbstractContextManager[None]:
    """Makes `normal` and `uniform` draw for micro-batch `index` of this replica's examples.

    Args:
        index: Scalar integer or integer tensor, from 0.
        count: Int, the micro-batches of equal size that the examples are cut into.
    """
    return _within(_micro_batch, (index, count))


def rows_from(first_row: tf.Tensor) -> AbstractContextManager[None]:
    """Makes `normal` and `uniform` draw for a replica whose rows begin at `first_row`.

    Without it, all replicas must have the same number of rows.

    Args:
        first_row: Scalar integer tensor, counted in the global batch.
    """
    return _within(_first_row, first_row)


def repeated(count: int) -> AbstractContextManager[None]:
    """Makes `normal` and `uniform` draw the same for each of `count` copies of the rows.

    Args:
        count: Int, by which the number of rows is divisible: the copies come one after the other.
    """
    return _within(_copies, count)


@contextlib.contextmanager
def _within(variable: contextvars.ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def normal(shape: Sequence[int | tf.Tensor], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of N(0, 1); `shape[0]` rows of this replica or micro-batch."""
    return _box_muller(_rows_of_this_replica([*shape, 2], key))


def uniform(shape: Sequence[int | tf.Tensor], key: tf.Tensor) -> tf.Tensor:
    """Returns float32 draws of U[0, 1); `shape[0]` rows of this replica or micro-batch."""
    return _unit_interval(_rows_of_this_replica(shape, key))


def normal_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    """Returns float32 [num_rows, *row_shape] draws of N(0, 1), row i from `keys[i]` alone.

    Unlike `normal`, rows are not shared out among replicas.

    Args:
        keys: int64 [num_rows, 2]. Row i does not depend on the other rows or on their number.
        row_shape: The static shape of a row.
    """
    return _box_muller(_bits_of_rows(keys, [*row_shape, 2]))


def uniform_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    """Returns float32 [num_rows, *row_shape] draws of U[0, 1); see `normal_rows`."""
    return _unit_interval(_bits_of_rows(keys, row_shape))


def _bits_of_rows(keys: tf.Tensor, row_shape: Sequence[int]) -> tf.Tensor:
    return tf.map_fn(
        lambda row_key: _bits(row_shape, row_key),
        tf.convert_to_tensor(keys, tf.int64),
        fn_output_signature=tf.TensorSpec(row_shape, tf.uint32),
    )


def _bits(shape: Sequence[int | tf.Tensor], key: tf.Tensor) -> tf.Tensor:
    return _philox(shape, *_philox_state(key))


def _rows_of_this_replica(shape: Sequence[int | tf.Tensor], key: tf.Tensor) -> tf.Tensor:
    """Returns the rows of `_bits` of the global batch for this replica and micro-batch."""
    copies = _copies.get()
    if copies > 1:
        with repeated(1):
            bits = _rows_of_this_replica([shape[0] // copies, *shape[1:]], key)
        return tf.tile(bits, [copies, *[1] * (len(shape) - 1)])
    index, count = _micro_batch.get()
    replica = 0
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        context = tf.distribute.get_replica_context()
        if context is None:
            raise RuntimeError(
                "Random draws must be made inside `strategy.run`, one replica at a time"
            )
        replica = context.replica_id_in_sync_group
    elif count == 1:
        return _bits(shape, key)
    size = tf.reduce_prod(tf.cast(tf.stack(shape), tf.int64))
    first = tf.cast(replica * count + index, tf.int64) * size
    first_row = _first_row.get()  # AutoGraph cannot read a walrus.
    if first_row is not None:
        row_size = tf.reduce_prod(tf.cast(tf.stack([1, *shape[1:]]), tf.int64))
        first = tf.cast(first_row, tf.int64) * row_size
    # Moves the counter to the block in which the first row begins and skips the rows before.
    philox_key, counter = _philox_state(key)
    counter += tf.stack([tf.cast(first // _BLOCK, tf.uint64), tf.constant(0, tf.uint64)])
    bits = _philox([size + _BLOCK], philox_key, counter)
    return tf.reshape(tf.slice(bits, [first % _BLOCK], [size]), shape)


def _philox_state(key: tf.Tensor, *, first_block: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns Philox's uint64 key [1] and its counter [2] for an int64[2] key.

    The first number is Philox's key, the second the high half of its counter, whose low half counts
    blocks: keys that differ give blocks that do not meet.
    """
    words = tf.bitcast(tf.convert_to_tensor(key, tf.int64), tf.uint64)
    philox_key, high = tf.split(words, 2)
    return philox_key, tf.concat([tf.constant([first_block], tf.uint64), high], axis=0)


def _philox(
    shape: Sequence[int | tf.Tensor],
    key: tf.Tensor,
    counter: tf.Tensor,
    *,
    dtype: tf.DType = tf.uint32,
) -> tf.Tensor:
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype
    )


def _unit_interval(bits: tf.Tensor) -> tf.Tensor:
    # The 24 high bits, which float32 holds exactly: never rounded up to 1.
    high = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(high, tf.float32) * 2.0**-24


def _box_muller(bits: tf.Tensor) -> tf.Tensor:
    pairs = _unit_interval(bits)
    # 1 - u lies in (0, 1]: the logarithm is finite.
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - pairs[..., 0]))
    return radius * tf.cos(2.0 * math.pi * pairs[..., 1])
