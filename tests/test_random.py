"""Draws depend on their key alone: not on eager or compiled, on the rest, or on the replicas."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import stats

from tfgans import random


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_same_key_same_numbers_eager_graph_and_xla(draw):
    key = random.key(7, 1, 2)
    eager = draw([33, 5], key)
    graph = tf.function(lambda: draw([33, 5], key), autograph=False)()
    xla = tf.function(lambda: draw([33, 5], key), autograph=False, jit_compile=True)()
    np.testing.assert_array_equal(eager, draw([33, 5], key))
    # The bits are the same; the logarithm and the cosine may round differently.
    np.testing.assert_allclose(eager, graph, atol=1e-6)
    np.testing.assert_allclose(eager, xla, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_bits_are_those_of_the_philox_of_the_paper(jit):
    """Against NumPy's Philox4x64's 32-bit sibling, written out; and a child from a block apart."""
    draw = tf.function(lambda key: random.uniform([6, 2], key), jit_compile=jit, autograph=False)
    for numbers in np.random.default_rng(0).integers(-(2**63), 2**63 - 1, size=[20, 2]):
        first, second = (int(number) % 2**64 for number in numbers)
        bits = [philox(first, block + (second << 64)) for block in range(3)]
        expected = np.concatenate(bits).reshape(6, 2) >> 8
        np.testing.assert_array_equal(draw(tf.constant(numbers)), expected * 2.0**-24)
        child = random.fold(tf.constant(numbers), 7).numpy()
        words = philox(first, 2**63 + (second << 64))
        assert int(child[0]) % 2**64 == int(words[0]) + (int(words[1]) << 32)
        assert child[1] == 7


def philox(key, counter):
    """Philox4x32-10 of Salmon et al. 2011, section 3.3: four 32-bit words of a counter."""
    x = [(counter >> shift) % 2**32 for shift in (0, 32, 64, 96)]
    k = [key % 2**32, key >> 32]
    for _ in range(10):
        product_0, product_1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [
            (product_1 >> 32) ^ x[1] ^ k[0],
            product_1 % 2**32,
            (product_0 >> 32) ^ x[3] ^ k[1],
            product_0 % 2**32,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.array(x, np.uint32)


def test_roles_and_reserved_steps_do_not_collide():
    keys = [random.key(0, 0, role).numpy() for role in random.Role]
    draws = {random.uniform([4], key).numpy().tobytes() for key in keys}
    assert len(draws) == len(keys)
    assert all(step < 0 for step in random.ReservedStep)


def test_rows_of_a_batch_and_of_samples_draw_anew_at_each_call():
    for draws in (
        random.BatchDraws(3, random.key(1)),
        random.SampleDraws(tf.constant([[1, 0], [1, 1], [1, 2]], tf.int64)),
    ):
        normals = [draws.normal([4]).numpy() for _ in range(3)]
        assert len({draw.tobytes() for draw in normals}) == 3
        assert draws.uniform([4]).shape == (3, 4)
    # The key itself, then its children above all roles: other numbers would change every run.
    key = random.key(1)
    draws = random.BatchDraws(3, key)
    for expected in (key, random.fold(key, 1001), random.fold(key, 1002)):
        np.testing.assert_array_equal(draws.uniform([4]), random.uniform([3, 4], expected))


def test_each_path_and_seed_has_its_numbers():
    keys = [random.key(*path) for path in [(0,), (1,), (0, 0), (0, 1), (0, 1, 0), (0, 0, 1)]]
    draws = {tuple(random.uniform([4], key).numpy()) for key in keys}
    assert len(draws) == len(keys)
    step = tf.Variable(3, dtype=tf.int64)
    np.testing.assert_array_equal(random.key(5, step, 1), random.key(5, 3, 1))


def test_normal_is_normal_and_uniform_is_uniform():
    for draw, name in ((random.normal, "norm"), (random.uniform, "uniform")):
        draws = draw([200_000], random.key(0)).numpy()
        assert stats.kstest(draws, name).pvalue > 1e-3
        assert np.isfinite(draws).all()
    assert draws.min() >= 0
    assert draws.max() < 1


def test_largest_bits_stay_below_one_and_finite():
    """Of row 4660113 of key 0 the 24 bits of the first number, which makes a radius, are ones."""
    key, row = random.key(0), 4660113
    with random.micro_batch(row // 1024, 2**13):
        uniforms = random.uniform([1024, 2], key).numpy()[row % 1024]
        normal = random.normal([1024], key).numpy()[row % 1024]
    assert uniforms[0] == 1 - 2**-24
    radius = np.sqrt(48 * np.log(2))
    # Of a float32 angle of up to 2 pi the rounding is 2^-22.
    assert normal == pytest.approx(radius * np.cos(2 * np.pi * uniforms[1]), abs=radius * 2**-21)


def test_row_depends_on_its_key_alone():
    keys = tf.constant([[3, 0], [3, 1], [9, 0]], tf.int64)
    rows = random.normal_rows(keys, [6])
    alone = random.normal_rows(keys[1:2], [6])
    np.testing.assert_allclose(rows[1], alone[0], atol=1e-6)
    assert not np.allclose(rows[0], rows[1])
    assert random.normal_rows(keys[:0], [6]).shape == (0, 6)
    uniform = random.uniform_rows(keys, [6])
    np.testing.assert_array_equal(uniform[1], random.uniform([6], keys[1]))


def test_draws_outside_a_replica_are_refused():
    strategy = tiny.replicas(2)
    with strategy.scope(), pytest.raises(RuntimeError, match=r"inside `strategy.run`"):
        random.normal([3, 2], random.key(4))


@pytest.mark.parametrize("shape", [[6], [6, 1], [6, 3], [6, 5, 5, 3]], ids=str)
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_share_out_the_draws_of_the_whole(shape, parts):
    """Also where a part begins within a block of Philox, and with sizes known only when it runs."""
    key, rows = random.key(5), shape[0] // parts

    @tf.function(autograph=False)
    def draw(index, num):
        with random.micro_batch(index, parts):
            rows = [num, *shape[1:]]
            return random.uniform(rows, key), random.normal(rows, key)

    drawn = [draw(tf.constant(index), tf.constant(rows)) for index in range(parts)]
    uniforms, normals = (tf.concat(pieces, axis=0) for pieces in zip(*drawn, strict=True))
    np.testing.assert_array_equal(uniforms, random.uniform(shape, key))
    np.testing.assert_allclose(normals, random.normal(shape, key), atol=1e-6)
    np.testing.assert_array_equal(random.uniform(shape, key), random.uniform(shape, key))
