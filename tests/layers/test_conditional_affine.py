"""ConditionalAffine: what it computes, that its gradients are dense, and where it works."""

import keras
import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("middle", "dtype"), [((), "int32"), ((7,), "uint8"), ((5, 6), "int64"), ((2, 3, 4), "int32")]
)
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


def test_half_precision_keeps_the_compute_dtype():
    keras.config.set_dtype_policy("mixed_float16")
    features = _features(2, 3)
    layer = _built(features)
    symbolic = layer([keras.Input((2, 3, 3)), keras.Input((), dtype="int32")])
    outputs = layer([features, LABELS])
    assert symbolic.dtype == outputs.dtype == "float16"
    assert symbolic.shape == (None, 2, 3, 3)
    assert layer.compute_output_shape([(None, 2, 3, 3), (None,)]) == (None, 2, 3, 3)
    assert layer.gain.dtype == layer.offset.dtype == "float32"
    expected = features * layer.gain.numpy()[LABELS][:, None, None, :]
    expected += layer.offset.numpy()[LABELS][:, None, None, :]
    np.testing.assert_allclose(outputs, expected, atol=0.02)


def test_refuses_too_few_classes():
    with pytest.raises(ValueError, match="`num_classes` must be an integer of at least 1"):
        ConditionalAffine(0)


@pytest.mark.parametrize(
    "shapes", [(4, 3), [(4, 3)], [(4, 3), (4, 1)], [(4,), (4,)], [(4, 3), (4,), (4,)]]
)
def test_refuses_what_is_not_features_and_labels(shapes):
    with pytest.raises(ValueError, match=r"list of features.*labels.*Received: shapes.*Call"):
        ConditionalAffine(2).build(shapes)
