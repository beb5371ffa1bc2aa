"""Samples from a SavedModel: of an export those of the model, of others by their inputs."""

import functools

import keras
import numpy as np
import pytest
import served
import tensorflow as tf

from tfgans.export import SavedGenerator

LABELS = [3, 1, 4, 1, 5]


@functools.cache
def saved_generator(kind):
    """That of an export, which takes a second to load."""
    return SavedGenerator(served.export(kind).version)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [("mixture", None), ("points", None), ("conditional", None), ("conditional", LABELS)],
)
def test_samples_are_those_of_the_live_model(kind, labels):
    saved = saved_generator(kind)
    expected = served.export(kind).live.sample(5, seed=3, labels=labels)
    np.testing.assert_allclose(saved.sample(5, 3, labels=labels), expected, atol=1e-5)
    assert saved.describe()["signature"] == "sample_at"
    assert (saved.takes_labels, saved.num_classes) == (kind == "conditional", None)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder, module = tmp_path_factory.mktemp("other"), served.Labeled()
    tf.saved_model.save(module, str(folder), signatures=module.make)
    return folder


def test_another_library_gets_normal_latents_and_classes(other):
    saved = SavedGenerator(other, num_classes=3)
    made = saved.sample(3000, 1)
    assert made[:, :2].mean(axis=0) == pytest.approx([0, 0], abs=0.06)
    assert made[:, :2].std(axis=0) == pytest.approx([1, 1], abs=0.05)
    classes, counts = np.unique(made[:, 2], return_counts=True)
    assert classes.tolist() == [0, 1, 2]
    assert abs(counts - 1000).max() < 100
    labeled = saved.sample(4, 1, labels=[2, 0, 1, 2])
    assert labeled[:, 2].tolist() == [2, 0, 1, 2]
    np.testing.assert_array_equal(labeled[:, :2], saved.sample(4, 1)[:, :2])
    assert saved.sample(2, 1, labels=1)[:, 2].tolist() == [1, 1]
    halved = SavedGenerator(other, num_classes=3, value_range=(0.0, 4.0)).sample(4, 1)
    np.testing.assert_allclose(halved, saved.sample(4, 1) / 2 - 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        *(("other", x, "`labels` must") for x in ([0, 3], [0, -1], [0, 1, 2], [0.5, 1.0], 3)),
        ("conditional", 10, "refuses the labels: .*classes from 0 to 9"),
        ("conditional", -1, "from 0"),
        ("points", 1, "not conditional"),
    ],
)
def test_invalid_labels(other, kind, labels, message):
    saved = SavedGenerator(other, num_classes=3) if kind == "other" else saved_generator(kind)
    with pytest.raises(ValueError, match=message):
        saved.sample(2, 1, labels=labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "num_classes=None"),
        ({"signature": "sample"}, "must have the signature"),
        ({"num_classes": 3, "value_range": (1, 0)}, "`value_range` must be"),
        ({"num_classes": 3, "value_range": 5}, r"`value_range` must be \(low, high\).*: 5"),
        ({"num_classes": 3, "value_range": (0, 1, 2)}, r"`value_range` must be \(low, high\)"),
        ({"num_classes": 3, "value_range": (0, np.inf)}, r"`value_range\[1\]` must be a finite"),
        ({"num_classes": 3, "value_range": "01"}, r"`value_range\[0\]` must be a finite"),
        ({"num_classes": 0}, "`num_classes` must be an integer of at least 1"),
    ],
)
def test_invalid_arguments(other, options, message):
    with pytest.raises(ValueError, match=message):
        SavedGenerator(other, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signature": "mixture_weights"}, "single float input .* nothing else"),
        ({"signature": "latents"}, "'latents' does not draw samples by seed and index"),
        ({"signature": "sample_truncated"}, "'sample_truncated' does not draw samples by seed"),
        ({"num_classes": 3}, "`num_classes` must be None for an export"),
    ],
)
def test_invalid_arguments_for_an_export(options, message):
    with pytest.raises(ValueError, match=message):
        SavedGenerator(served.export("points").version, **options)


def test_a_folder_of_versions_is_no_version():
    with pytest.raises(ValueError, match=r"no SavedModel .* versions: 1"):
        SavedGenerator(served.export("points").version.parent)


def saved(folder, function, *specs):
    """Saves a function of another library, which returns images or outputs by name."""

    def make(*inputs):
        outputs = function(*inputs)
        return outputs if isinstance(outputs, dict) else {"images": outputs}

    module = tf.Module()
    module.make = tf.function(make, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures=module.make)
    return folder


