"""Order, ranges, shapes and refusals of resident arrays."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfgans import data


def numbered(n, **options):
    """A source whose example i is the number i."""
    return data.from_array(np.arange(n, dtype=np.float32)[:, np.newaxis], **options)


def take(source, batch_size, num_batches, **options):
    dataset = source.batches(batch_size, **options).take(num_batches)
    return np.stack(list(dataset.as_numpy_iterator()))


@pytest.mark.parametrize(
    ("n", "batch_size"), [(10, 4), (7, 7), (12, 3), (5, 1), (1, 1), (1000, 64)]
)
def test_every_epoch_is_a_permutation(n, batch_size):
    num_epochs = 4
    order = take(numbered(n), batch_size, -(-n * num_epochs // batch_size)).ravel()
    for epoch in order[: n * num_epochs].reshape(num_epochs, n):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))


@pytest.mark.parametrize("start_step", [1, 2, 1000])
def test_batch_t_does_not_depend_on_the_first_step(start_step):
    source = numbered(10, seed=3)  # 10 examples by 4: epochs end inside of batches.
    skipped = source.batches(4).skip(start_step).take(5)
    np.testing.assert_array_equal(
        take(source, 4, 5, start_step=start_step), np.stack(list(skipped.as_numpy_iterator()))
    )


def test_the_order_does_not_depend_on_the_batch_size():
    np.testing.assert_array_equal(
        take(numbered(30), 10, 6).ravel(), take(numbered(30), 4, 15).ravel()
    )


def test_two_iterations_and_two_sources_agree():
    source = numbered(50, seed=9)
    np.testing.assert_array_equal(take(source, 20, 6), take(source, 20, 6))
    np.testing.assert_array_equal(take(source, 20, 6), take(numbered(50, seed=9), 20, 6))


def test_two_replicas_share_out_each_batch():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        dataset = numbered(10).batches(4)
    expected = iter(take(numbered(10), 4, 5))
    shared = iter(strategy.experimental_distribute_dataset(dataset))
    for batch in expected:
        np.testing.assert_array_equal(
            np.concatenate(strategy.experimental_local_results(next(shared))), batch
        )


def test_seeds_give_different_orders():
    seeds = [0, 1, -1, 2**32, 2**63 - 1]
    orders = {take(numbered(100, seed=seed), 100, 1).tobytes() for seed in seeds}
    assert len(orders) == len(seeds)


def test_epochs_give_different_orders():
    epochs = take(numbered(100), 100, 5)
    for first, second in itertools.combinations(epochs, 2):
        # Two independent permutations agree at one place on average.
        assert np.count_nonzero(first == second) < 8


def test_each_example_is_equally_likely_to_open_an_epoch():
    n, num_epochs = 16, 800
    counts = np.bincount(take(numbered(n), n, num_epochs)[:, 0, 0].astype(int), minlength=n)
    expected = num_epochs / n
    # Chi-square with 15 degrees of freedom: above 45 once in 10 000. Seeds that differ by 1 from
    # epoch to epoch, without mixing, give over 100.
    assert np.square(counts - expected).sum() / expected < 45


@pytest.mark.parametrize("shape", [(2,), (4, 4, 3), (5, 2)])
def test_batches_are_endless_and_of_static_shape(shape):
    dataset = data.from_array(np.zeros((6, *shape), np.float32)).batches(4)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == tf.TensorSpec((4, *shape), tf.float32)


def test_bytes_are_mapped_onto_minus_one_to_one():
    values = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    source = data.from_array(values)
    assert source.array.dtype == np.uint8
    batch = np.sort(take(source, 256, 1).ravel())
    np.testing.assert_allclose(batch, np.linspace(-1, 1, 256), atol=1e-7)
    assert (batch[0], batch[-1]) == (-1, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_as_they_are(dtype):
    values = np.array([[-3.5, 0.25], [2, 100]], dtype=dtype)
    rows = data.from_array(values).rows(tf.constant([1, 0]))
    np.testing.assert_array_equal(rows, values[::-1].astype(np.float32))


def test_tensors_are_arrays_too():
    assert data.from_array(tf.zeros([3, 2])).data_shape == (2,)


def test_a_source_does_not_see_later_writes():
    buffer = np.zeros(4 * 64 + 64, np.uint8)
    start = -buffer.ctypes.data % 64  # TensorFlow may share memory that is aligned.
    values = buffer[start : start + 256].reshape(4, 8, 8, 1)
    source = data.from_array(values)
    values[:] = 255
    assert take(source, 4, 1).max() == -1


def test_the_array_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        numbered(3).array[0] = 1


def test_labels_match_the_array():
    source = data.from_array(np.zeros((3, 2)), labels=np.array([2, 0, 1], np.uint8))
    np.testing.assert_array_equal(source.labels, [2, 0, 1])
    assert source.labels.dtype == np.int64
    assert source.num_examples == 3


def test_image_shape_is_for_images():
    assert data.from_array(np.zeros((2, 4, 6, 3), np.uint8)).image_shape == (4, 6, 3)
    vectors = numbered(3)
    assert not hasattr(vectors, "image_shape")
    with pytest.raises(AttributeError, match=r"'array' has examples of shape \(1,\): use `data_sh"):
        _ = vectors.image_shape


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros((0, 2)), {}, r"none of them empty. Received shape: \(0, 2\)"),
        (np.zeros((2, 0)), {}, r"Received shape: \(2, 0\)"),
        (np.zeros(3), {}, r"Received shape: \(3,\). Reshape scalars to \[n, 1\]"),
        (np.zeros((3, 2), np.int64), {}, r"must be uint8 .* Received: int64. Convert it"),
        (np.zeros((3, 2), bool), {}, "Received: bool"),
        (np.zeros((3, 2), complex), {}, "Received: complex128"),
        ([["a"]], {}, "Received: <U1"),
        (np.array([[1.0, np.nan], [np.inf, 0]]), {}, "2 NaN or infinite values of 4"),
        (np.array([[1e300]]), {}, "1 NaN or infinite values of 1"),
        (np.full((1, 2, 2, 1), 255.0), {}, r"in \[255, 255\]. Pass uint8, or rescale"),
        (np.zeros((3, 2)), {"labels": [0, 1]}, r"shape \(3,\), one an example.*shape \(2,\)"),
        (np.zeros((3, 2)), {"labels": [[0], [1], [2]]}, r"shape \(3, 1\)"),
        (np.zeros((3, 2)), {"labels": [0.0, 1.0, 2.0]}, "Received: float64"),
        (np.zeros((3, 2)), {"seed": 0.5}, "`seed` must be an integer"),
        (np.zeros((3, 2)), {"seed": 2**63}, "`seed` must fit in 64 bits"),
    ],
)
def test_bad_arrays(array, options, message):
    with pytest.raises(ValueError, match=message):
        data.from_array(array, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1. Received: 0"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer"),
        ({"batch_size": True}, "`batch_size` must be an integer"),
        ({"batch_size": 11}, "at most the number of examples of 'array', 10. Received: 11. Use a"),
        ({"batch_size": 2, "part": 1}, r"`part` must be None or a pair \(index, count\)"),
        ({"batch_size": 4, "part": (2, 2)}, r"with index < count, .*Received: \(2, 2\)"),
        ({"batch_size": 4, "part": (0, 3)}, r"must divide `batch_size` = 4. Received: \(0, 3\)"),
        ({"batch_size": 2, "start_step": -1}, "`start_step` must be an integer of at least 0"),
    ],
)
def test_bad_batches(options, message):
    with pytest.raises(ValueError, match=message):
        numbered(10).batches(**options)
