"""A table for each kind of public class; every row passes all tests of its kind.

A new class needs one row here, or its name in `ELSEWHERE`.
"""

import contextlib
import copy
import dataclasses
import functools
import inspect
import json
import pickle
import re
import signal
from collections.abc import Callable

import keras
import named_methods
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

import tfgans
from tfgans import (
    augmentation,
    callbacks,
    data,
    evaluation,
    networks,
    objectives,
    penalties,
    regularizers,
)

COPIES = {"copy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


# Networks, layers and models.


@dataclasses.dataclass(frozen=True)
class Row:
    """A network, layer or model, and the shape of its inputs."""

    name: str
    make: Callable
    input_shape: tuple[int, ...]
    conditional: bool = False

    @functools.cached_property
    def made(self):
        """An instance for tests that do not change it."""
        return self.make()

    def inputs(self):
        rng = np.random.default_rng(0)
        first = tf.constant(rng.normal(size=(3, *self.input_shape)), tf.float32)
        return [first, tf.constant([2, 0, 1])] if self.conditional else first


def layer(wrapped, input_shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(input_shape), wrapped])


def affine():
    features, labels = keras.Input((4, 3)), keras.Input((), dtype="int32")
    outputs = tfgans.layers.ConditionalAffine(3)([features, labels])
    return keras.Model([features, labels], outputs)


def model(generator, discriminator, **options):
    made = tfgans.GAN(generator, discriminator, objective=objectives.NonSaturating(), **options)
    made.compile()
    return made


def conditional():
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    return model(*players, num_classes=10)


def spectral():
    return layer(tfgans.layers.SpectralNormalization(keras.layers.Conv2D(3, 3)))


def attention():
    """With a scale that is not zero."""
    network = layer(tfgans.layers.SelfAttention(seed=0), (6, 4, 8))
    network.layers[0].scale.assign(0.5)
    return network


def mixture(cls, make):
    return cls([make(seed=seed) for seed in (1, 2, 3)])


IMAGE, LATENT = (8, 8, 1), (4,)
SMALL = {"width": 4, "depth": 1}
OPTIONS = {
    "penalty": penalties.GradientPenalty(weight=3.0),
    "discriminator_steps": 2,
    "weight_clip": 0.1,
    "seed": -5,
    "ema": 0.9,
}
MODELS = [
    Row("GAN", lambda: model(*tiny.mixtures(), **OPTIONS), LATENT),
    Row("GAN", conditional, LATENT, conditional=True),
]
NETWORKS = [
    Row("SpectralNormalization", spectral, IMAGE),
    Row("InstanceNoise", lambda: layer(tfgans.layers.InstanceNoise(0.1, decay_steps=9)), IMAGE),
    Row("MinibatchStdDev", lambda: layer(tfgans.layers.MinibatchStdDev(3)), IMAGE),
    Row("SelfAttention", attention, (6, 4, 8)),
    Row("ConditionalAffine", affine, (4, 3), conditional=True),
    Row("mlp_generator", lambda: networks.mlp_generator((2,), latent_dim=4, width=8), LATENT),
    Row("mlp_discriminator", lambda: networks.mlp_discriminator((2,), width=8), (2,)),
    Row(
        "dcgan_generator",
        lambda: networks.dcgan_generator((8, 9, 1), latent_dim=4, width=4),
        LATENT,
    ),
    Row("dcgan_discriminator", lambda: networks.dcgan_discriminator((8, 9, 1), width=4), (8, 9, 1)),
    Row(
        "resnet_generator",
        lambda: networks.resnet_generator(IMAGE, latent_dim=4, num_classes=3, **SMALL),
        LATENT,
        conditional=True,
    ),
    Row("resnet_discriminator", lambda: networks.resnet_discriminator(IMAGE, **SMALL), IMAGE),
    Row("r3gan_generator", lambda: networks.r3gan_generator(IMAGE, latent_dim=4, **SMALL), LATENT),
    Row(
        "r3gan_discriminator",
        lambda: networks.r3gan_discriminator(IMAGE, num_classes=3, **SMALL),
        IMAGE,
        conditional=True,
    ),
    Row("MixtureGenerator", lambda: mixture(tfgans.MixtureGenerator, tiny.generator), LATENT),
    Row(
        "MixtureDiscriminator",
        lambda: mixture(tfgans.MixtureDiscriminator, tiny.discriminator),
        IMAGE,
    ),
]
table = pytest.mark.parametrize("row", NETWORKS + MODELS, ids=lambda row: row.name)