Z = tf.TensorSpec([None, 4], tf.float32, "z")


def test_the_output_of_another_library_must_be_clear(tmp_path):
    clear = saved(tmp_path / "clear", lambda z: {"made": 0 * z, "images": z}, Z)
    assert np.ptp(SavedGenerator(clear).sample(5, 1)) > 0
    unclear = saved(tmp_path / "unclear", lambda z: {"made": z, "seen": z}, Z)
    with pytest.raises(ValueError, match="Received: made, seen"):
        SavedGenerator(unclear)


LABELED = "single float input .* nothing else"


@pytest.mark.parametrize(
    ("function", "specs", "options", "message"),
    [
        (lambda z, x: z, [Z, tf.TensorSpec([None], tf.bool, "flag")], {}, LABELED),
        (lambda z, x: z, [Z, tf.TensorSpec([None], tf.string, "text")], {}, LABELED),
        (lambda z, x: z, [Z, tf.TensorSpec([], tf.int32, "y")], {"num_classes": 2}, LABELED),
        (lambda z: z, [tf.TensorSpec(None, tf.float32, "z")], {}, LABELED),
        (lambda z: z[:, tf.newaxis], [tf.TensorSpec([None], tf.float32, "z")], {}, LABELED),
        (tf.as_string, [Z], {}, r"must return numbers .* string \(None, 4\)"),
        (lambda z: z[:, 0], [Z], {}, r"must return numbers .* float32 \(None,\)"),
        (lambda z: z > 0, [Z], {}, "must return numbers .* bool"),
        (
            *(lambda z: tf.cast(z, tf.uint8), [Z], {}),
            r"must be \(0, 255\) for .* uint8\. Received: \(-1\.0, 1\.0\)",
        ),
        (lambda z: tf.cast(z, tf.int32), [Z], {"value_range": (0, 1)}, r"must be \(0, 255\)"),
    ],
)
def test_signatures_of_others_that_do_not_match(function, specs, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        SavedGenerator(saved(tmp_path, function, *specs), **options)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z[:1],
        # The rank is unknown before the model runs.
        lambda z: tf.cond(tf.size(z) > 0, lambda: z[:, 0], lambda: z),
    ],
)
def test_a_model_must_return_an_example_for_each_latent(function, tmp_path):
    generator = SavedGenerator(saved(tmp_path, function, Z))
    with pytest.raises(ValueError, match="an example for each of the 3 latents"):
        generator.sample(3, 1)


def test_many_examples_are_made_in_batches(tmp_path):
    def few(z):
        rows = tf.shape(z)[0]
        with tf.control_dependencies([tf.debugging.assert_less_equal(rows, 256)]):
            return tf.identity(z)

    generator = SavedGenerator(saved(tmp_path, few, Z))
    assert generator.sample(600, 1).shape == (600, 4)
    points = saved_generator("points")
    np.testing.assert_allclose(points.sample(300, 1)[:5], points.sample(5, 1), atol=1e-6)


def test_pixels_of_another_library(tmp_path):
    saved(tmp_path, lambda z: tf.cast(255.0 * tf.sigmoid(z), tf.uint8), Z)
    samples = SavedGenerator(tmp_path, value_range=(0, 255)).sample(100, 1)
    assert samples.dtype == np.float32
    assert -1 <= samples.min() < -0.8 < 0.8 < samples.max() <= 1


@pytest.mark.parametrize("label_shape", [None, (), (1,)])
def test_models_that_keras_exports(label_shape, tmp_path):
    """Their labels may be [batch] or [batch, 1]."""
    latents = keras.Input((4,))
    inputs, outputs, num_classes = latents, keras.layers.Dense(4)(latents), None
    if label_shape is not None:
        labels, num_classes = keras.Input(label_shape, dtype="int32"), 5
        classes = keras.layers.Flatten()(keras.layers.Embedding(5, 4)(labels))
        inputs, outputs = [latents, labels], keras.layers.Add()([outputs, classes])
    keras.Model(inputs, outputs).export(tmp_path, verbose=False)
    saved_generator = SavedGenerator(tmp_path, num_classes=num_classes)
    assert saved_generator.sample(3, 1).shape == (3, 4)
    if num_classes is not None:
        pair = saved_generator.sample(2, 1, labels=[0, 1])
        np.testing.assert_array_equal(pair[1], saved_generator.sample(2, 1, labels=1)[1])
