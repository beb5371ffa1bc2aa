"""A file of ONNX or LiteRT gives the images of the generator, and is whole or not there."""

import contextlib
import importlib
import json
import math

import keras
import numpy as np
import pytest
import served
import tensorflow as tf
import tiny

import tfgans
from tfgans import checks
from tfgans.export import export_exchange
from tfgans.export.exchange import FORMATS, ExchangeFormat, rounding_tolerance

SLOW = pytest.mark.slow


def run(format_name, path, **inputs):
    """Runs a file as a program without TensorFlow does."""
    if format_name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(["images"], inputs)[0]
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_signature_runner("serving_default")(**inputs)["images"]


@pytest.fixture(params=FORMATS)
def format_name(request):
    for package in FORMATS[request.param].packages:
        pytest.importorskip(package, reason=checks.install_command("exchange"))
    return request.param


@pytest.fixture
def path(format_name, tmp_path):
    return tmp_path / "exported" / f"digits{FORMATS[format_name].suffix}"


class Scaled(keras.Model):
    """A subclassed model with layers that act in training only."""

    def __init__(self):
        super().__init__()
        self.dense, self.scale = keras.layers.Dense(3), keras.layers.BatchNormalization()
        self.noise = [keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0)]
        self(np.zeros([1, 4], np.float32))

    def call(self, latents, training=False):
        outputs = self.scale(self.dense(latents), training=training)
        for layer in self.noise:
            outputs = layer(outputs, training=training)
        return 2.0 * outputs


def dcgan_generator():
    return tfgans.networks.dcgan_generator((16, 16, 3), latent_dim=8)


def r3gan_generator():
    return tfgans.networks.r3gan_generator((8, 8, 1), latent_dim=4, width=8, num_blocks=1)


@pytest.mark.parametrize(
    ("make", "latent_dim", "tolerance", "format_name"),
    [
        # A value of tanh is the sum of 36 products at most: 8 * sqrt(36) * 2**-23 is 6e-6.
        *((tiny.generator, 4, 1e-5, name) for name in FORMATS),
        (Scaled, 4, 1e-5, "onnx"),
        # Values of up to 1, through some ten layers.
        (r3gan_generator, 4, 1e-4, "onnx"),
        pytest.param(r3gan_generator, 4, 1e-4, "litert", marks=SLOW),
        # The square roots of the fan-ins sum to 51: times 8 * 2**-23 that is 5e-5.
        *(pytest.param(dcgan_generator, 8, 5e-5, name, marks=SLOW) for name in FORMATS),
    ],
    indirect=["format_name"],
)
def test_images_of_any_batch_size(make, latent_dim, tolerance, format_name, path):
    generator = make()
    assert export_exchange(generator, path, format=format_name) == path
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    for rows in (1, 5):
        latents = np.random.default_rng(rows).normal(size=(rows, latent_dim)).astype(np.float32)
        received = run(format_name, path, latents=latents)
        np.testing.assert_allclose(received, generator(latents), atol=tolerance)


def test_conditional_generators(format_name, path):
    generator = tiny.conditional_generator()
    export_exchange(generator, path, format=format_name, num_classes=10)
    latents = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    labels = np.array([7, 0, 9, 3], np.int32)
    expected = generator([latents, labels])
    received = run(format_name, path, latents=latents, labels=labels)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert not np.allclose(run(format_name, path, latents=latents, labels=labels[::-1]), expected)


@pytest.mark.parametrize(
    "format_name", ["onnx", pytest.param("litert", marks=SLOW)], indirect=["format_name"]
)
def test_mixtures_take_the_component_of_each_row(format_name, path):
    generator, _ = tiny.mixtures(3, 1)
    export_exchange(generator, path, format=format_name)
    latents = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    components = np.array([2, 0, 1, 2], np.int32)
    received = run(format_name, path, latents=latents, components=components)
    for row, component in enumerate(components):
        expected = generator.components[component](latents)[row]
        np.testing.assert_allclose(received[row], expected, atol=1e-5)


