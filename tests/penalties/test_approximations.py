"""`every` and `fraction`: a cheaper penalty whose mean is that of the whole."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties, random

KEY = random.key(3)
R1, LINE = penalties.R1Penalty, penalties.GradientPenalty
REPEATS = 2000


def half_square(x, training):
    """|x|^2 / 2, whose gradient norm is |x|."""
    return tf.reduce_sum(x**2, axis=1, keepdims=True) / 2


def pairs(num, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(tf.constant(rng.normal(size=(num, 3)), tf.float32) for _ in range(2))


class Spy:
    """A critic that records the number of rows of each call, and `training`."""

    def __init__(self):
        self.asked = []

    def __call__(self, x, training):
        self.asked.append((len(x), training))
        return half_square(x, training)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_every_nth_update_counts_n_times(every):
    real, fake = pairs(4)
    full = LINE()(half_square, real, fake, key=KEY)
    lazy = LINE(every=every)
    first = (2**32 // every + 1) * every  # Its last 32 bits are no multiple of 3 or of 5.
    values = [
        lazy(half_square, real, fake, key=KEY, update=tf.constant(first + i, tf.int64))
        for i in range(2 * every)
    ]
    for i, value in enumerate(values):
        expected = every * full if i % every == 0 else tf.zeros([4])
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(np.mean(values[:every], axis=0), full, rtol=1e-6)
    np.testing.assert_allclose(np.mean(values[1 : every + 1], axis=0), full, rtol=1e-6)


def test_each_term_of_a_sum_counts_by_itself():
    real, fake = pairs(4)
    lazy = penalties.PenaltySum([R1(every=2), LINE(every=3)])
    full = penalties.PenaltySum([R1(), LINE()])(half_square, real, fake, key=KEY)
    integers = [0, np.int64(1), tf.constant(2), tf.constant(3, tf.int64), 4, 5]
    values = [lazy(half_square, real, fake, key=KEY, update=update) for update in integers]
    np.testing.assert_allclose(np.mean(values, axis=0), full, rtol=1e-6)
    np.testing.assert_array_equal(values[1], np.zeros(4))
    np.testing.assert_array_equal(values[2], values[4])


def test_updates_that_do_not_count_cost_nothing():
    """The critic is not asked at all: in a graph its side effect does not happen."""
    asked = tf.Variable(0)

    def critic(x, training):
        asked.assign_add(1)
        return half_square(x, training)

    @tf.function(autograph=False)
    def step(update):
        return LINE(every=3)(critic, *pairs(4), key=KEY, update=update)

    for update in range(7):
        step(tf.constant(update))
    assert int(asked) == 3


@pytest.mark.parametrize("options", [{"training": False, "update": 1}, {"update": None}])
def test_every_is_of_training_updates(options):
    real, fake = pairs(4)
    values = LINE(every=3)(half_square, real, fake, key=KEY, **options)
    np.testing.assert_array_equal(values, LINE()(half_square, real, fake, key=KEY))


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.9])
def test_a_fraction_of_the_rows_counts_as_much_as_all(fraction):
    for num in (1, 5, 8):
        count = math.ceil(fraction * num)
        full = LINE()(half_square, *pairs(num), key=KEY).numpy()
        critic = Spy()
        values = LINE(fraction=fraction)(critic, *pairs(num), key=KEY).numpy()
        assert np.count_nonzero(values) == count
        assert critic.asked == [(count, True)]
        expected = np.where(values != 0, full * num / count, 0.0)
        np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_the_rows_are_spread_evenly():
    """So that every slice of a batch has its share."""
    for seed, count in itertools.product(range(5), (2, 3, 5, 6)):
        values = R1(fraction=count / 8)(half_square, *pairs(8), key=random.key(seed))
        rows = np.flatnonzero(values)
        gaps = np.diff([*rows, rows[0] + 8])
        assert set(gaps) <= {8 // count, -(-8 // count)}


def test_all_rows_come_equally_often():
    """What a row that comes counts is tested above: so the expectation is that of the whole."""
    penalty, count, num = LINE(fraction=0.4), 3, 7
    real, fake = pairs(num)
    keys = tf.stack([tf.range(REPEATS, dtype=tf.int64)] * 2, axis=1)

    @tf.function(autograph=False)
    def prices():
        return tf.map_fn(
            lambda key: penalty(half_square, real, fake, key=key),
            keys,
            fn_output_signature=tf.float32,
        )

    values = prices()
    share = count / num
    # Binomial: 5 standard errors, one wrong alarm in 2 million.
    bound = 5 * np.sqrt(share * (1 - share) / REPEATS)
    assert (np.abs((values.numpy() != 0).mean(axis=0) - share) < bound).all()


@pytest.mark.parametrize("fraction", [0.07, 0.3])
def test_a_batch_of_unknown_size(fraction):
    """The same rows as with a known size, whatever float32 makes of fraction * rows."""
    penalty = LINE(fraction=fraction)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, 3])] * 2)
    def values(real, fake):
        return penalty(half_square, real, fake, key=KEY)

    for num in (1, 5, 100, 300):
        prices = values(*pairs(num)).numpy()
        expected = penalty(half_square, *pairs(num), key=KEY).numpy()
        np.testing.assert_allclose(prices, expected, rtol=1e-5)
        assert np.count_nonzero(prices) == math.ceil(fraction * num)


def test_a_fraction_is_of_training():
    critic, (real, fake) = Spy(), pairs(6)
    values = LINE(fraction=0.5)(critic, real, fake, key=KEY, training=False)
    np.testing.assert_array_equal(values, LINE()(half_square, real, fake, key=KEY))
    both = penalties.PenaltySum([R1(fraction=0.5), LINE(fraction=0.5)])
    both(critic, real, fake, training=False)
    assert critic.asked == [(6, False)] * 3
