"""Order, ranges, shapes, shares and refusals of arrays in memory."""

import itertools

import numpy as np
import pandas
import psutil
import pytest
import tensorflow as tf
import tiny

from tfgans import data
from tfgans.data import adapters, indexed


def numbered(n, **options):
    """A source whose example i is the number i."""
    return data.from_array(np.arange(n, dtype=np.float32)[:, np.newaxis], **options)


def take(source, batch_size, num_batches, **options):
    dataset = source.batches(batch_size, **options).take(num_batches)
    return np.stack(list(dataset.as_numpy_iterator()))


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.float64])
def test_vectors_of_other_types_become_float32(dtype):
    values = np.array([[-300, 2], [3, 4]], dtype)
    for array in (values, pandas.DataFrame(values), np.ma.array(values)):
        source = data.from_array(array)
        assert source.array.dtype == np.float32
        np.testing.assert_array_equal(source.array, values)


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (7, 7), (1, 1), (1000, 64)])
def test_every_epoch_is_a_permutation(n, batch_size):
    order = take(numbered(n), batch_size, -(-n * 4 // batch_size)).ravel()
    for epoch in order[: n * 4].reshape(4, n):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))


def test_batch_t_depends_on_neither_the_first_step_nor_the_batch_size():
    expected = take(numbered(10, seed=3), 4, 10)  # 10 examples by 4: epochs end inside of batches.
    np.testing.assert_array_equal(take(numbered(10, seed=3), 4, 3, start_step=7), expected[7:])
    np.testing.assert_array_equal(take(numbered(10, seed=3), 10, 4).ravel(), expected.ravel())


def test_training_does_not_copy_the_examples():
    source = data.from_array(np.full([100_000, 1024], 2, np.uint8))
    strategy = tiny.replicas(2)
    resident = psutil.Process().memory_info().rss
    steps, _ = adapters.training_data(
        source, batch_size=8, data_shape=(1024,), steps_per_epoch=9, strategy=strategy
    )
    next(iter(strategy.experimental_distribute_dataset(steps)))
    assert psutil.Process().memory_info().rss - resident < 50e6


def test_seeds_and_epochs_give_different_orders():
    seeds = [0, 1, -1, 2**32, 2**63 - 1]
    first = tf.constant(0, tf.int64)
    orders = {numbered(100, seed=seed).batch(first, 100).numpy().tobytes() for seed in seeds}
    assert len(orders) == len(seeds)
    for one, other in itertools.combinations(take(numbered(100), 100, 5), 2):
        # Two independent permutations agree at one place on average.
        assert np.count_nonzero(one == other) < 8


def test_each_example_is_equally_likely_to_open_an_epoch():
    n, num_epochs = 16, 800
    counts = np.bincount(take(numbered(n), n, num_epochs)[:, 0, 0].astype(int), minlength=n)
    expected = num_epochs / n
    # Chi-square with 15 degrees of freedom: above 45 once in 10 000. Seeds that differ by 1 from
    # epoch to epoch, without mixing, give over 100.
    assert np.square(counts - expected).sum() / expected < 45


def test_bytes_are_mapped_onto_minus_one_to_one_and_floats_stay():
    values = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    source = data.from_array(values)
    assert source.array.dtype == np.uint8
    assert source.image_shape == (1, 1, 1)
    dataset = source.batches(256)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == tf.TensorSpec((256, 1, 1, 1), tf.float32)
    batch = np.sort(next(iter(dataset)).numpy().ravel())
    np.testing.assert_allclose(batch, np.linspace(-1, 1, 256), atol=1e-7)
    assert (batch[0], batch[-1]) == (-1, 1)
    for dtype in (np.float16, np.float64):
        floats = np.array([[-3.5, 0.25], [2, 100]], dtype=dtype)
        rows = data.from_array(tf.constant(floats)).rows(tf.constant([1, 0]))
        np.testing.assert_array_equal(rows, floats[::-1].astype(np.float32))


def test_the_array_is_a_copy_and_read_only():
    buffer = np.zeros(4 * 64 + 64, np.uint8)
    start = -buffer.ctypes.data % 64  # TensorFlow may share memory that is aligned.
    values = buffer[start : start + 256].reshape(4, 8, 8, 1)
    source = data.from_array(values)
    values[:] = 255
    assert source.rows(tf.range(4)).numpy().max() == -1
    with pytest.raises(ValueError, match="read-only"):
        source.array[0] = 1
    assert not hasattr(numbered(3), "image_shape")
    with pytest.raises(AttributeError, match=r"'array' has examples of shape \(1,\): use `data_sh"):
        _ = numbered(3).image_shape


