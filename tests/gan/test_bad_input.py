"""Bad input ends in a ValueError that says what was expected, before training starts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans

layers = keras.layers


def make(**changed):
    options = {
        "generator": tiny.generator(),
        "discriminator": tiny.discriminator(),
        "objective": tfgans.objectives.NonSaturating(),
        **changed,
    }
    return tfgans.GAN(options.pop("generator"), options.pop("discriminator"), **options)


def wrong_size():
    return keras.Sequential([keras.Input((7, 8, 1)), layers.Flatten(), layers.Dense(1)])


def ended(*last):
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), *last])


def no_logit():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])


def normalized():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.BatchNormalization(), layers.Dense(1)]
    )


def two_inputs():
    left, right = keras.Input((4,)), keras.Input((4,))
    return keras.Model([left, right], layers.Reshape((8, 8, 1))(layers.Dense(64)(left + right)))


def any_length():
    return keras.Sequential(
        [
            keras.Input((None, 4)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(64),
            layers.Reshape((8, 8, 1)),
        ]
    )


class NoConfig(keras.Model):
    def __init__(self, size):
        super().__init__()
        self.shape_up = layers.Reshape((8, 8, size))

    def call(self, x):
        return self.shape_up(x)


def not_clonable():
    model = NoConfig(size=1)
    model(tf.zeros([1, 64]))
    model.get_config = None
    return model


def dictionary(network, key):
    return keras.Model(network.inputs, {key: network.output})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"discriminator": wrong_size},
            r"generator output \(8, 8, 1\), discriminator input \(7, 8",
        ),
        ({"discriminator": no_logit}, r"of shape \[batch, 1\].*`Dense\(1\)`"),
        ({"discriminator": lambda: ended(layers.Dense(2))}, r"Received: output shape \(None, 2\)"),
        ({"discriminator": lambda: ended(layers.Dense(1, "sigmoid"))}, "before any sigmoid"),
        ({"generator": lambda: keras.Sequential([layers.Dense(4)])}, "generator must be built"),
        ({"generator": two_inputs}, "one input tensor"),
        ({"generator": any_length}, "fixed shape but for the batch"),
        (
            {"objective": lambda: "wasserstein"},
            r"a tfgans.objectives.Objective.*'wasserstein'",
        ),
        ({"penalty": lambda: 10.0}, r"a tfgans.penalties.Penalty, say.*Received: 10.0"),
        (
            {"discriminator": normalized, "penalty": tfgans.penalties.GradientPenalty},
            "BatchNormalization. Use LayerNormalization",
        ),
        (
            {"penalty": lambda: [tfgans.penalties.R1Penalty(), tfgans.penalties.R2Penalty()]},
            r"go into one `tfgans.penalties.PenaltySum`. Received: list of 2",
        ),
        ({"weight_clip": lambda: 0}, "`weight_clip` must be above 0"),
        ({"num_classes": lambda: 1}, "`num_classes` must be an integer of at least 2"),
        ({"discriminator_steps": lambda: 0}, "`discriminator_steps` must be .* at least 1"),
        ({"ema": lambda: 1.0}, r"`ema` must be None or a float in \[0, 1\)"),
        ({"ema": lambda: -0.1}, "`ema` must be"),
        ({"generator": not_clonable, "ema": lambda: 0.9}, "`ema` keeps one of the generator"),
        ({"seed": lambda: 1.5}, "`seed` must be an integer"),
        (
            {"generator": lambda: dictionary(tiny.generator(), "images")},
            r"The generator must return a tensor.*\['images'\]",
        ),
        (
            {"discriminator": lambda: dictionary(tiny.discriminator(), "logit")},
            r"The discriminator must return a tensor.*\['logit'\]",
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_constructor(changed, message):
    with pytest.raises(ValueError, match=message):
        make(**{name: maker() for name, maker in changed.items()})


def test_one_network_twice():
    network = tiny.discriminator()
    with pytest.raises(ValueError, match="two networks"):
        make(generator=network, discriminator=network)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("WGAN", {"weight_clip": None}, "`weight_clip` must be a finite number"),
        ("WGAN", {"critic_warmup": "no"}, "`critic_warmup` must be True or False. Received: 'no'"),
        ("DRAGAN", {"minimax": 1}, "`minimax` must be True or False"),
        ("FGAN", {"non_saturating": "x"}, "`non_saturating` must be True or False"),
        ("KLWGAN", {"weight_gradient": 0}, "`weight_gradient` must be True or False"),
        ("R3GAN", {"gamma": -1}, "`gamma` must be a finite number of at least 0"),
        ("DCD", {"updates_per_batch": 0}, "`updates_per_batch` must be an integer of at least 1"),
        ("DCD", {"langevin": {"steps": 3}}, "`langevin` must be a tfgans.refinement.Langevin"),
    ],
)
def test_named_methods(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(tfgans, name)(tiny.generator(), tiny.discriminator(), **options)


def test_named_methods_refuse_a_misspelled_option():
    with pytest.raises(TypeError, match="penalty_wieght"):
        tiny.gan(penalty_wieght=1.0)


def test_compile():
    gan, adam = tiny.gan(compiled=False), keras.optimizers.Adam()
    with pytest.raises(ValueError, match="same object twice"):
        gan.compile(adam, adam)
    with pytest.raises(ValueError, match="adma"):
        gan.compile("adam", "adma")
    with pytest.raises(ValueError, match="already belongs to other variables"):
        gan.compile(generator_optimizer=tiny.gan().generator_optimizer)
    assert not gan.compiled


def holding(value):
    images = tiny.digits(32).copy()
    images[3, 2, 1, 0] = value
    return images


def dataset(array, size=8):
    return tf.data.Dataset.from_tensor_slices(array).batch(size)


@pytest.fixture(scope="module")
def untrained():
    return tiny.gan()


# What data may look like is tested with `tfgans.data.adapters`; here, that `fit` and `evaluate` ask
# there for all that they are passed, and before the first step.
@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda: holding(np.nan), {}, "NaN"),
        (lambda: tiny.digits(32), {"batch_size": 33}, "33"),
        (lambda: tiny.digits(32), {"y": np.zeros(32)}, "labels are not taken"),
        (lambda: dataset(tiny.digits(32)).repeat(), {}, "`steps_per_epoch`"),
        (lambda: tiny.digits(32), {"epochs": 0}, "`epochs` must be"),
        (lambda: tiny.digits(32), {"class_weight": {0: 1.0}}, "`class_weight` is not supported"),
        (lambda: tiny.digits(32), {"sample_weight": np.ones(32)}, "`sample_weight` is not supp"),
        *(
            (lambda: tiny.digits(32), {"validation_data": data}, message)
            for data, message in [
                (lambda: holding(np.nan), "NaN"),
                (lambda: (tiny.digits(8), np.zeros(8)), "labels are not taken"),
                (lambda: dataset(tiny.digits(8)).repeat(), "`validation_steps`"),
            ]
        ),
    ],
)
def test_fit(untrained, data, options, message):
    if "validation_data" in options:
        options = {"validation_data": options["validation_data"]()}
    with pytest.raises(ValueError, match=message):
        untrained.fit(data(), verbose=0, **options)
    assert untrained.step == 0


def test_steps_that_keras_would_overrun():
    gan = tiny.gan(compiled=False)
    gan.compile(steps_per_execution=4)
    with pytest.raises(ValueError, match=r"multiple of `steps_per_execution` = 4. Received: 6"):
        gan.fit(tiny.digits(), batch_size=8, steps_per_epoch=6)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda: dataset((tiny.digits(32), np.zeros(32))), {}, "labels are not taken"),
        (lambda: holding(np.nan), {}, "NaN"),
        (lambda: dataset(tiny.digits(8)).repeat(), {}, "`steps`"),
        (lambda: tiny.digits(8), {"sample_weight": np.ones(8)}, "`sample_weight` is not supported"),
    ],
)
def test_evaluate(untrained, data, options, message):
    with pytest.raises(ValueError, match=message):
        untrained.evaluate(data(), verbose=0, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "`n` must be an integer of at least 1"),
        ((2.5,), "`n` must be an integer of at least 1"),
        ((1, "a"), "`seed` must be an integer"),
    ],
)
def test_sample(untrained, arguments, message):
    with pytest.raises(ValueError, match=message):
        untrained.sample(*arguments)


def test_plain_batch_where_several_are_needed():
    with pytest.raises(ValueError, match=r"\[batch, 2, ...\]"):
        tiny.gan().train_on_batch(tiny.digits(8))


@pytest.mark.parametrize(
    ("source", "batch_size", "compiled", "message"),
    [
        (lambda: tfgans.data.from_array(tiny.digits(32)), 8, False, "Compile the model before"),
        (lambda: tfgans.data.load("ring"), 8, True, "discriminator's input shape"),
        (lambda: tfgans.data.from_array(tiny.digits(32)), 33, True, "33"),
    ],
)
def test_training_that_could_not_start(source, batch_size, compiled, message):
    with pytest.raises(ValueError, match=message):
        tiny.gan(compiled=compiled).check_training(source(), batch_size)