@table
def test_saved_and_loaded_in_safe_mode(row, tmp_path):
    row.made.save(tmp_path / "made.keras")
    loaded = keras.saving.load_model(tmp_path / "made.keras", safe_mode=True)
    assert type(loaded) is type(row.made)
    expected = row.made(row.inputs())
    np.testing.assert_array_equal(loaded(row.inputs()), expected)
    # And the weights alone.
    loaded.set_weights([weight + 0.01 for weight in loaded.get_weights()])
    row.made.save_weights(tmp_path / "made.weights.h5")
    loaded.load_weights(tmp_path / "made.weights.h5")
    np.testing.assert_array_equal(loaded(row.inputs()), expected)


@table
def test_config_round_trip(row):
    again = type(row.made).from_config(row.made.get_config())
    assert again.get_config() == row.made.get_config()


@table
def test_same_eagerly_and_in_a_graph(row):
    traces = []

    def call(x):
        traces.append(x)
        return row.made(x, training=False)

    eager = call(row.inputs())
    graph = tf.function(call, autograph=False)
    np.testing.assert_allclose(graph(row.inputs()), eager, atol=1e-5)
    graph(tf.nest.map_structure(lambda tensor: tensor[::-1], row.inputs()))
    assert len(traces) == 2  # The second call of the graph does not trace again.


@pytest.mark.slow
@table
def test_same_under_xla(row):
    compiled = tf.function(lambda x: row.made(x, training=False), autograph=False, jit_compile=True)
    expected = row.made(row.inputs(), training=False)
    np.testing.assert_allclose(compiled(row.inputs()), expected, atol=1e-4)


@table
def test_gradient_reaches_the_input_and_is_finite(row):
    inputs = row.inputs()
    first = tf.nest.flatten(inputs)[0]
    with tf.GradientTape() as tape:
        tape.watch(first)
        outputs = row.made(inputs)
    gradient = tf.convert_to_tensor(tape.gradient(outputs, first))  # Rows, of a mixture.
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("name", ["InstanceNoise", "ConditionalAffine", "SpectralNormalization"])
def test_a_mask_passes_through(name):
    """Two steps of ones and two that are masked: the mean over time is that of the ones."""
    inputs, labels = keras.Input((4, 3)), keras.Input((), dtype="int32")
    masked, tfl = keras.layers.Masking()(inputs), tfgans.layers
    outputs = {
        "InstanceNoise": lambda: tfl.InstanceNoise(0.1, decay_steps=9)(masked),
        "ConditionalAffine": lambda: tfl.ConditionalAffine(5)([masked, labels]),
        "SpectralNormalization": lambda: tfl.SpectralNormalization(keras.layers.Dense(2))(masked),
    }[name]()
    pooled = keras.layers.GlobalAveragePooling1D()(outputs)
    examples = np.repeat([[1.0, 1.0, 0.0, 0.0]], 3, axis=0).T[None].astype("float32")
    both = keras.Model([inputs, labels], [outputs, pooled])([examples, np.zeros(1, "int32")])
    np.testing.assert_allclose(both[1], both[0][:, 0], rtol=1e-6)


@table
def test_half_precision_gives_finite_numbers(row):
    keras.config.set_dtype_policy("mixed_float16")
    network = row.make()
    outputs = network(row.inputs())
    assert np.isfinite(outputs).all()
    if hasattr(networks, row.name):
        assert outputs.dtype == tf.float32
        assert "float16" in {layer.compute_dtype for layer in network.layers}
        assert {weight.dtype for weight in network.weights} == {"float32"}


# Sources.


def array_source(num=20):
    return data.from_array(tiny.digits(num), labels=tiny.digit_labels(num))


