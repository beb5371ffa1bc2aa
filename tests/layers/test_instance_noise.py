"""InstanceNoise: the noise that it adds, and the schedules of its level."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import random
from tfgans.layers import InstanceNoise

KEY = random.key(3, 1)
LAYERS = {
    "constant": lambda: InstanceNoise(0.5, schedule="constant"),
    "linear": lambda: InstanceNoise(0.5, decay_steps=10),
    "exponential": lambda: InstanceNoise(0.5, schedule="exponential", decay_steps=10),
    "adaptive": lambda: InstanceNoise(0.5, schedule="adaptive"),
}


def examples(*shape):
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


@pytest.mark.parametrize("schedule", LAYERS)
def test_contract_of_every_schedule(schedule):
    """Inference adds nothing, and the config makes the same layer again."""
    layer, inputs = LAYERS[schedule](), examples(4, 3)
    for outputs in (layer(inputs), layer(inputs, key=KEY), layer(inputs, training=False)):
        np.testing.assert_array_equal(outputs, inputs)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert loaded.get_config() == layer.get_config()
    assert layer.is_adaptive == (schedule == "adaptive")
    layer.adapt(1.0)
    assert (float(layer.level) != 0.5) == layer.is_adaptive


def test_same_numbers_eagerly_in_a_graph_and_under_xla():
    layer, inputs = LAYERS["constant"](), examples(4, 3)
    call = lambda x, key: layer(x, key=key, training=True)  # noqa: E731
    eager = call(inputs, KEY)
    np.testing.assert_allclose(eager, inputs + 0.5 * random.normal([4, 3], KEY), atol=1e-6)
    signature = [tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([2], tf.int64)]
    for options in ({"jit_compile": True}, {"input_signature": signature}):
        np.testing.assert_allclose(tf.function(call, **options)(inputs, KEY), eager, atol=1e-6)


def test_gradient_passes_to_the_examples_and_not_to_the_level():
    layer, inputs = LAYERS["adaptive"](), examples(4, 3)
    with tf.GradientTape() as tape:
        tape.watch([inputs, layer.level.value])
        total = tf.reduce_sum(layer(inputs, key=KEY, training=True) * inputs[0])
    to_inputs, to_level = tape.gradient(total, [inputs, layer.level.value])
    noisy_sum = tf.reduce_sum(layer(inputs, key=KEY, training=True), axis=0)
    expected = np.tile(inputs[0], [4, 1]) + np.eye(4, 1) * noisy_sum
    np.testing.assert_allclose(to_inputs, expected, atol=1e-5)
    assert to_level is None
    assert layer.trainable_variables == []


def test_arithmetic_is_float32_under_mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    layer = LAYERS["constant"]()
    assert layer.level.dtype == "float32"
    assert layer(examples(4, 3), key=KEY, training=True).dtype == tf.float32
    half = tf.cast(examples(50, 12), tf.float16)
    assert layer(half).dtype == tf.float16
    # Rounded once, after the sum: noise that is rounded first would give other bits.
    exact = tf.cast(half, tf.float32) + 0.5 * random.normal([50, 12], KEY)
    noisy = layer(half, key=KEY, training=True)
    np.testing.assert_array_equal(noisy, tf.cast(exact, tf.float16))


def test_stands_in_time_distributed():
    layer = LAYERS["linear"]()
    model = keras.Sequential([keras.Input([5, 3]), keras.layers.TimeDistributed(layer)])
    assert model.output_shape == (None, 5, 3)
    np.testing.assert_array_equal(model(examples(4, 5, 3)), examples(4, 5, 3))
    assert layer.compute_output_shape((None, 7, 3)) == (None, 7, 3)


@pytest.mark.parametrize(
    ("schedule", "levels"),
    [
        ("constant", [0.5, 0.5, 0.5, 0.5, 0.5]),
        ("linear", [0.5, 0.45, 0.25, 0.0, 0.0]),
        ("exponential", [0.5, 0.4524187, 0.3032653, 0.1839397, 0.0410425]),
        ("adaptive", [0.5, 0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_level_of_a_step(schedule, levels):
    layer = LAYERS[schedule]()
    assert float(layer.level) == 0.5
    compiled = tf.function(layer.anneal, autograph=False)
    for step, level in zip([0, 1, 5, 10, 25], levels, strict=True):
        layer.anneal(step)
        assert float(layer.level) == pytest.approx(level, rel=1e-6)
        layer.level.assign(0.5)
        compiled(tf.constant(step, tf.int64))
        assert float(layer.level) == pytest.approx(level, rel=1e-6)


def test_adaptive_level_rises_while_the_discriminator_is_right_too_often():
    layer = InstanceNoise(0.5, schedule="adaptive", target_accuracy=0.8, rate=0.1)
    levels = []
    for accuracy in (1.0, 0.81, 0.79, 0.0, np.float32(0.8), float("nan")):
        layer.adapt(tf.constant(accuracy))
        levels.append(float(layer.level))
    up, back = 0.5 * np.exp(0.1), 0.5
    expected = [up, up * np.exp(0.1), up, back, back, back]
    np.testing.assert_allclose(levels, expected, rtol=1e-6)


def test_adaptive_level_stays_in_its_bounds():
    layer = InstanceNoise(0.5, schedule="adaptive", rate=3.0, max_stddev=2.0)
    for accuracy, bound in ((1.0, 2.0), (0.5, 0.0005)):
        for _ in range(5):
            layer.adapt(accuracy)
        assert float(layer.level) == pytest.approx(bound, rel=1e-6)
    layer.adapt(1.0)
    assert float(layer.level) == pytest.approx(0.0005 * np.exp(3), rel=1e-6)
    layer = InstanceNoise(0.5, schedule="adaptive", rate=9.0)
    layer.adapt(1.0)
    assert float(layer.level) == pytest.approx(10 * 0.5, rel=1e-6)  # The default bound.


LINEAR, ADAPTIVE = {"decay_steps": 10}, {"schedule": "adaptive"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**LINEAR, "stddev": 0.0}, "`stddev` must be above 0"),
        ({**LINEAR, "schedule": "cosine"}, "`schedule` must be one of 'constant', 'linear', 'exp"),
        ({}, "`decay_steps` must be an integer .* for schedule='linear'"),
        ({"decay_steps": 0}, "`decay_steps` must be an integer of at least 1. Received: 0"),
        ({**LINEAR, **ADAPTIVE}, "`decay_steps` is of the schedules .*Received: 10.*Leave it out"),
        ({**LINEAR, "rate": 0.1}, "`rate` is of the schedule 'adaptive'.*Received: 0.1 with"),
        ({**ADAPTIVE, "target_accuracy": 0.5}, "`target_accuracy` must lie above 0.5.*: 0.5"),
        ({**ADAPTIVE, "target_accuracy": 1.0}, "`target_accuracy` must lie above 0.5.*: 1.0"),
        ({**ADAPTIVE, "rate": 0.0}, "`rate` must be above 0"),
        ({**ADAPTIVE, "max_stddev": 0.4}, "`max_stddev` must be at least `stddev`, 0.5.*: 0.4"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        InstanceNoise(**{"stddev": 0.5, **options})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LAYERS["linear"]()(examples(4, 3), training=True), "`key` must be .* in training"),
        (
            lambda: LAYERS["linear"]()(tf.cast(examples(4, 3), "uint8"), key=KEY, training=True),
            "added to floats only. Received: examples of uint8",
        ),
        (lambda: LAYERS["linear"]().anneal(-1), "`step` must be an integer of at least 0"),
        (lambda: LAYERS["linear"]().anneal(1.5), "`step` must be an integer of at least 0"),
        (lambda: LAYERS["adaptive"]().adapt(75.0), r"`accuracy` must lie in \[0, 1\]"),
        (lambda: LAYERS["adaptive"]().adapt(-0.1), r"`accuracy` must lie in \[0, 1\]"),
    ],
)
def test_refuses_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call()
