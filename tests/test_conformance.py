"""One table of all public layers, networks and models; each row passes the same tests."""

import dataclasses
import inspect
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans

networks = tfgans.networks


@dataclasses.dataclass(frozen=True)
class Row:
    """How to make one public thing, and what it takes."""

    name: str
    make: Callable
    input_shape: tuple[int, ...]

    def inputs(self):
        rng = np.random.default_rng(0)
        return rng.normal(size=(3, *self.input_shape)).astype("float32")


def spectral():
    layer = tfgans.layers.SpectralNormalization(keras.layers.Conv2D(3, 3))
    return keras.Sequential([keras.Input((8, 8, 1)), layer])


def pair(cls, *, steps_per_execution=1, **options):
    model = cls(tiny.generator(), tiny.discriminator(), **options)
    model.compile(steps_per_execution=steps_per_execution)
    return model


def mixture(cls, make):
    return cls([make(seed=seed) for seed in (1, 2, 3)])


def mixed(*, steps_per_execution=1):
    model = tfgans.GAN(*tiny.mixtures(), objective=OBJECTIVE, ema=0.9)
    model.compile(steps_per_execution=steps_per_execution)
    return model


OBJECTIVE = tfgans.objectives.NonSaturating()
ROWS = [
    Row("SpectralNormalization", spectral, (8, 8, 1)),
    Row("mlp_generator", lambda: networks.mlp_generator((2,), latent_dim=4, width=8), (4,)),
    Row("mlp_discriminator", lambda: networks.mlp_discriminator((2,), width=8), (2,)),
    Row(
        "dcgan_generator", lambda: networks.dcgan_generator((8, 9, 1), latent_dim=4, width=4), (4,)
    ),
    Row("dcgan_discriminator", lambda: networks.dcgan_discriminator((8, 9, 1), width=4), (8, 9, 1)),
    Row("MixtureGenerator", lambda: mixture(tfgans.MixtureGenerator, tiny.generator), (4,)),
    Row(
        "MixtureDiscriminator",
        lambda: mixture(tfgans.MixtureDiscriminator, tiny.discriminator),
        (8, 8, 1),
    ),
    Row("GAN", mixed, (4,)),
    Row("GAN", lambda: pair(tfgans.GAN, objective=OBJECTIVE, ema=0.9), (4,)),
    Row("MinimaxGAN", lambda: pair(tfgans.MinimaxGAN), (4,)),
    Row("NonSaturatingGAN", lambda: pair(tfgans.NonSaturatingGAN, ema=0.5), (4,)),
    Row("WGANGP", lambda: pair(tfgans.WGANGP, discriminator_steps=2), (4,)),
]
MODELS = [row for row in ROWS if issubclass(getattr(tfgans, row.name, object), tfgans.GAN)]
table = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
models = pytest.mark.parametrize("row", MODELS, ids=lambda row: row.name)


def sources(path):
    """One source of every public class, by its name."""
    data = tfgans.data
    made = [
        data.ArraySource(tiny.digits(20)),
        data.GaussianMixture(name="two", modes=[[0.0, 1.0], [2.0, 3.0]], std=0.1),
        data.Grid(),
        data.LowRankGaussian(),
        data.ParallelLines(),
        data.Ring(),
        data.StackedImages(data.ArraySource(tiny.digits(20), labels=np.arange(20) % 10)),
        data.SwissRoll(),
    ]
    return {type(source).__name__: source for source in made}


def callbacks(path):
    """One callback of every public class, by its name."""
    made = [
        tfgans.callbacks.Backup(path / "backups", every_steps=2),
        tfgans.callbacks.GracefulStop(),
        tfgans.callbacks.MixtureMonitor(path / "mixture.csv", every_steps=2),
        tfgans.callbacks.Progress(8),
        tfgans.callbacks.SampleGrid(path / "grids", every_steps=2),
        tfgans.callbacks.StopOnNaN(),
    ]
    return {type(callback).__name__: callback for callback in made}


# Classes with a contract table, or a test file, of their own.
ELSEWHERE = {
    *tfgans.objectives.__all__,
    *tfgans.penalties.__all__,
    *("RunDirectory", "Interrupted"),
    *("Source", "DrawnSource", "Mixture"),  # What the classes above share.
    *(name for name in tfgans.metrics.__all__ if inspect.isclass(getattr(tfgans.metrics, name))),
}