@pytest.mark.slow
def test_a_component_alone(tmp_path):
    pytest.importorskip("onnxruntime", reason=checks.install_command("exchange"))
    live = served.export("mixture").live
    path = live.export(tmp_path / "digits.onnx", "onnx", component=2)
    latents = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    expected = live.ema_generator.components[2](latents)
    np.testing.assert_allclose(run("onnx", path, latents=latents), expected, atol=1e-5)
    version = live.export(tmp_path / "digits", component=2, verify=False)
    saved = tf.saved_model.load(str(version)).signatures["serving_default"]
    np.testing.assert_allclose(saved(latents=tf.constant(latents))["images"], expected, atol=1e-5)
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())["model"]
    assert (card["component"], card["num_components"]) == (2, 1)
    assert card["parameters"] == live.ema_generator.components[2].count_params()
    with pytest.raises(ValueError, match="from 0 to 2"):
        live.export(tmp_path / "digits", component=3)


@pytest.mark.slow
def test_litert_takes_single_rows_of_what_it_cannot_resize(tmp_path):
    pytest.importorskip("ai_edge_litert", reason=checks.install_command("exchange"))
    generator = tfgans.networks.resnet_generator((16, 16, 3), latent_dim=8)
    path = tmp_path / "digits.tflite"
    with pytest.warns(UserWarning, match="one latent at a time"):
        export_exchange(generator, path, format="litert")
    latents = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32)
    received = run("litert", path, latents=latents)
    np.testing.assert_allclose(received, generator(latents), atol=2e-4)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits", {}, r"must end in \.onnx"),
        ("digits.onnx", {"format": "torch"}, "'onnx', 'litert'"),
        ("folder.onnx", {}, "existing folder .*folder.onnx"),
        ("digits.onnx", {"verbose": "no"}, "`verbose` must be True or False"),
    ],
)
def test_invalid_arguments(name, options, message, tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ValueError, match=message):
        export_exchange(tiny.generator(), tmp_path / name, **{"format": "onnx", **options})
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.onnx"]


def test_arguments_of_saved_models_are_refused(tmp_path):
    live = served.export("plain").live
    with pytest.raises(ValueError, match="`verify=False` applies only to"):
        live.export(tmp_path / "digits.onnx", "onnx", verify=False)
    with pytest.raises(ValueError, match="`class_names`, `card` and `keep` apply only to"):
        live.export(tmp_path / "digits.onnx", "onnx", keep=1)
    assert not list(tmp_path.iterdir())


