"""Extractors: the digits' classifier, layers of Keras models, functions, Inception."""

import copy
import hashlib
import pickle
import shutil
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfgans.evaluation import (
    DigitsClassifier,
    Extractor,
    FunctionExtractor,
    Identity,
    inception_2015,
    keras_model,
    weights_cache,
)
from tfgans.images import from_uint8, to_uint8


def test_digits_classifier_knows_the_digits():
    # .981 was measured; of 360 digits an error is .003.
    assert DigitsClassifier().accuracy > 0.96


@pytest.mark.parametrize("damage", [b"PK\x03\x04", b""])
def test_damaged_weights_are_made_again(damage, tmp_path):
    made = iter([[np.ones(2)], [np.zeros(2)]])

    def cached():
        return weights_cache.cached("a", [(2,)], lambda: next(made), data_dir=tmp_path)

    np.testing.assert_array_equal(cached(), [[1, 1]])
    for lock in tmp_path.rglob("*.lock"):
        shutil.rmtree(lock)
    np.testing.assert_array_equal(cached(), [[1, 1]])
    # Reading writes nothing: the folder may be read-only.
    assert not [*tmp_path.rglob("*.lock")]
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(damage)
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(cached(), [[0, 0]])
    np.testing.assert_array_equal(cached(), [[0, 0]])


def test_weights_of_another_name_are_made_at_the_same_time(tmp_path):
    def cached(name, make):
        return weights_cache.cached(name, [(2,)], make, data_dir=tmp_path)

    def make_while_another_is_made():
        other = threading.Thread(target=cached, args=("b", lambda: [np.ones(2)]), daemon=True)
        other.start()
        other.join(timeout=20)
        assert not other.is_alive()
        return [np.zeros(2)]

    np.testing.assert_array_equal(cached("a", make_while_another_is_made), [[0, 0]])
    np.testing.assert_array_equal(cached("b", pytest.fail), [[1, 1]])


def test_features_of_digits():
    extractor = DigitsClassifier()
    images = tiny.digits(50)
    features, probabilities = extractor(images)
    assert (features.shape, features.dtype) == ((50, 64), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), tiny.digit_labels(50))
    pixels = to_uint8(images)
    np.testing.assert_array_equal(
        extractor(pixels).features, extractor(from_uint8(pixels)).features
    )
    stacked = extractor(np.concatenate([images, images[::-1], images], axis=-1))
    assert stacked.probabilities is None
    np.testing.assert_allclose(stacked.features[:, 64:128], features[::-1], atol=1e-5)
    with pytest.raises(ValueError, match="8, 8"):
        extractor(np.zeros([2, 9, 8, 1]))
    with pytest.raises(ValueError, match="single channel"):
        extractor.probabilities(np.zeros([2, 8, 8, 3]))


def test_functions_and_the_identity():
    assert Identity()(np.zeros([3, 2, 2, 1])).features.shape == (3, 4)

    def brightness(images):
        return images.mean(axis=(1, 2)), np.full([len(images), 2], 0.5)

    extractor = FunctionExtractor(brightness)
    assert (extractor.name, extractor.checksum) == ("brightness", None)
    assert extractor(tiny.digits(3)).probabilities.shape == (3, 2)
    assert Extractor.is_inception_2015 is False


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FunctionExtractor("digits"), "function of examples"),
        (lambda: Identity()(np.full([2, 8, 8, 1], 255.0)), r"`examples` must lie in \[-1, 1\], or"),
        (lambda: FunctionExtractor(np.ravel, name=""), "name must not be empty"),
        (lambda: FunctionExtractor(np.ravel, name="a,b"), "commas"),
        (lambda: FunctionExtractor(np.ravel, name="a[b]"), "brackets"),
        (lambda: FunctionExtractor(lambda x: x)(tiny.digits(3)), r"features \[3, dim\]"),
        (lambda: FunctionExtractor(lambda x: x[:1, :, 0, 0])(tiny.digits(3)), r"\[3, dim\]"),
        (lambda: FunctionExtractor(lambda x: x[:, 0, 0] * np.nan)(tiny.digits(3)), "finite"),
        (
            lambda: FunctionExtractor(lambda x: (x[:, 0, 0], x[:, 0, 0]))(tiny.digits(3)),
            "probabilities of <lambda>` must be at least 0 and sum to 1",
        ),
        (lambda: keras_model(tiny.discriminator(), "last"), "layer of that name"),
        (lambda: keras_model("model", "last"), "Model"),
        (lambda: keras_model(small_model(), "maps")(np.zeros([2, 9, 8, 1])), r"\(8, 8, 1\).*2, 9"),
        (
            lambda: keras_model(small_model(), "maps", image_size=(8, 8))(np.zeros([2, 9, 9, 3])),
            r"takes examples of shape \(8, 8, 1\)\. Received shape: \(2, 9, 9, 3\)",
        ),
        (lambda: keras_model(with_states(), "lstm"), "a single output. Received: 'lstm', whose"),
        (lambda: FunctionExtractor(lambda x: np.full([len(x), 1], 1e39))(tiny.digits(3)), "finite"),
        (
            lambda: keras_model(keras.Sequential([keras.layers.Dense(1)]), "dense"),
            "must be a built",
        ),
        (lambda: keras_model(two_inputs(), "sum"), "with a single input"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def two_inputs():
    inputs = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    return keras.Model(inputs, keras.layers.Add(name="sum")(inputs))


def with_states():
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, keras.layers.LSTM(4, return_state=True, name="lstm")(inputs))


