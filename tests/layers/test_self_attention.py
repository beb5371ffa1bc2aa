"""Self-attention by hand: the identity at the start, and the published sums."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties
from tfgans.layers import SelfAttention

PARTS = ("queries", "keys", "values", "outputs")


def made(spectral=False, shape=(4, 6, 16), scale=0.7):
    layer = SelfAttention(spectral=spectral, seed=0)
    inputs = tf.random.stateless_normal((3, *shape), [0, 1])
    layer(inputs)
    layer.scale.assign(scale)
    return layer, inputs


def test_published_sums():
    layer, inputs = made()
    weights = {part: getattr(layer, part).kernel.numpy()[0, 0] for part in PARTS}
    x = inputs.numpy()

    def pooled(y):
        return y.reshape(3, 2, 2, 3, 2, -1).max(axis=(2, 4)).reshape(3, 6, -1)

    queries = (x @ weights["queries"]).reshape(3, 24, 2)
    keys, values = (pooled(x @ weights[part]) for part in ("keys", "values"))
    exponentials = np.exp(np.einsum("bqc,bkc->bqk", queries, keys))
    attention = exponentials / exponentials.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(layer.attention(inputs), attention, atol=1e-5)
    expected = x + 0.7 * ((attention @ values) @ weights["outputs"]).reshape(x.shape)
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-5)


@pytest.mark.parametrize("spectral", [True, False])
def test_identity_at_the_start_and_uniform_on_a_constant_map(spectral):
    layer, inputs = made(spectral, shape=(5, 4, 8), scale=0.0)
    np.testing.assert_array_equal(layer(inputs), inputs)
    np.testing.assert_allclose(layer.attention(tf.ones_like(inputs)), 1 / 4, rtol=1e-6)
    assert len(layer.trainable_weights) == 5


def test_examples_do_not_see_each_other_and_r1_has_a_gradient():
    layer, inputs = made()
    np.testing.assert_allclose(layer(inputs[1:2])[0], layer(inputs)[1], atol=1e-5)

    def judge(x, training):
        return tf.reduce_sum(tf.square(layer(x, training=training)), axis=[1, 2, 3])[:, None]

    with tf.GradientTape() as tape:
        r1 = tf.reduce_sum(penalties.R1Penalty()(judge, inputs, inputs))
    for gradient in tape.gradient(r1, layer.trainable_variables):
        assert np.isfinite(gradient).all()
        assert np.any(gradient)


def test_a_copy_of_a_frozen_layer_is_frozen():
    network = keras.Sequential([keras.Input((4, 6, 16)), SelfAttention(seed=0)])
    network.trainable = False
    copy = keras.models.clone_model(network)
    before = copy.get_weights()
    copy(tf.random.stateless_normal((3, 4, 6, 16), [0, 1]), training=True)
    for weight, twin in zip(before, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, twin)


@pytest.mark.parametrize("shape", [(4, 4, 7), (1, 4, 8), (16, 8)])
def test_refuses(shape):
    with pytest.raises(ValueError, match="sides of at least 2 and at least 8 channels"):
        SelfAttention()(np.zeros((2, *shape), "float32"))


def test_refuses_a_seed_that_is_no_integer():
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        SelfAttention(seed="x")
