"""Draws depend on their key alone: not on eager or compiled, on the rest, or on the replicas."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfgans import random


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_same_key_same_numbers_eager_graph_and_xla(draw):
    key = random.key(7, 1, 2)
    eager = draw([33, 5], key)
    graph = tf.function(lambda: draw([33, 5], key))()
    xla = tf.function(lambda: draw([33, 5], key), jit_compile=True)()
    np.testing.assert_array_equal(eager, draw([33, 5], key))
    # The bits are the same; the logarithm and the cosine may round differently.
    np.testing.assert_allclose(eager, graph, atol=1e-6)
    np.testing.assert_allclose(eager, xla, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_keys_and_bits_are_those_of_tensorflow(jit):
    fold, bits = (
        tf.function(one, jit_compile=jit, autograph=False)
        for one in (random.fold, lambda key: random._bits([5, 3], key))
    )
    for numbers in np.random.default_rng(0).integers(-(2**63), 2**63 - 1, size=[20, 3]):
        parent, index = tf.constant(numbers[:2]), tf.constant(numbers[2])
        expected = tf.random.fold_in(parent, index, alg="philox")
        np.testing.assert_array_equal(fold(parent, index), expected)
        expected = tf.random.stateless_uniform(
            [5, 3], seed=parent, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
        )
        np.testing.assert_array_equal(bits(parent), expected)


def test_each_path_and_seed_has_its_own_numbers():
    keys = [random.key(*path) for path in [(0,), (1,), (0, 0), (0, 1), (0, 1, 0), (0, 0, 1)]]
    draws = {tuple(random.uniform([4], key).numpy()) for key in keys}
    assert len(draws) == len(keys)


def test_path_may_be_tensors():
    step = tf.Variable(3, dtype=tf.int64)
    np.testing.assert_array_equal(random.key(5, step, 1), random.key(5, 3, 1))


def test_normal_is_normal():
    draws = random.normal([200_000], random.key(0)).numpy()
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    assert np.isfinite(draws).all()


def test_uniform_is_uniform_and_below_one():
    draws = random.uniform([200_000], random.key(0)).numpy()
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    assert draws.min() >= 0
    assert draws.max() < 1


def test_largest_bits_stay_below_one_and_finite():
    bits = tf.constant([[2**32 - 1, 2**32 - 1], [0, 0]], tf.uint32)
    assert float(tf.reduce_max(random._unit_interval(bits))) < 1
    assert np.isfinite(random._box_muller(bits)).all()


def test_row_depends_on_its_own_key_alone():
    keys = tf.constant([[3, 0], [3, 1], [9, 0]], tf.int64)
    rows = random.normal_rows(keys, [6])
    alone = random.normal_rows(keys[1:2], [6])
    np.testing.assert_allclose(rows[1], alone[0], atol=1e-6)
    assert not np.allclose(rows[0], rows[1])
    assert random.normal_rows(keys[:0], [6]).shape == (0, 6)
    uniform = random.uniform_rows(keys, [6])
    np.testing.assert_array_equal(uniform[1], random.uniform([6], keys[1]))


def test_replicas_share_out_the_draws_of_one_device():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    key = random.key(4)
    parts = strategy.run(tf.function(lambda: random.normal([3, 2], key)))
    both = tf.concat(strategy.experimental_local_results(parts), axis=0)
    np.testing.assert_allclose(both, random.normal([6, 2], key), atol=1e-6)


def test_draws_outside_a_replica_are_refused():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope(), pytest.raises(RuntimeError, match=r"inside `strategy.run`"):
        random.normal([3, 2], random.key(4))


@pytest.mark.parametrize("shape", [[6], [6, 1], [6, 3], [6, 5, 5, 3]], ids=str)
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_share_out_the_draws_of_the_whole(shape, parts):
    """Also where a part begins within a block of Philox, and with sizes known only when it runs."""
    key, rows = random.key(5), shape[0] // parts

    @tf.function
    def draw(index, num):
        with random.part(index, parts):
            own = [num, *shape[1:]]
            return random.uniform(own, key), random.normal(own, key)

    drawn = [draw(tf.constant(index), tf.constant(rows)) for index in range(parts)]
    uniforms, normals = (tf.concat(one, axis=0) for one in zip(*drawn, strict=True))
    np.testing.assert_array_equal(uniforms, random.uniform(shape, key))
    np.testing.assert_allclose(normals, random.normal(shape, key), atol=1e-6)
    np.testing.assert_array_equal(random.uniform(shape, key), random.uniform(shape, key))


def test_parts_of_replicas_under_xla():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    key = random.key(6)

    @tf.function(jit_compile=True)
    def draw(index):
        with random.part(index, 2):
            return random.uniform([2, 3], key)

    parts = [
        strategy.experimental_local_results(strategy.run(draw, args=(tf.constant(index),)))
        for index in range(2)
    ]
    # Replica by replica, and of each its parts in order.
    shared = [parts[index][replica] for replica in range(2) for index in range(2)]
    np.testing.assert_array_equal(tf.concat(shared, axis=0), random.uniform([8, 3], key))


def some_keys(num):
    return np.stack([np.full(num, 7), np.arange(num)], axis=1)


SHARES = [0.0, 0.34, 0.13, 0.0, 0.48, 0.05, 0.0]


class TestClassRows:
    def test_come_as_often_as_they_should(self):
        num = 20_000
        draw = tf.function(lambda keys: random.class_rows(keys, 7, SHARES))
        counts = np.bincount(draw(some_keys(num)), minlength=7)
        expected = np.array(SHARES) * num
        assert (counts[[0, 3, 6]] == 0).all()
        likely = expected > 0
        assert stats.chisquare(counts[likely], expected[likely]).pvalue > 1e-3

    def test_are_int32_and_depend_on_their_own_key_alone(self):
        rows = random.class_rows(some_keys(50), 7, SHARES)
        assert rows.dtype == tf.int32
        np.testing.assert_array_equal(random.class_rows(some_keys(50)[20:], 7, SHARES), rows[20:])

    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize(
        ("shares", "lowest", "highest"),
        [
            (SHARES, 1, 5),
            ([0.5, 0.5], 0, 1),
            ([1.0], 0, 0),
            ([0.0, 1.0, 0.0], 1, 1),
            # In float32 the edge before the last class rounds to 1, and in float64 the last edge of
            # ten tenths is below it.
            ([0.5, 0.5 - 1e-9, 1e-9], 0, 2),
            ([1e-9, 1 - 1e-9], 0, 1),
            ([0.1] * 10 + [0.0], 0, 9),
            (np.append(np.full(999, 1 / 999), 0.0), 0, 998),
        ],
    )
    def test_the_first_and_the_last_draw(self, monkeypatch, shares, lowest, highest, jit):
        ends = tf.constant([0.0, 1 - 2**-24])
        monkeypatch.setattr(random, "uniform_rows", lambda *_: ends)
        drawn = tf.function(
            lambda: random.class_rows(some_keys(2), len(shares), shares), jit_compile=jit
        )()
        assert drawn.numpy().tolist() == [lowest, highest]

    def test_without_probabilities_as_ever(self):
        uniforms = random.uniform_rows(random.fold_rows(some_keys(100), 2), []).numpy()
        np.testing.assert_array_equal(
            random.class_rows(some_keys(100), 6), (uniforms * 6).astype(int)
        )

    @pytest.mark.parametrize(
        "shares", [[1.0], [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0], [[0.5, 0.5]], [0.0, 0.0]]
    )
    def test_bad_probabilities(self, shares):
        with pytest.raises(ValueError, match="`probabilities` must be 2 numbers of at least 0"):
            random.class_rows(some_keys(2), 2, shares)
