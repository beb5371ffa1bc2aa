"""The kernel distance as a metric of Keras: against the function, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.evaluation import MeanKernelDistance
from tfgans.metrics import kernel_distance

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(200, 6)), RNG.normal(size=(150, 6)) * 1.3 + 0.2


def test_is_the_mean_of_blocks():
    metric = MeanKernelDistance()
    update = tf.function(metric.update_state)
    for start in range(0, 150, 50):
        update(tf.constant(REAL[start : start + 50]), tf.constant(FAKE[start : start + 50]))
    expected = kernel_distance(REAL[:150], FAKE, estimator="blocks", subset_size=50)
    assert float(metric.result()) == pytest.approx(expected.value, rel=1e-10)
    metric.reset_state()
    assert float(metric.result()) == 0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config()


def test_refuses_a_batch_without_pairs():
    metric = MeanKernelDistance()
    metric.update_state(REAL[:50], FAKE[:50])
    before = float(metric.result())
    with pytest.raises(ValueError, match=r"`real` must be features \[num, dim\].*\(5, 2, 2, 6\)"):
        metric.update_state(REAL[:20].reshape(5, 2, 2, 6), FAKE[:50])
    with pytest.raises(ValueError, match=r"`fake` must have at least 2 examples.*\(1, 6\)"):
        metric.update_state(REAL[:50], FAKE[:1])
    spec = tf.TensorSpec([None, 6], tf.float64)
    update = tf.function(metric.update_state, input_signature=[spec, spec])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`real` must have at least 2"):
        update(tf.constant(REAL[:1]), tf.constant(FAKE[:50]))
    assert float(metric.result()) == before
    update(tf.constant(REAL[:50]), tf.constant(FAKE[:50]))
    assert float(metric.result()) == pytest.approx(before, rel=1e-12)