def folder_source(path):
    """A folder of images of two classes, decoded from files."""
    for index, image in enumerate(tiny.digits(20)):
        folder = path / "images" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (255 * (image[..., 0] > 0)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return data.load(f"folder:{path / 'images'}", image_size=8, cache="none")


# The name of the class, a function of a folder, and whether the source has labels.
SOURCES = {
    "ArraySource": (lambda path: array_source(), True),
    "ImageSource": (folder_source, True),
    "GaussianMixture": (
        lambda path: data.GaussianMixture([[0.0, 1.0], [2.0, 3.0]], std=0.1, name="two"),
        True,
    ),
    "Grid": (lambda path: data.Grid(), True),
    "LowRankGaussian": (lambda path: data.LowRankGaussian(), False),
    "ParallelLines": (lambda path: data.ParallelLines(), False),
    "Ring": (lambda path: data.Ring(), True),
    "StackedImages": (lambda path: data.StackedImages(array_source()), True),
    "SwissRoll": (lambda path: data.SwissRoll(), False),
}


def batch(source, *, size=6, step=2, **options):
    """Batch `step` as a list of arrays."""
    with_labels = source.num_classes is not None
    batches = source.batches(size, start_step=step, labels=with_labels, **options)
    return [tensor.numpy() for tensor in tf.nest.flatten(next(iter(batches)))]


def assert_equal(first, second):
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", SOURCES)
def test_source(name, tmp_path):
    make, has_classes = SOURCES[name]
    source = make(tmp_path)
    assert type(source).__name__ == name
    assert (source.num_classes is not None) == has_classes
    batches = source.batches(6)
    assert batches.element_spec == tf.TensorSpec([6, *source.data_shape], tf.float32)
    third = batch(source)
    # Batch t is a function of t alone, with and without labels, in part and in a copy.
    assert_equal([next(iter(batches.skip(2)))], third[:1])
    second_half = batch(COPIES["pickle"](source), part=(1, 2))
    assert_equal(second_half, [rows[3:] for rows in third])
    for copied in COPIES.values():
        assert repr(copied(source)) == repr(source)
    if has_classes:
        assert third[1].dtype == np.int32
        assert set(third[1]) <= set(range(source.num_classes))


def test_copies_of_a_folder_keep_its_cache_open(tmp_path):
    for index in range(3):
        Image.fromarray(np.full([8, 8], index, np.uint8)).save(tmp_path / f"{index}.png")
    original = data.load(
        f"folder:{tmp_path}", image_size=8, cache="disk", cache_dir=tmp_path / "cache"
    )
    expected = original.raw(np.arange(3))
    duplicates = [copied(original) for copied in COPIES.values()]
    del original
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"no image any more")
    for duplicate in duplicates:
        np.testing.assert_array_equal(duplicate.raw(np.arange(3)), expected)


# Extractors and evaluators.


def brightness(images):
    return images.mean(axis=(1, 2))


def keras_extractor():
    inputs = keras.Input(IMAGE)
    features = keras.layers.Dense(3, name="features")(keras.layers.Flatten()(inputs))
    return evaluation.keras_model(keras.Model(inputs, features), "features")


def evaluator(source=None, extractor=None):
    source = array_source(64) if source is None else source
    return evaluation.Evaluator(source, extractor, metrics=["frechet_distance"], num_samples=40)


EXTRACTORS = {
    "Identity": evaluation.Identity,
    "FunctionExtractor": lambda: evaluation.FunctionExtractor(brightness),
    "DigitsClassifier": evaluation.DigitsClassifier,
    "ImageClassifier": lambda: evaluation.ImageClassifier(IMAGE, num_classes=3),
    "keras_model": keras_extractor,
}


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_copied_extractor_gives_the_same_features(name):
    extractor = EXTRACTORS[name]()
    expected = extractor(tiny.digits(5))
    for copied in COPIES.values():
        duplicate = copied(extractor)
        np.testing.assert_array_equal(duplicate(tiny.digits(5)).features, expected.features)
        assert (duplicate.name, duplicate.checksum) == (extractor.name, extractor.checksum)
        assert repr(duplicate) == repr(extractor)


