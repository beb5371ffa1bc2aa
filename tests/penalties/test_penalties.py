"""One contract table for penalties: a new penalty is one row."""

import dataclasses
import math
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties, random

KEY = random.key(3)


@dataclasses.dataclass(frozen=True)
class Row:
    """A penalty, and what it is to cost, written down again in float64.

    `terms`: for each point at which an example is priced, a factor and the price of the norm there.
    `draws`: whether a key decides where the points lie, or which rows count.
    """

    name: str
    penalty: penalties.Penalty | penalties.PenaltySum
    terms: tuple[tuple[float, Callable], ...]
    draws: bool = True

    def price(self, *norms):
        """The price of an example with these norms, one a term."""
        prices = zip(self.terms, norms, strict=True)
        return sum(factor * price(norm) for (factor, price), norm in prices)

    def price_of_one(self, norm):
        """The price of a norm that is the same everywhere."""
        return self.price(*[norm] * len(self.terms))


def two_sided(norm):
    return (norm - 1.0) ** 2


def one_sided(norm):
    return np.maximum(norm - 1.0, 0.0) ** 2


def squared(norm):
    return norm**2


LINE, R1 = penalties.GradientPenalty, penalties.R1Penalty
ROWS = [
    Row("GradientPenalty", LINE(), ((1, two_sided),)),
    Row("one_sided", LINE(one_sided=True), ((1, one_sided),)),
    Row("target=0", LINE(target=0.0), ((1, squared),)),
    Row("target=2", LINE(target=2.0), ((1, lambda norm: (norm - 2.0) ** 2),)),
    Row("every=3", LINE(every=3), ((1, two_sided),)),
    Row("epsilon", LINE(epsilon=1e-4), ((1, lambda norm: (np.sqrt(norm**2 + 1e-4) - 1) ** 2),)),
    Row("fraction=.5", LINE(fraction=0.5), ((1, two_sided),)),
    Row("DRAGANPenalty", penalties.DRAGANPenalty(), ((1, two_sided),)),
    Row("symmetric", penalties.DRAGANPenalty(noise="symmetric"), ((1, two_sided),)),
    Row("gaussian", penalties.DRAGANPenalty(noise="gaussian"), ((1, two_sided),)),
    # The squared norm has no root, and needs no epsilon.
    Row("R1Penalty", R1(epsilon=1e-4), ((1, squared),), draws=False),
    Row("R2Penalty", penalties.R2Penalty(), ((1, squared),), draws=False),
    Row(
        "PenaltySum",
        penalties.PenaltySum([R1(weight=5.0), LINE(weight=0.25)]),
        ((5.0, squared), (0.25, two_sided)),
    ),
]
table = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def pairs(shape, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2))


def linear(weights):
    """A critic w.x as a plain callable."""
    weights = tf.convert_to_tensor(weights, tf.float32)
    return lambda x, training: x @ weights[:, tf.newaxis]


def small_critic():
    """A tanh MLP of three inputs whose gradient norms lie on both sides of 1."""
    normal = keras.initializers.RandomNormal
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, "tanh", kernel_initializer=normal(stddev=0.5, seed=0)),
            keras.layers.Dense(1, kernel_initializer=normal(stddev=1.0, seed=1)),
        ]
    )


def assert_prices(row, values, full):
    """Fails unless the rows that count have their prices: with a fraction scaled, 0 elsewhere."""
    if row.penalty.fraction < 1:
        count = math.ceil(row.penalty.fraction * len(full))
        counts = values.numpy() != 0
        assert counts.sum() == count
        full = np.where(counts, full * len(full) / count, 0.0)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, full, rtol=1e-5, atol=1e-6)


def test_every_public_penalty_has_a_row():
    public = {getattr(penalties, name) for name in penalties.__all__} - {penalties.Penalty}
    classes = {item for item in public if isinstance(item, type)}
    assert {type(row.penalty) for row in ROWS} == classes


@table
def test_zero_critic_has_a_finite_gradient(row):
    weights = tf.zeros([3])
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = tf.reduce_mean(row.penalty(linear(weights), *pairs((6, 3)), key=KEY))
    # The epsilon under the root: (sqrt(1e-12) - 1)^2 = 1 - 2e-6.
    assert float(value) == pytest.approx(row.price_of_one(0.0), rel=3e-6)
    np.testing.assert_array_equal(tape.gradient(value, weights), np.zeros(3))


