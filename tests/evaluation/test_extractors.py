"""What turns examples into features: the digits' classifier, Keras layers, functions, Inception."""

import copy
import hashlib
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.evaluation import (
    DigitsClassifier,
    Features,
    FunctionExtractor,
    Identity,
    inception_2015,
    keras_model,
)


@pytest.fixture(scope="module")
def digits_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_digits_classifier_is_trained_once_and_cached(digits_folder):
    first = DigitsClassifier(data_dir=digits_folder)
    # .981 was measured; of 360 digits an error is .003.
    assert first.accuracy > 0.96
    (cached,) = (digits_folder / "extractors").iterdir()
    stamp = cached.stat().st_mtime_ns
    again = DigitsClassifier(data_dir=digits_folder)
    assert cached.stat().st_mtime_ns == stamp
    assert (again.checksum, again.accuracy) == (first.checksum, first.accuracy)
    for damage in (b"PK\x03\x04", b""):
        cached.write_bytes(damage)
        with pytest.warns(UserWarning, match="damaged"):
            mended = DigitsClassifier(data_dir=digits_folder)
        assert mended.checksum == first.checksum


def test_features_of_digits(digits_folder):
    extractor = DigitsClassifier(data_dir=digits_folder)
    images = tiny.digits(50)
    features, probabilities = extractor(images)
    assert (features.shape, features.dtype) == ((50, 64), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), tiny.digit_labels(50))
    pixels = np.rint((images + 1) * 127.5).astype(np.uint8)
    np.testing.assert_allclose(
        extractor(pixels).features, extractor(pixels / 127.5 - 1).features, atol=1e-5
    )
    stacked = extractor(np.concatenate([images, images[::-1], images], axis=-1))
    assert stacked.probabilities is None
    np.testing.assert_allclose(stacked.features[:, 64:128], features[::-1], atol=1e-5)
    with pytest.raises(ValueError, match="8, 8"):
        extractor(np.zeros([2, 9, 8, 1]))
    with pytest.raises(ValueError, match="one channel"):
        extractor.probabilities(np.zeros([2, 8, 8, 3]))


def test_functions_and_the_identity():
    assert Identity()(np.zeros([3, 2, 2, 1])).features.shape == (3, 4)

    def brightness(images):
        return images.mean(axis=(1, 2)), np.full([len(images), 2], 0.5)

    extractor = FunctionExtractor(brightness)
    assert (extractor.name, extractor.checksum) == ("brightness", None)
    assert extractor(tiny.digits(3)).probabilities.shape == (3, 2)
    with pytest.raises(ValueError, match="function of examples"):
        FunctionExtractor("digits")
    for bad, message in ((lambda x: x, "dim"), (lambda x: x[:1, :, 0, 0], "dim")):
        with pytest.raises(ValueError, match=message):
            FunctionExtractor(bad)(tiny.digits(3))
    with pytest.raises(ValueError, match="finite"):
        FunctionExtractor(lambda x: x[:, :, 0, 0] * np.nan)(tiny.digits(3))


def test_layer_of_a_keras_model():
    inputs = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(5, 3, name="maps")(inputs)
    classes = keras.layers.Dense(3, "softmax", name="classes")(keras.layers.Flatten()(maps))
    model = keras.Model(inputs, classes, name="small")
    images = tiny.digits(4)
    extractor = keras_model(model, "maps", probabilities="classes")
    found = extractor(images)
    expected = keras.Model(inputs, maps)(images).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(found.features, expected, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, model(images), rtol=1e-5)
    assert extractor.name == "small/maps"
    other = keras.models.clone_model(model)
    checksum = keras_model(model, "maps").checksum
    assert keras_model(other, "maps").checksum != checksum
    other.set_weights(model.get_weights())
    assert keras_model(other, "maps").checksum == checksum

    def halve(images):
        return images / 2

    large = np.zeros([2, 20, 20, 1], np.float32) + 0.5
    resized = keras_model(model, "maps", image_size=(8, 8), preprocess=halve)
    np.testing.assert_allclose(
        resized(large).features, extractor(large[:, :8, :8] / 2).features, rtol=1e-4
    )
    assert resized.resizing == "(8, 8), bicubic, antialiased; then halve"
    with pytest.raises(ValueError, match="maps"):
        keras_model(model, "last")
    with pytest.raises(ValueError, match="Model"):
        keras_model("model", "last")


