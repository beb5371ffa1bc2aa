"""Weight clipping, and the optima of linear critics: methods.md 10.2, items 6, 11 and 12."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties, random

LIMIT = 0.25


def critic_variables():
    """Kernels, biases, and the gains and offsets of a normalization, most of them too large."""
    critic = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(0)
    for variable in critic.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * LIMIT)
    return critic.trainable_variables


def clip_eagerly(variables):
    penalties.clip_weights(variables, LIMIT)


@pytest.mark.parametrize("execution", ["eager", "XLA"])
def test_all_variables_are_clipped(execution):
    variables = critic_variables()
    assert len(variables) == 6
    before = [variable.numpy() for variable in variables]
    clip = lambda: clip_eagerly(variables)  # noqa: E731
    (clip if execution == "eager" else tf.function(clip, jit_compile=True))()
    for variable, old in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), np.clip(old, -LIMIT, LIMIT))
    outside = sum(np.sum(np.abs(old) > LIMIT) for old in before)
    assert 5 <= outside < sum(old.size for old in before)


def test_clipping_in_a_loop_of_steps_of_two_replicas():
    """As `steps_per_execution` does: w grows by .1 a step, and stays at the limit."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        variable = keras.Variable(np.zeros(3, "float32"), aggregation="mean")

    def update():
        variable.assign_add(tf.constant([0.1, -0.1, 0.02]))
        clip_eagerly([variable])

    @tf.function
    def steps():
        for _ in tf.range(5):
            strategy.run(update)

    steps()
    copies = strategy.experimental_local_results(variable.value)
    assert len(copies) == 2
    for copy in copies:
        np.testing.assert_allclose(copy, [LIMIT, -LIMIT, 0.1], rtol=1e-6)


def test_bad_limits():
    weights = keras.Variable(np.ones(3, "float32"))
    for limit in (0.0, -1.0, float("nan"), None):
        with pytest.raises(ValueError, match="`limit` must be"):
            penalties.clip_weights([weights], limit)
    np.testing.assert_array_equal(weights, np.ones(3))


@pytest.mark.parametrize(
    ("epsilon", "value"), [(1e-4, 0.9801), (1e-10, 0.99998), (1e-12, 0.999998)]
)
def test_a_flat_critic_costs_one_but_for_epsilon(epsilon, value):
    def flat(x, training):
        return x @ tf.zeros([3, 1])

    examples = tf.ones([5, 3])
    penalty = penalties.GradientPenalty(epsilon=epsilon)
    values = penalty(flat, examples, -examples)
    np.testing.assert_allclose(values, value, rtol=1e-6)
    # The squared norm has no root and needs none.
    values = penalties.R1Penalty(epsilon=epsilon)(flat, examples, -examples)
    np.testing.assert_array_equal(values, np.zeros(5))


@pytest.mark.parametrize(
    ("weight", "distance", "slope", "gap"),
    [(10.0, 1.0, 1.05, 1.05), (10.0, 3.0, 1.15, 3.45), (0.1, 1.0, 6.0, 6.0)],
)
def test_the_optimum_of_a_penalized_linear_critic(weight, distance, slope, gap):
    """-w.mu + lambda (||w|| - 1)^2 is least along mu, at ||w|| = 1 + |mu| / (2 lambda).

    With the toy lambda of 0.1 the gap is six times the Wasserstein distance.
    """
    mean = tf.constant([0.6, 0.8]) * distance
    penalty = penalties.GradientPenalty(weight=weight)
    examples = tf.zeros([2, 2])

    def loss(weights):
        def critic(x, training):
            return x @ weights[:, tf.newaxis]

        values = penalty(critic, examples + mean, examples, key=random.key(0))
        return penalty.weight * tf.reduce_mean(values) - tf.reduce_sum(weights * mean)

    @tf.function
    def descend(weights):
        for _ in tf.range(400):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                value = loss(weights)
            # The curvature along w is 2 lambda, across it |mu| / s.
            weights -= 0.25 / penalty.weight * tape.gradient(value, weights)
        return weights

    weights = descend(tf.constant([0.5, 0.2])).numpy()
    np.testing.assert_allclose(weights, slope * np.array([0.6, 0.8]), rtol=1e-3)
    assert np.sum(weights * mean) == pytest.approx(gap, rel=1e-3)