def small_model(activation="softmax", dtype="float32"):
    inputs = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(5, 3, name="maps", dtype=dtype)(inputs)
    flat = keras.layers.Flatten()(maps)
    classes = keras.layers.Dense(3, activation, name="classes")(flat)
    return keras.Model(inputs, classes, name="small")


def test_layer_of_a_keras_model():
    model, images = small_model(), tiny.digits(4)
    extractor = keras_model(model, "maps", probabilities="classes")
    features, probabilities = extractor(images)
    expected = model.get_layer("maps")(images).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    np.testing.assert_allclose(probabilities, model(images), rtol=1e-5)
    assert extractor.name == "small/maps"

    def halve(images):
        return images / 2

    large = np.zeros([2, 20, 20, 1], np.float32) + 0.5
    resized = keras_model(model, "maps", image_size=(8, 8), preprocess=halve)
    halved = extractor(large[:, :8, :8] / 2).features
    np.testing.assert_allclose(resized(large).features, halved, rtol=1e-4)
    assert resized.resizing == "(8, 8), bicubic, antialiased; then halve"


def test_checksum_of_a_keras_model_is_of_all_that_decides():
    first, same, weights, other = (small_model(name) for name in ("relu", "relu", "relu", "tanh"))
    for model in (same, other):
        model.set_weights(first.get_weights())
    checksums = [keras_model(m, "classes").checksum for m in (first, same, weights, other)]
    assert checksums[0] == checksums[1]
    assert len(set(checksums)) == 3
    assert keras_model(first, "classes", preprocess=lambda images: 9 * images).checksum is None
    of_layers = {
        keras_model(first, layer.name, probabilities="classes", name="features").checksum
        for layer in first.layers[1:3]
    }
    assert len(of_layers) == 2


def test_half_precision_has_another_checksum_and_no_smaller_range():
    single, half = small_model(), small_model(dtype="mixed_float16")
    kernel, _, *others = single.get_weights()
    for model in (single, half):
        # The sum over 36 positions is beyond the range of half precision.
        model.set_weights([0 * kernel, np.full(5, 3000.0), *others])
    extractors = [keras_model(model, "maps") for model in (single, half)]
    assert extractors[0].checksum != extractors[1].checksum
    for extractor in extractors:
        np.testing.assert_allclose(extractor(tiny.digits(2)).features, 3000, rtol=1e-6)


def test_training_afterwards_changes_no_feature():
    model, images = small_model(), tiny.digits(4)
    extractor = keras_model(model, "maps")
    checksum, before = extractor.checksum, extractor(images).features
    untouched = keras_model(model, "maps")
    model.set_weights([2 * array for array in model.get_weights()])
    model.trainable = False
    for again in (
        *(extractor, untouched),
        *(copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))),
    ):
        np.testing.assert_allclose(again(images).features, before, rtol=1e-6)
        assert again.checksum == checksum
    assert keras_model(model, "maps").checksum != checksum


def test_checksum_does_not_depend_on_the_names_of_nested_layers():
    def checksum(activation):
        convolution = keras.layers.Conv2D(2, 3, activation=activation, kernel_initializer="ones")
        inputs = keras.Input((8, 8, 1))
        inner = keras.Sequential([keras.Input((8, 8, 1)), convolution])
        outputs = keras.layers.Flatten(name="features")(inner(inputs))
        return keras_model(keras.Model(inputs, outputs), "features").checksum

    assert checksum("relu") == checksum("relu") != checksum("tanh")


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
    colors = np.array([[0.5, -0.5, 0.25], [-1, 0, 1]], np.float32)
    images = np.ones([2, 8, 8, 3], np.float32) * colors[:, np.newaxis, np.newaxis]
    features, probabilities = extractor(images)
    # The graph's node takes (x - 128) / 128 of pixels x.
    colors = ((colors + 1) * 127.5 - 128) / 128
    # Means of 299 x 299 pixels in float32.
    np.testing.assert_allclose(features, np.tile(colors, 4), atol=2e-3)
    logits = features @ np.arange(36.0).reshape(12, 3)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-4)
    gray = extractor(images[..., :1]).features
    np.testing.assert_allclose(gray, np.tile(colors[:, :1], 12), atol=2e-3)
    with pytest.raises(ValueError, match="1 or 3"):
        extractor(images[..., :2])
    for again in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        np.testing.assert_array_equal(again(images).features, features)
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
    with pytest.raises(ValueError, match="not a frozen graph"):
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
    digest = frozen_graph(tmp_path / "graph.pb")
    white = np.ones([2, 8, 8, 1], np.float32)
    # TF-GAN feeds the module, and the authors of the FID feed the graph, (x - 128) / 128.
    expected = (255 - 128) / 128
    graph = inception_2015(tmp_path / "graph.pb", sha256=digest)
    np.testing.assert_allclose(graph(white).features, expected, rtol=2e-3)
    for place in (url, folder):
        features, probabilities = inception_2015(place)(white)
        assert features.shape == (2, 2048)
        np.testing.assert_allclose(features, expected, rtol=2e-3)
        np.testing.assert_allclose(probabilities, 1 / 3)
    with pytest.raises(ValueError, match="Download it again"):
        inception_2015(folder, sha256="0" * 64)
    extractor = inception_2015(folder)
    assert inception_2015(folder, sha256=extractor.checksum).checksum == extractor.checksum
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ValueError, match="replaced"):
        copy.deepcopy(extractor)(white)
    tf.saved_model.save(Module(7), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="2048"):
        inception_2015(tmp_path / "other")
    with pytest.raises(ValueError, match="inception-2015-12-05"):
        inception_2015(tmp_path / "absent.pb")