def frozen_graph(path, *, without=()):
    """Writes a graph with the names of the 2015 network; pooling stands for all of it."""
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, 299, 299, 3], name="Mul")
        pooled = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
        pool = tf.tile(pooled, [1, 1, 1, 4], name="pool_3")
        with tf.name_scope("softmax/logits"):
            kernel = tf.reshape(tf.range(36, dtype=tf.float32), [12, 3])
            tf.matmul(tf.reshape(pool, [-1, 12]), kernel, name="MatMul")
    definition = graph.as_graph_def()
    kept = [node for node in definition.node if node.name not in without]
    written = tf.compat.v1.GraphDef(node=kept, versions=definition.versions)
    path.write_bytes(written.SerializeToString())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_frozen_graph_is_read_with_its_checksum(tmp_path):
    path = tmp_path / "graph.pb"
    digest = frozen_graph(path)
    extractor = inception_2015(path, sha256=digest.upper())
    assert extractor.is_inception_2015
    assert (extractor.name, extractor.checksum) == ("inception_2015", digest)
    colours = np.array([[0.5, -0.5, 0.25], [-1, 0, 1]], np.float32)
    images = np.ones([2, 8, 8, 3], np.float32) * colours[:, np.newaxis, np.newaxis]
    features, probabilities = extractor(images)
    # The graph's node takes (x - 128) / 128 of pixels x.
    colours = ((colours + 1) * 127.5 - 128) / 128
    # Means of 299 x 299 pixels in float32.
    np.testing.assert_allclose(features, np.tile(colours, 4), atol=2e-3)
    logits = features @ np.arange(36.0).reshape(12, 3)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-4)
    grey = extractor(images[..., :1]).features
    np.testing.assert_allclose(grey, np.tile(colours[:, :1], 12), atol=2e-3)
    with pytest.raises(ValueError, match="1 or 3"):
        extractor(images[..., :2])


def test_a_copied_frozen_graph_is_read_again(tmp_path):
    path = tmp_path / "graph.pb"
    extractor = inception_2015(path, sha256=frozen_graph(path))
    images = np.linspace(-1, 1, 2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)
    expected = extractor(images).features
    for again in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        np.testing.assert_array_equal(again(images).features, expected)
    again = copy.deepcopy(extractor)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match="replaced"):
        again(images)


def test_frozen_graph_that_is_not_trusted(tmp_path):
    path = tmp_path / "graph.pb"
    digest = frozen_graph(path)
    with pytest.raises(ValueError, match=digest):
        inception_2015(path)
    with pytest.raises(ValueError, match=f"must have the SHA-256 {'0' * 64}"):
        inception_2015(path, sha256="0" * 64)
    other = frozen_graph(path, without=("pool_3",))
    with pytest.raises(ValueError, match="without: pool_3"):
        inception_2015(path, sha256=other)
    path.write_bytes(b"\xff no graph")
    with pytest.raises(ValueError, match="no frozen graph"):
        inception_2015(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


class Module(tf.Module):
    """A stand-in for TF-GAN's module, with as many features as it has."""

    def __init__(self, dim=2048):
        super().__init__()
        self.dim = dim

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3])])
    def __call__(self, images):
        mean = tf.reduce_mean(images, axis=[1, 2])
        return {"pool_3": tf.tile(mean[:, :1], [1, self.dim]), "logits": mean}


def test_module_of_tf_hub_in_its_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=f"missing.*{tmp_path}.*TFHUB_CACHE_DIR"):
        inception_2015()
    url = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"
    folder = tmp_path / hashlib.sha1(url.encode()).hexdigest()
    tf.saved_model.save(Module(), str(folder))
    for place in (url, folder):
        features, probabilities = inception_2015(place)(np.zeros([2, 8, 8, 1], np.float32))
        assert features.shape == (2, 2048)
        np.testing.assert_allclose(probabilities, 1 / 3)
    with pytest.raises(ValueError, match="Get it anew"):
        inception_2015(folder, sha256="0" * 64)
    tf.saved_model.save(Module(7), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="2048"):
        inception_2015(tmp_path / "other")
    with pytest.raises(ValueError, match="inception-2015-12-05"):
        inception_2015(tmp_path / "absent.pb")


def test_features_is_a_pair():
    assert Features(np.zeros([1, 1])).probabilities is None
    assert tfgans.evaluation.Extractor.is_inception_2015 is False


def test_checksum_of_a_keras_model_is_of_all_that_decides():
    def build(activation):
        inputs = keras.Input((8, 8, 1))
        flat = keras.layers.Flatten(name="flat")(inputs)
        return keras.Model(inputs, keras.layers.Dense(3, activation, name="last")(flat))

    one, same, other = build("relu"), build("relu"), build("linear")
    for model in (same, other):
        model.set_weights(one.get_weights())
    sums = [keras_model(model, "last").checksum for model in (one, same, other)]
    assert sums[0] == sums[1] != sums[2]
    assert keras_model(one, "last", preprocess=lambda images: 9 * images).checksum is None
