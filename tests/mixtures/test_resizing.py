"""Components that are dropped and split during training, and the callback that decides it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import toy

import tfgans
from tfgans import callbacks


def mixture(k=3, **options):
    components = [
        tfgans.networks.mlp_generator((2,), latent_dim=2, width=8, depth=1, seed=index)
        for index in range(k)
    ]
    return tfgans.MixtureGenerator(components, **options)


def model(generator=None, *, optimizer="adam", run_eagerly=True, accumulate_steps=1, **options):
    """Eager, since a few steps cost less than their tracing."""
    judge = tfgans.networks.mlp_discriminator((2,), width=8, depth=1, seed=9)
    gan = tfgans.NonSaturatingGAN(generator or mixture(), judge, seed=5, **options)
    gan.compile(optimizer, "adam", run_eagerly=run_eagerly, accumulate_steps=accumulate_steps)
    return gan


def train(gan, steps=1, used=()):
    data = tfgans.data.Grid(seed=1)
    gan.fit(data, batch_size=24, steps_per_epoch=steps, verbose=0, callbacks=[*used])
    return gan


def slots(gan):
    """The moments of each variable of the generator, and the counter."""
    (*state,) = (variable.numpy() for variable in gan.generator_optimizer.variables)
    return state


@pytest.mark.parametrize(
    "update", ["exponentiated_gradient", pytest.param("softmax", marks=pytest.mark.slow)]
)
def test_after_a_drop_training_goes_on_as_that_of_a_mixture_built_without(update):
    gan = train(model(mixture(weight_update=update), ema=0.5))
    gan.generator.log_weights.assign([0.0, -50.0, 0.0])
    gan.ema_generator.log_weights.assign([0.0, -50.0, 0.0])
    drawn, moments = gan.sample(64, 0), slots(gan)
    assert not (gan.sample_components(64, 0) == 1).any()
    gan.drop_component(1)
    np.testing.assert_array_equal(gan.sample(64, 0), drawn)
    by_hand = train(model(mixture(2, weight_update=update), ema=0.5), gan.step)
    for name in ("generator", "ema_generator", "discriminator", "discriminator_optimizer"):
        for mine, other in zip(
            getattr(by_hand, name).variables, getattr(gan, name).variables, strict=True
        ):
            mine.assign(other)
    # Adam lists both moments of each variable, after the counter and the rate.
    begins = 2 if update == "softmax" else 0  # The moments of the weights of the mixture.
    kept = [moments[index] for index in (0, 1)]
    kept += [moment[[0, 2]] for moment in moments[2 : 2 + begins]]
    kept += moments[2 + begins : 10 + begins] + moments[18 + begins :]
    for variable, value in zip(by_hand.generator_optimizer.variables, kept, strict=True):
        variable.assign(value)
    tiny.assert_same_state(train(gan), train(by_hand))


@pytest.mark.slow
def test_a_split_halves_the_weight_and_keeps_the_distribution():
    gan = train(model(ema=0.5, run_eagerly=False))
    gan.generator.set_probabilities([0.5, 0.3, 0.2])
    gan.ema_generator.set_probabilities([0.5, 0.3, 0.2])
    count = gan.generator_optimizer.iterations.numpy()
    first = gan.sample(8, 0, component=0)
    gan.split_component(0, noise=0.0)
    np.testing.assert_allclose(gan.generator.probabilities, [0.25, 0.3, 0.2, 0.25], rtol=1e-6)
    np.testing.assert_array_equal(gan.sample(8, 0, component=3), first)
    gan.split_component(0, noise=0.1)
    original, copy = (gan.generator.components[index] for index in (0, 4))
    slow, slow_copy = (gan.ema_generator.components[index] for index in (0, 4))
    changes = [new - old for old, new in zip(original.weights, copy.weights, strict=True)]
    kernel = original.weights[2].numpy()
    assert np.std(changes[2]) == pytest.approx(0.1 * np.sqrt(np.mean(kernel**2)), rel=0.5)
    for change, old, new in zip(changes, slow.weights, slow_copy.weights, strict=True):
        np.testing.assert_allclose(new - old, change, atol=1e-6)
    assert gan.generator_optimizer.iterations.numpy() == count
    train(gan)
    assert not np.array_equal(original.weights[0], copy.weights[0])


class Change(keras.callbacks.Callback):
    """Splits and drops components at steps of its own."""

    every_steps = 1

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == 1:
            self.model.split_component(1)
        if self.model.step in (3, 4):
            self.model.drop_component(0)


def dropping(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((2,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(8, "relu")(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


@keras.saving.register_keras_serializable("tests")
class WithDropout(tfgans.NonSaturatingGAN):
    """Drops numbers of the fakes, by a layer that it adds."""

    def __init__(self, *networks, **options):
        super().__init__(*networks, **options)
        self.dropout = keras.layers.Dropout(0.3)

    def generate(self, *args, **options):
        fakes = super().generate(*args, **options)
        return fakes.with_values(self.dropout(fakes.values, training=True))


def test_after_a_drop_each_random_layer_is_saved_with_its_state(tmp_path):
    generator = tfgans.MixtureGenerator([dropping(1), dropping(2)])
    gan = WithDropout(generator, model().discriminator, seed=5)
    gan.compile(run_eagerly=True)
    train(gan, 1)
    gan.drop_component(0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    ends = [
        (train(each).generator.get_weights(), each.discriminator.get_weights())
        for each in (gan, loaded)
    ]
    for weight, twin in zip(*map(tf.nest.flatten, ends), strict=True):
        np.testing.assert_array_equal(weight, twin)


@pytest.mark.slow
def test_saved_and_resumed_to_the_same_bits(tmp_path):
    def make():
        return model(tfgans.MixtureGenerator([dropping(1), dropping(2)]), ema=0.9)

    whole = train(make(), 4, [Change()])
    assert whole.generator.num_components == 1
    backup = callbacks.Backup(tmp_path, every_steps=1)
    stopped = train(make(), 2, [Change(), backup])
    stopped.save(tmp_path / "gan.keras")
    resumed = make()
    assert backup.restore(resumed) == 2
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    for gan in (resumed, loaded):
        assert gan.generator.num_components == 3
        tiny.assert_same_state(train(gan, 2, [Change()]), whole)
    # Back to more components than there are, as a rollback does.
    backup.load(whole, next(tmp_path.glob("step-00000002*")))
    assert (whole.step, whole.generator.num_components) == (2, 3)


@pytest.mark.slow
def test_an_export_has_the_components_that_are_left(tmp_path):
    gan = model()
    gan.drop_component(2)
    gan.split_component(0)
    gan.split_component(0)
    path = gan.export(tmp_path / "model", verify=False)
    served = tf.saved_model.load(path).signatures["component"]
    latents = tf.random.stateless_normal([2, 2], [0, 1])
    examples = served(latents=latents, components=tf.constant([1, 3]))
    expected = gan.generator(latents, component=tf.constant([1, 3]))
    np.testing.assert_allclose(*examples.values(), expected, atol=1e-6)


def test_components_whose_layers_have_seeds_are_of_one_architecture():
    generators = [
        tfgans.networks.r3gan_generator((8, 8, 1), latent_dim=4, width=4, seed=seed)
        for seed in range(2)
    ]
    judge = tfgans.networks.dcgan_discriminator((8, 8, 1), width=4, seed=9)
    gan = tfgans.NonSaturatingGAN(tfgans.MixtureGenerator(generators), judge)
    gan.compile()
    gan.drop_component(0)
    assert gan.generator.num_components == 1


def perceptron():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Dense(2)])


def without_input():
    network = keras.Sequential([keras.layers.Dense(2)])
    network.build((None, 2))
    return network


def around(network):
    inputs = keras.Input((2,))
    return keras.Model(inputs, network(inputs))


def functional():
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


class Plain(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x):
        return self.dense(x)


class Squashed(Plain):
    def call(self, x):
        return tf.tanh(self.dense(x))


class WithoutConfig(Plain):
    def __init__(self, head=keras.layers.ReLU):  # Keras makes no config of a class.
        super().__init__()
        self.head = head()


class Table(keras.layers.Layer):
    """A layer of which the config has keys that are no strings."""

    def __init__(self, table=None, **options):
        super().__init__(**options)
        self.table = table or {0: 1.0, 1: 2.0}

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "table": dict(self.table)}


@pytest.mark.parametrize(
    "builder",
    [
        perceptron,
        without_input,
        lambda: around(perceptron()),
        lambda: around(functional()),
        lambda: keras.Sequential([keras.Input((2,)), Table(), keras.layers.Dense(2)]),
    ],
    ids=["sequential", "without_input", "nested_sequential", "nested_functional", "table"],
)
def test_components_from_a_builder_have_one_architecture(builder, tmp_path):
    gan, other = (model(tfgans.MixtureGenerator.from_builder(builder, k)) for k in (2, 4))
    gan.split_component(0)
    gan.drop_component(1)
    gan.split_component(1)
    gan.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    np.testing.assert_array_equal(other.sample(8, 0), gan.sample(8, 0))


def of_classes(*classes):
    components = [cls() for cls in classes]
    for component in components:
        component.build((None, 2))
    return tfgans.MixtureGenerator(components)


def of_policies(*policies):
    return tfgans.MixtureGenerator(
        [
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, dtype=policy)])
            for policy in policies
        ]
    )


def partly_frozen():
    generators = mixture(2)
    generators.components[0].trainable = False
    return generators


def other_components():
    generators = [toy.points()[0], tfgans.networks.mlp_generator((2,), latent_dim=4, width=3)]
    return tfgans.MixtureGenerator(generators)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: model(mixture(1)), "needs at least one component"),
        (lambda: model(toy.points()[0]), "Only a mixture has components"),
        (lambda: model(other_components()), "of one architecture"),
        (lambda: model(partly_frozen()), "with the same layers frozen"),
        (lambda: model(of_classes(Plain, Squashed)), "of one architecture"),
        (lambda: model(of_policies("float32", "mixed_bfloat16")), "of one architecture"),
        (lambda: model(of_classes(*[WithoutConfig] * 2)), "WithoutConfig without `get_config`"),
        (lambda: model(optimizer="adafactor"), "must belong to single weights"),
    ],
)
def test_what_cannot_change_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make().drop_component(0)


def adapting(**options):
    return callbacks.AdaptComponents(every_steps=1, **options)


def fine_tuned():
    dcd = tfgans.DCD.from_gan(model(mixture(2)))
    dcd.compile(run_eagerly=True)
    return dcd


@pytest.mark.parametrize(
    ("make", "used", "message"),
    [
        (
            lambda: model(mixture(2), accumulate_steps=8),
            [adapting(max_components=4)],
            "up to 4 components, and micro-batches of 3 examples",
        ),
        (fine_tuned, [adapting()], "a DCD whose generator does not train"),
        (
            lambda: model(mixture(2)),
            [
                adapting(),
                keras.callbacks.EarlyStopping(
                    "generator_loss", mode="min", restore_best_weights=True
                ),
            ],
            r"restore_best_weights=True.*Evaluation\(best_model",
        ),
    ],
)
def test_what_would_fail_in_training_is_refused_before_it(make, used, message):
    with pytest.raises(ValueError, match=message):
        train(make(), used=used)


def test_a_split_does_not_make_groups_of_a_component():
    judge = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            tfgans.layers.MinibatchStdDev(2),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    generator = tfgans.MixtureGenerator([tiny.generator(normalization=False)])
    gan = tfgans.NonSaturatingGAN(generator, judge)
    gan.compile()
    with pytest.raises(ValueError, match=r"routing='slices'.*MinibatchStdDev"):
        gan.split_component(0)
    assert gan.generator.num_components == 1


class TestAdaptComponents:
    def run(self, tmp_path, readings, **options):
        """Sets weights at the beginning of each step; returns the rows of the table."""
        gan = toy.gan(networks=(mixture(len(readings[0])), toy.points()[1]))
        adapt = callbacks.AdaptComponents(tmp_path / "c.csv", every_steps=1, **options)
        numbers = []

        def weigh(gan):
            numbers.append(gan.generator.num_components)
            if len(readings) > len(numbers):
                weights = readings[len(numbers)]
                gan.generator.set_probabilities(weights)

        gan.generator.set_probabilities(readings[0])
        toy.fit(gan, len(readings), adapt, toy.Act(weigh))
        return numbers, toy.table(tmp_path / "c.csv")

    def test_drops_what_stayed_low(self, tmp_path):
        low, middle = [0.5, 0.42, 0.08], [0.5, 0.4, 0.1]  # 1 / 12 is the limit.
        numbers, rows = self.run(
            tmp_path, [low, middle, low, low, [0.9, 0.1], [0.9, 0.1]], patience=2
        )
        assert numbers == [3, 3, 3, 2, 2, 1]
        actions = [(row["step"], row["component"], row["action"]) for row in rows if row["action"]]
        assert actions == [("4", "2", "dropped"), ("6", "1", "dropped")]
        assert [row["low_readings"] for row in rows if row["component"] == "2"] == list("1012")

    def test_splits_the_best_up_to_the_most(self, tmp_path):
        readings = [[0.4, 0.6]] * 2 + [[0.4, 0.3, 0.3]] * 3
        numbers, rows = self.run(tmp_path, readings, patience=2, max_components=3)
        assert numbers == [2, 3, 3, 3, 3]
        assert [row["component"] for row in rows if row["action"] == "split"] == ["1"]

    def test_resumes_from_its_table(self, tmp_path):
        def fit(steps, name, gan=None):
            gan = gan or model(mixture(2, weight_learning_rate=1.0, entropy_weight=0.0))
            adapt = callbacks.AdaptComponents(
                tmp_path / name, every_steps=1, patience=2, max_components=4
            )
            logs = keras.callbacks.CSVLogger(str(tmp_path / f"log-{name}"))
            train(gan, steps, [adapt, logs])
            return gan, (tmp_path / name).read_text()

        whole, table = fit(4, "whole.csv")
        half, _ = fit(3, "parts.csv")
        assert (half.generator.num_components, whole.generator.num_components) == (3, 4)
        resumed, joined = fit(1, "parts.csv", half)
        assert joined == table
        tiny.assert_same_state(resumed, whole)
        assert toy.table(tmp_path / "log-whole.csv")[0]["num_generators"] == str(
            whole.generator.num_components
        )

    @pytest.mark.parametrize(
        ("generator", "options", "message"),
        [
            (lambda: mixture(weight_learning_rate=0.0), {}, "which must learn"),
            (mixture, {"max_components": 2}, "3, min_components=1 and max_components=2"),
            (lambda: toy.points()[0], {}, "Only a mixture"),
        ],
    )
    def test_refused_when_training_begins(self, generator, options, message):
        with pytest.raises(ValueError, match=message):
            toy.fit(model(generator()), 1, callbacks.AdaptComponents(**options))
