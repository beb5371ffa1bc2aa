"""Adam in a single kernel, and the learning rates of both players, changed together."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import optimizers


def three_updates(optimizer, variables):
    for scale in (1.0, -0.5, 2.0):
        optimizer.apply([scale * tf.sin(variable.value) for variable in variables], variables)


@pytest.mark.parametrize(
    "run",
    [functools.partial(tf.function, autograph=False), lambda plain: plain],
    ids=["graph", "eager"],
)
def test_fused_adam_is_adam(run):
    """Over several updates in a call, whose bias corrections differ."""
    start = np.random.default_rng(0).normal(size=[3, 4]).astype("float32")
    ends = []
    for cls in (keras.optimizers.Adam, optimizers.FusedAdam):
        variables = [keras.Variable(start), keras.Variable(start[0])]
        optimizer = cls(0.1, beta_1=0.5, beta_2=0.9)
        optimizer.build(variables)

        step = run(functools.partial(three_updates, optimizer, variables))
        step()
        step()
        ends.append([variable.numpy() for variable in variables])
        assert int(optimizer.iterations) == 6
    for fused, plain in zip(*ends, strict=True):
        # Steps of about .1 each, in float32.
        np.testing.assert_allclose(fused, plain, atol=1e-5)


def test_fused_adam_accumulates_gradients_as_adam_does():
    ends = []
    for cls in (keras.optimizers.Adam, optimizers.FusedAdam):
        variables = [keras.Variable([1.0, 2.0])]
        optimizer = cls(0.1, gradient_accumulation_steps=2)
        for _ in range(2):
            three_updates(optimizer, variables)
        ends.append(variables[0].numpy())
    np.testing.assert_allclose(*ends, atol=1e-5)


def test_beta_2_is_set_in_the_variable_that_is_saved():
    optimizer = optimizers.ScheduledAdam(0.1, beta_2=0.9)
    optimizer.build([keras.Variable([1.0])])
    variables = [variable.path for variable in optimizer.variables]
    optimizer.beta_2 = 0.5
    assert [variable.path for variable in optimizer.variables] == variables
    assert float(optimizer.beta_2) == optimizer.get_config()["beta_2"] == 0.5


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-6, 1e-8])
def test_rmsprop_takes_the_steps_of_pytorch(size):
    """v <- .99 v + .01 g^2; x <- x - rate g / (sqrt(v) + 1e-8)."""
    for optimizer in optimizers.rmsprop_pair(1e-3):
        x = keras.Variable([0.0], dtype="float64")
        expected, v = 0.0, 0.0
        for factor in (1.0, -0.5, 2.0):
            g = factor * size
            optimizer.apply([tf.constant([g], tf.float64)], [x])
            v = 0.99 * v + 0.01 * g**2
            expected -= 1e-3 * g / (np.sqrt(v) + 1e-8)
        # sqrt(v + e^2) is at most 1 and at least 1 / sqrt(2) of sqrt(v) + e, and equal far from e.
        assert x.numpy() == pytest.approx([expected], rel=0.01 if size > 1e-5 else 0.42)


def test_both_learning_rates_move_together_and_keep_their_ratio():
    scaled = keras.optimizers.LossScaleOptimizer
    pair = keras.optimizers.SGD(0.1), scaled(keras.optimizers.SGD(0.4))
    rates = optimizers.LearningRates(*pair)
    rates.learning_rate = 0.05
    assert [float(optimizer.learning_rate) for optimizer in pair] == pytest.approx([0.05, 0.2])
    rates.scale(2.0)
    assert [float(optimizer.learning_rate) for optimizer in pair] == pytest.approx([0.1, 0.4])
    assert float(rates.learning_rate) == pytest.approx(0.1)


def test_a_schedule_is_not_overwritten():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 10)
    rates = optimizers.LearningRates(keras.optimizers.SGD(0.1), keras.optimizers.SGD(schedule))
    with pytest.raises(ValueError, match="must be a number"):
        rates.learning_rate = 0.05
    assert float(rates.learning_rate) == pytest.approx(0.1)


def test_what_is_excluded_from_weight_decay_is_carried_over():
    old, new = ([keras.Variable([1.0], name=name) for name in ("kernel", "bias")] for _ in range(2))
    optimizer = keras.optimizers.AdamW(weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=old[1:])
    optimizer.build(old)
    copy = optimizers.carry_over(optimizer, list(zip(new, old, strict=True)), lambda slot: slot)
    copy.apply([tf.zeros([1])] * 2, new)
    assert new[0].numpy() < 1 == new[1].numpy()
