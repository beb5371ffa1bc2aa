"""One table of all public layers, networks and models; each row passes the same tests."""

import dataclasses
import inspect
from collections.abc import Callable

import keras
import named_methods
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
    conditional: bool = False

    def inputs(self):
        rng = np.random.default_rng(0)
        first = tf.constant(rng.normal(size=(3, *self.input_shape)), tf.float32)
        return [first, tf.constant([2, 0, 1])] if self.conditional else first


def spectral():
    layer = tfgans.layers.SpectralNormalization(keras.layers.Conv2D(3, 3))
    return keras.Sequential([keras.Input((8, 8, 1)), layer])


def noise():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), tfgans.layers.InstanceNoise(0.1, decay_steps=9)]
    )


def affine():
    features, labels = keras.Input((4, 3)), keras.Input((), dtype="int32")
    layer = tfgans.layers.ConditionalAffine(3)
    return keras.Model([features, labels], layer([features, labels]))


def resnet(builder, **options):
    return lambda: builder((8, 8, 1), width=4, depth=1, **options)


def pair(cls, *, steps_per_execution=1, **options):
    model = cls(tiny.generator(), tiny.discriminator(), **options)
    model.compile(steps_per_execution=steps_per_execution)
    return model


def mixture(cls, make):
    return cls([make(seed=seed) for seed in (1, 2, 3)])


def conditional():
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    model = tfgans.GAN(*players, objective=OBJECTIVE, num_classes=10)
    model.compile()
    return model


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
    Row("InstanceNoise", noise, (8, 8, 1)),
    Row("ConditionalAffine", affine, (4, 3), conditional=True),
    Row(
        "resnet_generator",
        resnet(networks.resnet_generator, latent_dim=4, num_classes=3),
        (4,),
        conditional=True,
    ),
    Row("resnet_discriminator", resnet(networks.resnet_discriminator), (8, 8, 1)),
    Row("MixtureGenerator", lambda: mixture(tfgans.MixtureGenerator, tiny.generator), (4,)),
    Row(
        "MixtureDiscriminator",
        lambda: mixture(tfgans.MixtureDiscriminator, tiny.discriminator),
        (8, 8, 1),
    ),
    Row("GAN", mixed, (4,)),
    Row("GAN", conditional, (4,), conditional=True),
    Row("GAN", lambda: pair(tfgans.GAN, objective=OBJECTIVE, ema=0.9), (4,)),
]
MODELS = [row for row in ROWS if issubclass(getattr(tfgans, row.name, object), tfgans.GAN)]
table = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
models = pytest.mark.parametrize("row", MODELS, ids=lambda row: row.name)


def written(path):
    """A folder of images of two classes."""
    for index, image in enumerate(tiny.digits(20)):
        folder = path / "images" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        tfgans.pictures.write_png(folder / f"{index}.png", (255 * (image > 0)).astype(np.uint8))
    return path / "images"


def sources(path):
    """One source of every public class, by its name."""
    data = tfgans.data
    made = [
        data.ArraySource(tiny.digits(20), labels=tiny.digit_labels(20)),
        data.load(f"folder:{written(path)}", image_size=8, cache="none"),
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
        tfgans.callbacks.Doctor(tiny.digits(), path=path / "doctor.csv", every_steps=2),
        tfgans.callbacks.Evaluation(
            tfgans.evaluation.Evaluator(
                tfgans.data.from_array(tiny.digits(20)), metrics=["frechet_distance"]
            )
        ),
        tfgans.callbacks.GracefulStop(),
        tfgans.callbacks.MixtureMonitor(path / "mixture.csv", every_steps=2),
        tfgans.callbacks.Progress(8),
        tfgans.callbacks.SampleGrid(path / "grids", every_steps=2),
        tfgans.callbacks.StopOnNaN(),
    ]
    return {type(callback).__name__: callback for callback in made}


# Classes with a contract table, or a test file, of their own.
ELSEWHERE = {
    *("RunDirectory", "Interrupted", "Langevin", "SavedGenerator", "Client", "ServingError"),
    *("Source", "DrawnSource", "IndexedSource", "Mixture"),  # What the classes above share.
    *("DataReport", "ReadError", "Suggestion", "WorkerLost"),
    *(
        name
        for room in (tfgans.objectives, tfgans.penalties, tfgans.metrics)
        for name in room.__all__
        if inspect.isclass(getattr(room, name))
    ),
}