def test_a_copied_keras_extractor_does_not_share_the_network():
    network = keras.Sequential([keras.Input(IMAGE), keras.layers.Flatten(name="features")])
    network.add(keras.layers.Dense(3, name="last"))
    extractor = evaluation.keras_model(network, "last")
    expected = extractor(tiny.digits(5)).features
    duplicate = copy.deepcopy(extractor)
    network.set_weights([0 * weight for weight in network.get_weights()])
    np.testing.assert_array_equal(duplicate(tiny.digits(5)).features, expected)


def test_a_copied_evaluator_gives_the_same_record():
    original, gan = evaluator(extractor=keras_extractor()), tiny.gan()
    expected = original.evaluate(gan)
    drawn, samples = evaluator(data.Ring()), np.random.default_rng(0).normal(size=(40, 2))
    expected_of_drawn = drawn.evaluate(samples)
    for copied in COPIES.values():
        duplicate = copied(original)
        with pytest.raises(ValueError, match="evaluate"):
            duplicate.neighbors()
        assert duplicate.evaluate(gan) == expected
        assert copied(drawn).evaluate(samples) == expected_of_drawn


# Callbacks.

CALLBACKS = {
    "AdaptComponents": lambda path: callbacks.AdaptComponents(
        path / "components.csv", every_steps=1, max_components=3, patience=2
    ),
    "Backup": lambda path: callbacks.Backup(path / "backups", every_steps=1),
    "Doctor": lambda path: callbacks.Doctor(
        array_source(), path=path / "doctor.csv", every_steps=1, num=8, log_dir=path / "events"
    ),
    "Evaluation": lambda path: callbacks.Evaluation(
        evaluator(extractor=keras_extractor()), path=path / "table.csv"
    ),
    "GracefulStop": lambda path: callbacks.GracefulStop(),
    "MixtureMonitor": lambda path: callbacks.MixtureMonitor(
        path / "mixture.csv", every_steps=1, log_dir=path / "events"
    ),
    "Progress": lambda path: callbacks.Progress(100),
    "SampleGrid": lambda path: callbacks.SampleGrid(
        path / "samples", num=4, every_steps=1, log_dir=path / "events"
    ),
    "StopOnNaN": lambda path: callbacks.StopOnNaN(),
}
WITHOUT_FILES = {"GracefulStop", "Progress", "StopOnNaN"}


def fit(gan, used):
    with contextlib.ExitStack() as entered:
        for callback in used:
            if isinstance(callback, callbacks.GracefulStop):
                entered.enter_context(callback)
        gan.fit(tiny.digits(64), batch_size=8, steps_per_epoch=2, verbose=0, callbacks=used)
    for callback in used:
        if isinstance(callback, callbacks.Progress):
            callback.close()
    return gan