def test_labels_and_their_shares():
    labels = np.array([0, 0, 0, 1, 3, 3, 3, 3], np.uint8)
    source = numbered(8, labels=labels, class_names="abcdef")
    np.testing.assert_array_equal(source.labels, labels)
    assert source.labels.dtype == np.int64
    # Two classes of which there are the names alone.
    np.testing.assert_array_equal(source.class_shares, [3 / 8, 1 / 8, 0, 1 / 2, 0, 0])
    assert source.class_names == tuple("abcdef")
    assert numbered(8, labels=labels).num_classes == 4
    assert numbered(4).class_shares is None
    assert numbered(2, labels=[-1, 0]).class_shares is None


def test_checksum_tells_data_apart(monkeypatch):
    values = np.zeros((5, 2), np.float32)
    checksums = {
        numbered(5).checksum(),
        numbered(6).checksum(),
        numbered(5, labels=[0] * 5).checksum(),
    }
    for limit in (2**28, 1):
        monkeypatch.setattr(indexed, "_MOST_SUMMED", limit)
        checksums.add(data.from_array(values).checksum())
        values[4, 1] += 1
        checksums.add(data.from_array(values).checksum())
        values[4, 1] += 1
    assert len(checksums) == 7
    checksums.add(data.from_array(values.reshape(5, 1, 2)).checksum())
    assert len(checksums) == 8


def test_checksum_of_a_source_of_a_user():
    class Constant(data.Source):
        def __init__(self, value, **options):
            super().__init__(name="constant", data_shape=(2,), **options)
            self.value = value

        def batch(self, step, batch_size):
            return tf.fill([batch_size, 2], self.value)

    checksums = [Constant(value).checksum() for value in (1.0, 1.0001, 2.0)]
    assert checksums[0] == checksums[1] != checksums[2]
    assert checksums[0] != Constant(1.0, num_examples=5).checksum()


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros((0, 2)), {}, r"none of them empty. Received shape: \(0, 2\)"),
        (np.zeros(3), {}, r"Received shape: \(3,\). Reshape scalars to \[n, 1\]"),
        (np.zeros((3, 2, 2, 1), np.int64), {}, "or uint8 from 0 to 255. Received: int64. Convert"),
        (np.zeros((3, 2), bool), {}, "Received: bool"),
        (np.ma.masked_less(np.zeros((3, 2)), 1), {}, r"with 6 masked values of 6.*`x.filled\(0\)`"),
        (np.ones((3, 2), np.uint8), {}, "uint8 with a maximum of 1. Scale"),
        ([["a"]], {}, "Received: list of type <U1"),
        (np.array([[1.0, np.nan], [np.inf, 0]]), {}, "2 NaN or infinite values of 4"),
        (np.array([[1e300]]), {}, "1 NaN or infinite values of 1"),
        (np.full((1, 2, 2, 1), 255.0), {}, r"in \[255, 255\]. Pass uint8 from 0 to"),
        (np.zeros((3, 2)), {"labels": [0, 1]}, r"shape \(3,\), one for each.*shape \(2,\)"),
        (np.zeros((3, 2)), {"labels": [0.0, 1.0, 2.0]}, r"Received: float64 .*astype\('int32'\)"),
        (np.zeros((3, 2)), {"labels": np.ma.masked_less([0, 1, 2], 1)}, "1 masked values of 3"),
        (pandas.DataFrame({"a": [1.0], "b": ["x"]}), {}, r"columns 'b' \((object|str)\)\. Drop or"),
        (np.zeros((3, 2)), {"seed": 2**63}, "`seed` must fit in 64 bits"),
        (np.zeros((3, 2)), {"flip": True}, r"`flip` is for images, .*shape \(2,\)"),
    ],
)
def test_bad_arrays(array, options, message):
    with pytest.raises(ValueError, match=message):
        data.from_array(array, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1. Received: 0"),
        ({"batch_size": True}, "`batch_size` must be an integer"),
        ({"batch_size": 11}, "at most the number of examples of 'array', 10. Received: 11. Use a"),
        ({"batch_size": 4, "part": (2, 2)}, r"with index < count, .*Received: \(2, 2\)"),
        ({"batch_size": 4, "part": (0, 3)}, r"must divide `batch_size` = 4. Received: \(0, 3\)"),
        ({"batch_size": 2, "start_step": -1}, "`start_step` must be an integer of at least 0"),
        ({"batch_size": 2, "labels": True}, "has no classes.*take a source with labels"),
    ],
)
def test_bad_batches(options, message):
    with pytest.raises(ValueError, match=message):
        numbered(10).batches(**options)