def test_half_precision_is_refused(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(ValueError, match=r"float32.*float16"):
        export_exchange(tiny.generator(), tmp_path / "digits.onnx", format="onnx")


def test_a_missing_package_is_named(format_name, path, monkeypatch):
    missing = FORMATS[format_name].packages[-1]
    real = importlib.import_module

    def without(module):
        if module == missing:
            raise ModuleNotFoundError(f"No module named {module!r}")
        return real(module)

    monkeypatch.setattr(importlib, "import_module", without)
    package = missing.partition(".")[0]
    with pytest.raises(ImportError, match=rf"{package}.*tfgans-keras\[exchange\]"):
        export_exchange(tiny.generator(), path, format=format_name)
    assert not path.parent.exists()


class Drawing(keras.layers.Layer):
    """Draws at random at inference too."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


class Unconvertible(keras.layers.Layer):
    """Replaces text, which no exchange format can."""

    def call(self, inputs):
        text = tf.strings.as_string(inputs)
        return tf.strings.to_number(tf.strings.regex_replace(text, "0", "1"))


@pytest.mark.parametrize(
    ("layer", "format_name"),
    [
        (Drawing, "onnx"),
        (Unconvertible, "onnx"),
        pytest.param(Unconvertible, "litert", marks=SLOW),
    ],
    indirect=["format_name"],
)
def test_a_failure_leaves_the_file_as_it_was(layer, format_name, path):
    inputs = keras.Input((4,))
    generator = keras.Model(inputs, layer()(keras.layers.Dense(2)(inputs)))
    path.parent.mkdir()
    path.write_text("the file before")
    with pytest.raises(ValueError, match="tf_saved_model"):
        export_exchange(generator, path, format=format_name)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "the file before"


@pytest.mark.parametrize("format_name", ["onnx"], indirect=True)
@pytest.mark.parametrize(
    ("change", "factor", "message"),
    [
        (lambda images: images + 0.01, 1.0, r"differ by 0\.01"),
        (lambda images: images * np.nan, 1.0, "differ by nan"),
        (lambda images: images[:, :1], 1.0, r"images of shape .* Received shape: \(1, 1, 8, 1\)"),
        (lambda images: images, np.nan, "NaN"),
    ],
)
def test_other_images_are_refused(change, factor, message, format_name, path, monkeypatch):
    """The file gives other images, or the generator has diverged."""
    generator = tiny.generator()
    generator.set_weights([weight * factor for weight in generator.get_weights()])
    monkeypatch.setattr(keras.Model, "export", lambda *_, **__: None)  # Converts nothing.
    monkeypatch.setattr(
        ExchangeFormat,
        "run",
        lambda self, path, batches: [
            change(generator(inputs["latents"]).numpy()) for inputs in batches
        ],
    )
    with pytest.raises(ValueError, match=message):
        export_exchange(generator, path, format=format_name)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("name", "wrong", "format_name"),
    [
        *(("labels", wrong, "onnx") for wrong in (0, 40, 99)),
        *(("components", wrong, "onnx") for wrong in (0, 4)),
        ("components", 4, "litert"),
    ],
    indirect=["format_name"],
)
def test_every_component_and_the_last_class_are_compared(
    name, wrong, format_name, path, monkeypatch
):
    """The file gives other images for a class or a component; that of LiteRT takes single rows."""
    components = [tiny.conditional_generator(num_classes=100, seed=seed) for seed in range(5)]
    generator, sizes = tfgans.MixtureGenerator(components), []

    def run(self, path, batches):
        images = []
        for inputs in batches:
            sizes.append(len(inputs["latents"]))
            made = generator([inputs["latents"], inputs["labels"]], component=inputs["components"])
            offset = 0.01 * (inputs[name] == wrong)
            images.append(made.numpy() + np.float32(offset[:, np.newaxis, np.newaxis, np.newaxis]))
        return images

    def export(self, path, *, input_signature, **_):
        """Converts nothing, and for LiteRT refuses batches of any size."""
        if format_name == "litert" and input_signature[0].shape[0] is None:
            raise RuntimeError("failed to legalize")

    monkeypatch.setattr(keras.Model, "export", export)
    monkeypatch.setattr(ExchangeFormat, "run", run)
    warns = pytest.warns(UserWarning, match="one latent at a time")
    with (
        warns if format_name == "litert" else contextlib.nullcontext(),
        pytest.raises(ValueError, match=r"differ by 0\.01"),
    ):
        export_exchange(generator, path, format=format_name, num_classes=100)
    # The first 64 classes and the last.
    assert sizes == ([1] * 65 if format_name == "litert" else [1, 16, 16, 16, 16])


@pytest.mark.parametrize("format_name", FORMATS, indirect=True)
def test_a_generator_without_weights(format_name, path, capsys):
    layers = [keras.layers.Reshape((4, 4, 1)), keras.layers.Activation("tanh")]
    generator = keras.Sequential([keras.Input((16,)), *layers])
    export_exchange(generator, path, format=format_name, verbose=True)
    assert capsys.readouterr().out.splitlines()[-1] == f"Saved {path} with the inputs latents"


@pytest.mark.parametrize(
    ("layer", "num_products"),
    [
        (keras.layers.Conv2D(3, 4), 4 * 4 * 64),
        (keras.layers.Conv2DTranspose(3, 4), 4 * 4 * 64),
        (keras.layers.Conv2DTranspose(3, 4, strides=2), 2 * 2 * 64),
        (keras.layers.Conv2DTranspose(3, (5, 2), strides=(2, 3)), 3 * 1 * 64),
        (tfgans.layers.SpectralNormalization(keras.layers.Conv2DTranspose(3, 4)), 4 * 4 * 64),
    ],
)
def test_tolerance_of_convolutions(layer, num_products):
    """The bias has a fan-in of 1, as has the vector of spectral normalization."""
    generator = keras.Sequential([keras.Input((8, 8, 64)), layer])
    vectors = len(generator.weights) - 1
    expected = 8 * 2.0**-23 * (1 + math.sqrt(num_products) + vectors)
    assert rounding_tolerance(generator) == pytest.approx(expected)
