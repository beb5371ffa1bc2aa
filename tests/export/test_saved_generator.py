"""Samples from a SavedModel: of our own exports those of the model, of others by their inputs."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans.export import SavedGenerator


@pytest.mark.parametrize("kind", ["plain", "mixture", "conditional", "points"])
def test_samples_are_those_of_the_live_model(exported, kind):
    made = exported(kind)
    saved = SavedGenerator(made.version)
    np.testing.assert_allclose(saved.sample(9, 3), made.live.sample(9, seed=3), atol=1e-5)
    assert saved.describe()["signature"] == "sample_at"


class Labelled(tf.Module):
    """Another library's: gives back what it was given."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 2], name="z"), tf.TensorSpec([None], tf.int64, "y")]
    )
    def make(self, z, y):
        return {"out": tf.concat([z, tf.cast(y, tf.float32)[:, tf.newaxis]], axis=1)}


def test_another_library_gets_normal_latents_and_classes(tmp_path):
    module = Labelled()
    tf.saved_model.save(module, str(tmp_path), signatures=module.make)
    made = SavedGenerator(tmp_path, num_classes=3).sample(3000, 1)
    assert made[:, :2].mean(axis=0) == pytest.approx([0, 0], abs=0.06)
    assert made[:, :2].std(axis=0) == pytest.approx([1, 1], abs=0.05)
    classes, counts = np.unique(made[:, 2], return_counts=True)
    assert classes.tolist() == [0, 1, 2]
    assert abs(counts - 1000).max() < 100
    saved = SavedGenerator(tmp_path, num_classes=3)
    asked = saved.sample(4, 1, labels=[2, 0, 1, 2])
    assert asked[:, 2].tolist() == [2, 0, 1, 2]
    np.testing.assert_array_equal(asked[:, :2], saved.sample(4, 1)[:, :2])
    assert saved.sample(2, 1, labels=1)[:, 2].tolist() == [1, 1]
    for labels in ([0, 3], [0, -1], [0, 1, 2], [0.5, 1.0], 3):
        with pytest.raises(ValueError, match="`labels` must be"):
            saved.sample(2, 1, labels=labels)
    with pytest.raises(ValueError, match="num_classes=None"):
        SavedGenerator(tmp_path)
    with pytest.raises(ValueError, match="must have the signature"):
        SavedGenerator(tmp_path, signature="sample")


def test_labels_are_those_of_the_live_model(exported):
    made = exported("conditional")
    saved = SavedGenerator(made.version)
    assert (saved.takes_labels, saved.num_classes) == (True, None)
    labels = [3, 1, 4, 1, 5]
    expected = made.live.sample(5, seed=3, labels=labels)
    np.testing.assert_allclose(saved.sample(5, 3, labels=labels), expected, atol=1e-5)
    # To the export itself -1 is a class that is drawn; to a caller it is none.
    for label, message in ((10, "refuses the labels: .*classes from 0 to 9"), (-1, "from 0")):
        with pytest.raises(ValueError, match=message):
            saved.sample(5, 3, labels=label)


def test_labels_for_a_model_without_classes(exported):
    saved = SavedGenerator(exported("plain").version)
    assert not saved.takes_labels
    with pytest.raises(ValueError, match="not conditional"):
        saved.sample(5, 3, labels=1)


def test_saved_model_of_another_library(tmp_path):
    class Theirs(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="z")])
        def __call__(self, z):
            pixels = tf.cast(tf.reshape(z[:, :1] > 0, [-1, 1, 1, 1]), tf.float32)
            return {"out": 255.0 * tf.tile(pixels, [1, 8, 8, 1])}

    module = Theirs()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.__call__)
    generator = SavedGenerator(tmp_path / "m", value_range=(0, 255))
    images = generator.sample(100, seed=1)
    assert images.shape == (100, 8, 8, 1)
    assert set(np.unique(images)) == {-1, 1}
    np.testing.assert_array_equal(generator.sample(100, seed=1), images)
    assert not np.array_equal(generator.sample(100, seed=2), images)
    with pytest.raises(ValueError, match="signature 'sample'"):
        SavedGenerator(tmp_path / "m", signature="sample")
    with pytest.raises(ValueError, match="take labels"):
        SavedGenerator(tmp_path / "m", num_classes=3)
    first = generator.describe()["checksum"]
    with (tmp_path / "m" / "assets.txt").open("w") as file:
        file.write("changed")
    assert generator.describe()["checksum"] != first
