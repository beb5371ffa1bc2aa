"""One file of ONNX or LiteRT gives the images of the generator, and is whole or not there."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.export import exchange, export_exchange
from tfgans.export.exchange import FORMATS, Format

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
PACKAGES = {"onnx": ("onnx", "tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}


def run(format_name, path, **inputs):
    """Runs a file as a program without TensorFlow does."""
    if format_name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(["images"], inputs)[0]
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_signature_runner("serving_default")(**inputs)["images"]


@pytest.fixture(params=SUFFIXES)
def format_name(request):
    for package in PACKAGES[request.param]:
        pytest.importorskip(package, reason="needs the extra `exchange`")
    return request.param


@pytest.fixture
def path(format_name, tmp_path):
    return tmp_path / "exported" / f"digits{SUFFIXES[format_name]}"


def noisy_generator():
    """With layers that act in training only."""
    inputs = keras.Input((4,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(16, "relu")(inputs))
    x = keras.layers.GaussianNoise(1.0)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(2, "tanh")(x))


@pytest.mark.parametrize("make", [tiny.generator, noisy_generator])
def test_plain_generators(make, format_name, path):
    generator = make()
    assert export_exchange(generator, path, format=format_name) == path
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    for rows in (1, 5):
        latents = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
        # A value of tanh is the sum of 36 products at most: 8 * sqrt(36) * 2**-23 is 6e-6.
        np.testing.assert_allclose(
            run(format_name, path, latents=latents), generator(latents), atol=1e-5
        )


def test_conditional_generators(format_name, path):
    generator = tiny.conditional_generator()
    export_exchange(generator, path, format=format_name, num_classes=10)
    latents = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    labels = np.array([7, 0, 9, 3], np.int32)
    expected = generator([latents, labels])
    received = run(format_name, path, latents=latents, labels=labels)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert not np.allclose(run(format_name, path, latents=latents, labels=labels[::-1]), expected)


def test_dcgan_takes_any_batch(format_name, path):
    generator = tfgans.networks.dcgan_generator((16, 16, 3), latent_dim=8)
    export_exchange(generator, path, format=format_name)
    latents = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    received = run(format_name, path, latents=latents)
    # The square roots of the fan-ins sum to 51: times 8 * 2**-23 that is 5e-5.
    np.testing.assert_allclose(received, generator(latents), atol=5e-5)


def test_litert_takes_single_rows_of_what_it_cannot_resize(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs the extra `exchange`")
    generator = tfgans.networks.resnet_generator((16, 16, 3), latent_dim=8)
    path = tmp_path / "digits.tflite"
    with pytest.warns(UserWarning, match="one latent at a time"):
        export_exchange(generator, path, format="litert")
    latents = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32)
    received = run("litert", path, latents=latents)
    np.testing.assert_allclose(received, generator(latents), atol=2e-4)


def test_subclassed_generators(format_name, path):
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, latents):
            return 2.0 * self.dense(latents)

    generator = Scaled()
    latents = np.ones([2, 4], np.float32)
    expected = generator(latents)
    export_exchange(generator, path, format=format_name)
    np.testing.assert_allclose(run(format_name, path, latents=latents), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "digits.tflite", "digits.onnx.zip"])
def test_the_suffix_is_that_of_the_format(name, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        export_exchange(tiny.generator(), tmp_path / name, format="onnx")
    assert not list(tmp_path.iterdir())


def test_unknown_formats(tmp_path):
    with pytest.raises(ValueError, match="'onnx', 'litert'"):
        export_exchange(tiny.generator(), tmp_path / "digits.onnx", format="torch")


def test_mixtures_are_for_a_saved_model(format_name, path):
    with pytest.raises(ValueError, match="tf_saved_model"):
        export_exchange(tiny.mixtures()[0], path, format=format_name)


def test_half_precision_is_refused(format_name, path):
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(ValueError, match=r"float32.*float16"):
        export_exchange(tiny.generator(), path, format=format_name)


@pytest.mark.parametrize(("conditional", "num_classes"), [(True, None), (False, 10)])
def test_classes_are_of_conditional_generators(conditional, num_classes, format_name, path):
    generator = tiny.conditional_generator() if conditional else tiny.generator()
    with pytest.raises(ValueError, match="num_classes"):
        export_exchange(generator, path, format=format_name, num_classes=num_classes)


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_missing_package_is_named(name, monkeypatch, tmp_path):
    lacking = FORMATS[name].packages[-1]
    real = importlib.import_module

    def without(module):
        if module == lacking:
            raise ModuleNotFoundError(f"No module named {module!r}")
        return real(module)

    monkeypatch.setattr(exchange.importlib, "import_module", without)
    package = lacking.partition(".")[0]
    try:
        for module in FORMATS[name].packages[:-1]:
            real(module)
    except ImportError:
        pytest.skip("another package of the extra `exchange` is missing")
    with pytest.raises(ImportError, match=rf"{package}.*pip install tfgans\[exchange\]"):
        export_exchange(tiny.generator(), tmp_path / f"a{SUFFIXES[name]}", format=name)
    assert not list(tmp_path.iterdir())


class Drawing(keras.layers.Layer):
    """Draws at random at inference too: no two calls give the same."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


class Unconvertible(keras.layers.Layer):
    """Sorts text: no exchange format has that."""

    def call(self, inputs):
        as_text = tf.strings.as_string(inputs)
        return tf.strings.to_number(tf.strings.regex_replace(as_text, "0", "1"))


@pytest.mark.parametrize("layer", [Drawing, Unconvertible])
def test_a_failure_leaves_the_file_as_it_was(layer, format_name, path):
    inputs = keras.Input((4,))
    generator = keras.Model(inputs, layer()(keras.layers.Dense(2)(inputs)))
    with pytest.raises(ValueError, match="tf_saved_model"):
        export_exchange(generator, path, format=format_name)
    assert not list(path.parent.iterdir())
    path.write_text("the file before")
    with pytest.raises(ValueError, match="tf_saved_model"):
        export_exchange(generator, path, format=format_name)
    assert [(one.name, one.read_text()) for one in path.parent.iterdir()] == [
        (path.name, "the file before")
    ]


def test_other_images_are_refused(format_name, path, monkeypatch):
    # As if a converter had dropped what the file cannot hold: images off by a hundredth.
    generator = tiny.generator()
    monkeypatch.setattr(
        Format, "run", lambda self, path, inputs: generator(inputs["latents"]).numpy() + 0.01
    )
    with pytest.raises(ValueError, match=r"differ by 0\.01"):
        export_exchange(generator, path, format=format_name)
    assert not list(path.parent.iterdir())


def test_a_generator_that_diverged_is_refused(format_name, path):
    generator = tiny.generator()
    generator.set_weights([weight * np.nan for weight in generator.get_weights()])
    with pytest.raises(ValueError, match="NaN"):
        export_exchange(generator, path, format=format_name)
