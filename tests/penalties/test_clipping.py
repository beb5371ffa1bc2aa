"""Weight clipping: closed forms of its effect."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfgans import penalties

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
    strategy = tiny.replicas(2)
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