@table
def test_second_order_gradient_by_finite_differences(row):
    critic, (real, fake) = small_critic(), pairs((16, 3))
    kernel, bias, out = (variable.value for variable in critic.trainable_variables[:3])
    points = []

    def spied(x, training):
        points.append(x.numpy().astype(np.float64))
        return critic(x, training=training)

    with tf.GradientTape() as tape:
        value = tf.reduce_mean(row.penalty(spied, real, fake, key=KEY))
    gradients = tape.gradient(value, [kernel, bias, out])

    def mean_price(*weights):
        """The same in float64: grad v.tanh(W'x + b) = W (v (1 - tanh^2)), at the same points."""
        kernel, bias, out = weights
        slopes = [out[:, 0] * (1 - np.tanh(at @ kernel + bias) ** 2) for at in points]
        return row.price(*[np.linalg.norm(slope @ kernel.T, axis=1) for slope in slopes]).mean()

    start = [weights.numpy().astype(np.float64) for weights in (kernel, bias, out)]
    assert float(value) == pytest.approx(mean_price(*start), rel=1e-5)
    step = 1e-5
    for which, gradient in enumerate(gradients):
        differences = np.zeros(gradient.shape)
        for index in np.ndindex(*gradient.shape):
            both = []
            for sign in (1, -1):
                moved = [weights.copy() for weights in start]
                moved[which][index] += sign * step
                both.append(mean_price(*moved))
            differences[index] = (both[0] - both[1]) / (2 * step)
        # The differences are good to 1e-10: truncation step^2, rounding 1e-16 / step. What is left
        # is float32: some hundred roundings of 6e-8 in each entry, before what cancels.
        size = np.abs(differences).max()
        assert size > 0.01
        np.testing.assert_allclose(gradient, differences, atol=1e-4 * size, rtol=0)


@table
def test_key_decides(row):
    critic, (real, fake) = small_critic(), pairs((16, 3))
    first, again = (row.penalty(critic, real, fake, key=KEY) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = row.penalty(critic, real, fake, key=random.key(4))
    fresh, fresher = (row.penalty(critic, real, fake) for _ in range(2))
    assert np.allclose(first, other) != row.draws
    assert np.allclose(fresh, fresher) != row.draws


# The other rows share the code that depends on the update and on the examples.
FAST = ("every=3", "DRAGANPenalty")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.name, marks=[pytest.mark.slow] * (row.name not in FAST))
        for row in ROWS
    ],
)
def test_eager_graph_and_xla_agree(row):
    """To second order, and with the number of the update as a tensor."""
    real, fake = pairs((6, 3))
    weights = tf.constant(np.random.default_rng(1).normal(size=(3, 4)), tf.float32)

    def step(weights, key, update):
        def critic(x, training):  # Less for XLA to compile than a tanh.
            return tf.reduce_sum((x @ weights) ** 3, axis=1, keepdims=True) / 10

        with tf.GradientTape() as tape:
            tape.watch(weights)
            values = row.penalty(critic, real, fake, key=key, update=update)
            value = tf.reduce_mean(values)
        return values, tape.gradient(value, weights, unconnected_gradients="zero")

    compiled = [tf.function(step, autograph=False, jit_compile=jit) for jit in (False, True)]
    for update in (tf.constant(3, tf.int64), tf.constant(4, tf.int64)):
        values, gradient = step(weights, KEY, update)
        assert (np.abs(values).max() > 0) == (row.name != "every=3" or int(update) == 3)
        for function in compiled:
            compiled_values, compiled_gradient = function(weights, KEY, update)
            np.testing.assert_allclose(compiled_values, values, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-5, atol=1e-5)


@table
def test_labels_go_with_their_rows(row):
    """The critic is (1 + label) w.x: the norm of a row is 1 + label."""
    labels = tf.constant([4, 0, 2, 1, 3, 5, 2])
    weights = tf.constant([[1.0], [2.0], [2.0]]) / 3.0
    scales = tf.constant([1.5, 2.0, 3.0, 4.0, 5.0, 6.0])

    def critic(inputs, training):
        x, classes = inputs
        return tf.gather(scales, classes)[:, tf.newaxis] * (x @ weights)

    values = row.penalty(critic, *pairs((7, 3)), labels=labels, key=KEY)
    norms = scales.numpy().astype(np.float64)[labels.numpy()]
    assert_prices(row, values, row.price_of_one(norms))


@table
def test_half_precision_critic_gives_float32(row):
    keras.config.set_dtype_policy("mixed_float16")
    critic, (real, fake) = small_critic(), pairs((16, 3))
    with tf.GradientTape() as tape:
        values = row.penalty(critic, tf.cast(real, tf.float16), tf.cast(fake, tf.float16), key=KEY)
    assert values.dtype == tf.float32
    assert np.isfinite(values).all()
    assert np.isfinite(tape.gradient(values, critic.layers[0].kernel.value)).all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wrong(penalties.Penalty):
    """Returns points at the real and at the fake examples."""

    def points(self, real, fake, key):
        return tf.concat([real, fake], axis=0)


def test_refuses_points_of_another_number():
    with pytest.raises(ValueError, match=r"a point for each example, of shape \(4, 3\).*\(8, 3\)"):
        Wrong()(linear(tf.ones([3])), *pairs((4, 3)))


def test_refuses_batch_statistics_and_several_logits_and_no_pairs():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(name="bn")])
    critic = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1)])
    for row in ROWS:
        with pytest.raises(ValueError, match="'bn' is a BatchNormalization"):
            row.penalty(critic, *pairs((4, 3)))
        with pytest.raises(ValueError, match=r"one logit per example.*Received: .*shape \(\d, 2\)"):
            row.penalty(lambda x, training: x[:, :2], *pairs((4, 3)))
        with pytest.raises(ValueError, match=r"as many fake.*real \(4, 3\), fake \(1, 3\)"):
            row.penalty(linear(tf.ones([3])), pairs((4, 3))[0], pairs((1, 3))[0])