def test_nothing_public_is_missing(tmp_path):
    rooms = [tfgans, *(value for value in vars(tfgans).values() if inspect.ismodule(value))]
    public = {
        name
        for room in rooms
        for name in getattr(room, "__all__", ())
        if inspect.isclass(getattr(room, name)) or room is networks
    }
    tables = {row.name for row in ROWS} | sources(tmp_path).keys() | callbacks(tmp_path).keys()
    assert tables | ELSEWHERE == public


def test_every_source_gives_its_batches_by_number(tmp_path):
    for name, source in sources(tmp_path).items():
        batches = source.batches(4)
        assert batches.element_spec == tf.TensorSpec([4, *source.data_shape], tf.float32), name
        third = next(iter(batches.skip(2)))
        np.testing.assert_array_equal(third, next(iter(source.batches(4, start_step=2))), name)


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_every_callback_serves_two_trainings(tmp_path, steps_per_execution):
    used = callbacks(tmp_path)
    gan = mixed(steps_per_execution=steps_per_execution)
    for _ in range(2):
        gan.fit(
            tiny.digits(), batch_size=16, steps_per_epoch=4, callbacks=[*used.values()], verbose=0
        )
    used["Progress"].close()
    assert len(list((tmp_path / "backups").iterdir())) == 2
    assert len(list((tmp_path / "grids").iterdir())) == 5


@table
def test_saved_and_loaded_in_safe_mode(row, tmp_path):
    made = row.make()
    made.save(tmp_path / "made.keras")
    loaded = keras.saving.load_model(tmp_path / "made.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(row.inputs()), made(row.inputs()))
    assert type(loaded) is type(made)


@table
def test_weights_only(row, tmp_path):
    made, other = row.make(), row.make()
    made.set_weights([weight + 0.01 for weight in made.get_weights()])
    made.save_weights(tmp_path / "made.weights.h5")
    other.load_weights(tmp_path / "made.weights.h5")
    np.testing.assert_array_equal(other(row.inputs()), made(row.inputs()))


@table
def test_same_eagerly_in_a_graph_and_under_xla(row):
    made = row.make()
    call = lambda x: made(x, training=False)  # noqa: E731
    eager = call(row.inputs())
    np.testing.assert_allclose(tf.function(call)(row.inputs()), eager, atol=1e-5)
    np.testing.assert_allclose(tf.function(call, jit_compile=True)(row.inputs()), eager, atol=1e-4)


@table
def test_second_call_does_not_retrace(row):
    made, traces = row.make(), []

    @tf.function
    def call(x):
        traces.append(x)
        return made(x, training=False)

    call(row.inputs())
    call(row.inputs() + 1)
    assert len(traces) == 1


@table
def test_config_round_trip(row):
    made = row.make()
    again = type(made).from_config(made.get_config())
    assert again.get_config() == made.get_config()


@table
def test_gradient_reaches_the_input_and_is_finite(row):
    made, inputs = row.make(), tf.constant(row.inputs())
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = made(inputs)
    gradient = tf.convert_to_tensor(tape.gradient(outputs, inputs))  # Rows, of a mixture.
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


@table
def test_half_precision_gives_finite_numbers(row):
    keras.config.set_dtype_policy("mixed_float16")
    assert np.isfinite(row.make()(row.inputs())).all()


@table
def test_exported_by_keras(row, tmp_path):
    made = row.make()
    expected = made(row.inputs())  # Keras exports only what has been called.
    if row in MODELS:
        folder = made.export(tmp_path / "made")
    else:
        folder = tmp_path / "made"
        made.export(folder, verbose=False)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    (outputs,) = signature(**{name: tf.constant(row.inputs())}).values()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@table
def test_docstring_says_what_it_takes(row):
    room = next(room for room in (tfgans, tfgans.layers, networks) if hasattr(room, row.name))
    text = inspect.getdoc(getattr(room, row.name))
    assert "Args:" in text
    for argument in inspect.signature(getattr(room, row.name)).parameters.values():
        assert argument.name in text, argument.name


@models
def test_trains_two_steps_and_samples(row):
    model = row.make()
    model.fit(tiny.digits(), batch_size=16, steps_per_epoch=2, verbose=0)
    assert model.step == 2
    assert model.sample(2, seed=0).shape == (2, 8, 8, 1)
