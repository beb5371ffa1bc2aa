"""ConditionalAffine: what it computes, that its gradients are dense, and where it works."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers import ConditionalAffine

LABELS = np.array([2, 0, 2, 1])


def _features(*middle):
    return np.random.default_rng(0).normal(size=(4, *middle, 3)).astype("float32")


def _built(features, **options):
    layer = ConditionalAffine(5, **options)
    layer.build([features.shape, LABELS.shape])
    rng = np.random.default_rng(1)
    layer.gain.assign(rng.normal(size=(5, 3)))
    layer.offset.assign(rng.normal(size=(5, 3)))
    return layer


@pytest.mark.parametrize("middle", [(), (7,), (5, 6), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_scales_and_shifts_each_channel_as_the_class_has_it(middle, dtype):
    features = _features(*middle)
    layer = _built(features)
    gain, offset = layer.gain.numpy(), layer.offset.numpy()
    outputs = layer([features, LABELS.astype(dtype)])
    for row, label in enumerate(LABELS):
        expected = features[row] * gain[label] + offset[label]
        np.testing.assert_allclose(outputs[row], expected, rtol=1e-6, atol=1e-6)


def test_starts_as_the_identity_of_every_class():
    features = _features(2, 2)
    np.testing.assert_array_equal(ConditionalAffine(5)([features, LABELS]), features)


def test_label_out_of_range_gives_zeros():
    features = _features(2)
    outputs = _built(features)([features, np.array([0, 5, -1, 4])]).numpy()
    np.testing.assert_array_equal(outputs[1:3], np.zeros((2, 2, 3)))
    assert np.all(outputs[[0, 3]] != 0)


def test_gradients_are_dense_and_those_of_the_sums():
    features = _features(2, 3)
    layer = _built(features)
    weights = np.random.default_rng(2).normal(size=features.shape).astype("float32")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer([features, LABELS]) * weights)
    gain, offset = tape.gradient(total, [layer.gain.value, layer.offset.value])
    assert isinstance(gain, tf.Tensor)
    assert isinstance(offset, tf.Tensor)
    for label in range(5):
        rows = label == LABELS
        expected = (weights[rows] * features[rows]).sum(axis=(0, 1, 2))
        np.testing.assert_allclose(gain[label], expected, atol=1e-5)
        np.testing.assert_allclose(offset[label], weights[rows].sum(axis=(0, 1, 2)), atol=1e-5)


def test_same_in_a_graph_and_under_xla():
    features = _features(2, 3)
    layer = _built(features)
    for jit_compile in (False, True):
        call = tf.function(lambda x, y: layer([x, y]), jit_compile=jit_compile)
        np.testing.assert_allclose(
            call(features, LABELS), layer([features, LABELS]), rtol=1e-6, atol=1e-6
        )


def test_half_precision_keeps_the_compute_dtype():
    keras.config.set_dtype_policy("mixed_float16")
    features = _features(2, 3)
    layer = _built(features)
    symbolic = layer([keras.Input((2, 3, 3)), keras.Input((), dtype="int32")])
    outputs = layer([features, LABELS])
    assert symbolic.dtype == outputs.dtype == "float16"
    assert symbolic.shape == (None, 2, 3, 3)
    assert layer.gain.dtype == layer.offset.dtype == "float32"
    expected = features * layer.gain.numpy()[LABELS][:, None, None, :]
    expected += layer.offset.numpy()[LABELS][:, None, None, :]
    np.testing.assert_allclose(outputs, expected, atol=0.02)


# Keras's own `save`, of any layer, under NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_config_and_file_round_trip(tmp_path):
    inputs = [keras.Input((2, 3, 3)), keras.Input((), dtype="int32")]
    layer = ConditionalAffine(5, name="a", trainable=False, dtype="float64")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.random.default_rng(0).normal(size=(5, 3)) for _ in range(2)])
    again = ConditionalAffine.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.num_classes, again.name, again.trainable) == (5, "a", False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    given = [_features(2, 3), LABELS]
    np.testing.assert_array_equal(loaded(given), model(given))
    assert layer.compute_output_shape([(None, 2, 3, 3), (None,)]) == (None, 2, 3, 3)


def test_a_mask_of_the_features_passes_through():
    inputs = [keras.Input((4, 3)), keras.Input((), dtype="int32")]
    scaled = ConditionalAffine(5)([keras.layers.Masking()(inputs[0]), inputs[1]])
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(scaled))
    features = np.repeat(np.array([1.0, 0.0], "float32"), 2)[None, :, None] * np.ones((4, 1, 3))
    # Two steps of ones and two that are masked: their mean is 1, or 0.5 without the mask.
    np.testing.assert_allclose(model([features, LABELS]), np.ones((4, 3)), rtol=1e-6)


@pytest.mark.parametrize("num_classes", [0, -1, 2.5, True, "ten"])
def test_refuses_bad_num_classes(num_classes):
    with pytest.raises(ValueError, match="`num_classes` must be an integer of at least 1"):
        ConditionalAffine(num_classes)


@pytest.mark.parametrize(
    "shapes", [(4, 3), [(4, 3)], [(4, 3), (4, 1)], [(4,), (4,)], [(4, 3), (4,), (4,)]]
)
def test_refuses_what_is_not_features_and_labels(shapes):
    with pytest.raises(ValueError, match=r"list of features.*labels.*Received: shapes.*Call"):
        ConditionalAffine(2).build(shapes)