def take_files(folder):
    """Removes the files of the callbacks, and returns their names without random parts."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_file():
            names.add(re.sub(r"-[0-9a-f]{16}\.|\.tfevents\..*", ".", path.name))
            path.unlink()
    return names


def kinds(names):
    return {re.sub(r"\d", "", name) for name in names}


def small_mixture(**options):
    generators = [networks.mlp_generator(IMAGE, latent_dim=4, width=4, seed=s) for s in (1, 2)]
    gan = tfgans.GAN(
        tfgans.MixtureGenerator(generators),
        networks.mlp_discriminator(IMAGE, width=4, depth=1),
        objective=objectives.NonSaturating(),
    )
    gan.compile(**options)
    return gan


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_callbacks_and_their_copies_serve_several_trainings(steps_per_execution, tmp_path):
    used = {name: make(tmp_path) for name, make in CALLBACKS.items()}
    for name, callback in used.items():  # Before any training.
        assert type(callback).__name__ == name
        assert repr(copy.deepcopy(callback)) == repr(callback)
    options = {"steps_per_execution": steps_per_execution, "run_eagerly": steps_per_execution == 1}
    gan = fit(small_mixture(**options), [*used.values()])
    written = take_files(tmp_path)
    assert fit(gan, [*used.values()]).step == 4
    again = take_files(tmp_path)
    assert kinds(again) == kinds(written)
    assert len(kinds(again)) >= len(CALLBACKS) - len(WITHOUT_FILES)
    for copied in COPIES.values():  # After a training, when they hold the most.
        duplicates = [copied(callback) for callback in used.values()]
        for duplicate, callback in zip(duplicates, used.values(), strict=True):
            assert repr(duplicate) == repr(callback)
            assert callback.model is gan
            # GracefulStop is its copy, since it handles the signals.
            assert duplicate is callback or duplicate.model is None
    assert fit(small_mixture(**options), duplicates).step == 2
    assert take_files(tmp_path) == written


@pytest.mark.parametrize("name", sorted({*CALLBACKS} - {"GracefulStop"}))
def test_callbacks_of_gans_refuse_another_model(name, tmp_path):
    network = layer(keras.layers.Dense(1))
    network.compile("sgd", "mse")
    with pytest.raises(ValueError, match=f"`{name}` needs a `tfgans.GAN`.*Sequential"):
        network.fit(tiny.digits(8), tiny.digits(8), callbacks=[CALLBACKS[name](tmp_path)])
    assert network.optimizer.iterations == 0


def test_a_copy_of_graceful_stop_receives_the_signal():
    with callbacks.GracefulStop() as stop:
        duplicate = copy.deepcopy([stop])[0]
        signal.raise_signal(signal.SIGINT)
        network = layer(keras.layers.Dense(1))
        network.compile("sgd", "mse")
        network.fit(tiny.digits(8), tiny.digits(8), batch_size=4, verbose=0, callbacks=[duplicate])
    assert network.optimizer.iterations == 1


# Settings.

SETTINGS = [
    *(
        getattr(objectives, name)()
        for name in objectives.__all__
        if name not in ("Objective", "FDivergence", "donsker_varadhan")
    ),
    objectives.FDivergence("kl"),
    objectives.FDivergence("pearson", non_saturating=True),
    objectives.KLWasserstein(form="linear", temperature=2.0, weight_gradient=False),
    objectives.LeastSquares(label_smoothing=0.1),
    penalties.GradientPenalty(weight=3.0),
    penalties.DRAGANPenalty(),
    # No field has its default.
    penalties.DRAGANPenalty(
        weight=3.0,
        target=0.5,
        one_sided=True,
        every=2,
        fraction=0.25,
        epsilon=1e-8,
        noise="symmetric",
        scale=0.25,
    ),
    penalties.R1Penalty(),
    penalties.R2Penalty(),
    penalties.PenaltySum([penalties.R1Penalty(), penalties.R2Penalty()]),
    augmentation.DiffAugment("cutout,color", strength=0.7, fill=-1.0, penalty_at="raw"),
    augmentation.AdaptiveAugment(
        "blit,color", target=0.5, p_max=0.9, kimg=9.0, every=2, initial_p=0.1, color_multiplier=0.5
    ),
    regularizers.LeCam(weight=0.1, decay=0.9, start=5, relu=False),
    regularizers.ConsistencyRegularization(
        "icr",
        real_weight=1.0,
        fake_weight=2.0,
        latent_weight=3.0,
        diversity_weight=4.0,
        latent_stddev=0.1,
        augmentation=augmentation.DiffAugment("translation"),
    ),
    tfgans.refinement.Langevin(steps=3, prior=True, temperature=2.0, annealing="tenths"),
    tfgans.refinement.Langevin.for_images(steps=4, noise_scale=0.3),
    tfgans.schedules.R3GANSchedule(num_images=9),
]


@pytest.mark.parametrize("value", SETTINGS, ids=lambda value: type(value).__name__)
def test_settings_are_frozen_and_come_back_equal(value):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(value)))
    for again in (
        keras.saving.deserialize_keras_object(config),
        type(value).from_config(value.get_config()),
        *(copied(value) for copied in COPIES.values()),
    ):
        assert type(again) is type(value)
        assert again == value
        assert hash(again) == hash(value)
        assert repr(again) == repr(value)
    for name in (*(field.name for field in dataclasses.fields(value)), "unknown"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 1.0)


# All of them.

# Classes with tests in their folder: results, shared bases, errors, and what holds files open.
ELSEWHERE = {
    *(
        *("Augmentation", "RegularizerInputs", "Regularizer"),
        "DrawnSource",
        "IndexedSource",
        "ReadError",
        "Source",
        "Mixture",
        "Objective",
        "Penalty",
    ),
    *("Difference", "ScheduledValues", "Evaluator", "Extractor", "Features", "SavedGenerator"),
    *("BestReplyGains", "Equilibrium", "GradientNorms", "MatrixGame", "NeuralNetDistance"),
    *("Payoff", "WassersteinCritic", "BirthdayParadox", "ClassCoverage", "FeatureStatistics"),
    *("InceptionScore", "KernelDistance", "MeanKernelDistance", "ModeCoverage"),
    *(
        "NearestNeighbors",
        "Client",
        "ServingError",
        "Interrupted",
        "Run",
        "RunDirectory",
        "TimeSpent",
    ),
    *("WorkerLost", "DataReport", "Suggestion", "GaussianModes", "EvaluationRow"),
    *("Comparison", "GridFile", "Group", "RecordedRun", "RunSearch", "SignificanceTest"),
    *("Claim", "Drawing", "Lab", "Outcome", "Verdict"),
    "NotFiniteError",
    *("Context", "Estimate", "Metric", "MetricValue", "Quantity", "Record"),
    # Their contract table is in metrics/test_metric_contract.py.
    *(metric.__name__ for metric in tfgans.evaluation.METRICS.values()),
}


def test_nothing_public_is_missing():
    packages = [tfgans, *filter(inspect.ismodule, (getattr(tfgans, n) for n in tfgans.__all__))]
    public = {
        name
        for package in packages
        for name in getattr(package, "__all__", ())
        if inspect.isclass(getattr(package, name)) or package is networks
    }
    tables = {row.name for row in [*NETWORKS, *MODELS, *named_methods.METHODS]}
    tables |= SOURCES.keys() | CALLBACKS.keys() | EXTRACTORS.keys() - {"keras_model"}
    tables |= {type(value).__name__ for value in SETTINGS}
    assert tables | ELSEWHERE == public


@pytest.mark.parametrize(
    "name", sorted({row.name for row in [*NETWORKS, *MODELS, *named_methods.METHODS]})
)
def test_docstring_describes_every_argument(name):
    package = next(p for p in (tfgans, tfgans.layers, networks) if hasattr(p, name))
    text = inspect.getdoc(getattr(package, name))
    described = text.partition("Args:")[2]
    for argument in inspect.signature(getattr(package, name)).parameters.values():
        row = rf"^\s*[\w, `*]*\b{argument.name}\b[^\n]*:"
        assert re.search(row, described, re.MULTILINE), argument.name


def test_repr_is_a_short_line_of_settings(tmp_path):
    values = [make(tmp_path) for make, _ in SOURCES.values()]
    values += [make(tmp_path) for make in CALLBACKS.values()]
    values += [*(make() for make in EXTRACTORS.values()), evaluator(), *SETTINGS]
    for value in values:
        text = repr(value)
        assert re.fullmatch(rf"{type(value).__name__.lstrip('_')}\(.*\)", text), text
        assert len(text) < 600


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (array_source(64), ["array of shape (64, 8, 8, 1), float32"]),
        (data.StackedImages(array_source()), ["StackedImages(images=ArraySource(", "seed=0"]),
        (data.GaussianMixture(np.zeros([30, 2]), std=0.1), ["array of shape (30, 2)", "std=0.1"]),
        (evaluation.keras_model(tiny.discriminator(), "flatten"), ["checksum='"]),
        (
            penalties.PenaltySum([penalties.R1Penalty(), penalties.R2Penalty()]),
            ["PenaltySum(terms=(R1Penalty(weight=5.0", "R2Penalty(weight=5.0"],
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_repr_shows(value, parts):
    for part in parts:
        assert part in repr(value)


def test_repr_of_the_classes_of_users():
    class Constant(data.Source):
        def __init__(self, level, *, seed=0):
            super().__init__(name="constant", data_shape=(2,), seed=seed)
            self.level = level

        def batch(self, step, batch_size):
            return np.full([batch_size, 2], self.level, np.float32)

    class Mean(evaluation.Extractor):
        def extract(self, examples):
            return examples.mean(axis=1)

    assert repr(Constant(0.5)) == "Constant(level=0.5, seed=0)"
    assert repr(Mean("mean", checksum="a" * 64)) == (
        "Mean(name='mean', checksum='aaaaaaaaaaaaaaaa', resizing='none')"
    )