def test_nothing_public_is_missing(tmp_path):
    members = [getattr(tfgans, name) for name in tfgans.__all__]
    rooms = [tfgans, *(member for member in members if inspect.ismodule(member))]
    public = {
        name
        for room in rooms
        for name in getattr(room, "__all__", ())
        if inspect.isclass(getattr(room, name)) or room is networks
    }
    tables = {row.name for row in ROWS} | sources(tmp_path).keys() | callbacks(tmp_path).keys()
    tables |= {method.name for method in named_methods.METHODS}
    assert tables | ELSEWHERE == public


def test_every_source_gives_its_batches_by_number(tmp_path):
    for name, source in sources(tmp_path).items():
        batches = source.batches(4)
        assert batches.element_spec == tf.TensorSpec([4, *source.data_shape], tf.float32), name
        third = next(iter(batches.skip(2)))
        np.testing.assert_array_equal(third, next(iter(source.batches(4, start_step=2))), name)


def test_the_parts_of_a_batch_are_the_batch(tmp_path):
    for name, source in sources(tmp_path).items():
        with_labels = source.num_classes is not None
        whole = next(iter(source.batches(6, start_step=2, labels=with_labels)))
        parts = [
            next(iter(source.batches(6, start_step=2, labels=with_labels, part=(index, 3))))
            for index in range(3)
        ]
        joined = tf.nest.map_structure(lambda *rows: tf.concat(rows, 0), *parts)
        for found, expected in zip(tf.nest.flatten(joined), tf.nest.flatten(whole), strict=True):
            np.testing.assert_array_equal(found, expected, name)


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


def test_every_source_with_classes_gives_the_labels_of_the_same_examples(tmp_path):
    with_classes = {n: s for n, s in sources(tmp_path).items() if s.num_classes is not None}
    assert with_classes.keys() == {
        "ArraySource",
        "ImageSource",
        "GaussianMixture",
        "Grid",
        "Ring",
        "StackedImages",
    }
    for name, source in with_classes.items():
        examples, labels = next(iter(source.batches(16, start_step=2, labels=True)))
        np.testing.assert_array_equal(examples, next(iter(source.batches(16, start_step=2))), name)
        assert labels.dtype == tf.int32
        assert set(labels.numpy()) <= set(range(source.num_classes))


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
    call(tf.nest.map_structure(lambda one: one[::-1], row.inputs()))
    assert len(traces) == 1


@table
def test_config_round_trip(row):
    made = row.make()
    again = type(made).from_config(made.get_config())
    assert again.get_config() == made.get_config()


@table
def test_gradient_reaches_the_input_and_is_finite(row):
    made, inputs = row.make(), row.inputs()
    first = tf.nest.flatten(inputs)[0]
    with tf.GradientTape() as tape:
        tape.watch(first)
        outputs = made(inputs)
    gradient = tf.convert_to_tensor(tape.gradient(outputs, first))  # Rows, of a mixture.
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
        folder = made.export(tmp_path / "made", verify=False)
    else:
        folder = tmp_path / "made"
        made.export(folder, verbose=False)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    given = {spec.dtype: name for name, spec in specs.items()}
    inputs = {given[one.dtype]: one for one in tf.nest.flatten(row.inputs())}
    (outputs,) = signature(**inputs).values()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted({one.name for one in [*ROWS, *named_methods.METHODS]}))
def test_docstring_says_what_it_takes(name):
    room = next(room for room in (tfgans, tfgans.layers, networks) if hasattr(room, name))
    text = inspect.getdoc(getattr(room, name))
    assert "Args:" in text
    for argument in inspect.signature(getattr(room, name)).parameters.values():
        assert argument.name in text, argument.name


@models
def test_trains_two_steps_and_samples(row):
    model = row.make()
    labels = tiny.digit_labels() if row.conditional else None
    model.fit(tiny.digits(), labels, batch_size=16, steps_per_epoch=2, verbose=0)
    assert model.step == 2
    assert model.sample(2, seed=0).shape == (2, 8, 8, 1)
