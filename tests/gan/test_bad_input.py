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
    one, two = keras.Input((4,)), keras.Input((4,))
    return keras.Model([one, two], layers.Reshape((8, 8, 1))(layers.Dense(64)(one + two)))


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
        (
            {"discriminator": lambda: ended(layers.Dense(1), layers.Activation("sigmoid"))},
            "before any sigmoid",
        ),
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
        ({"weight_clip": lambda: -0.01}, "`weight_clip` must be a finite number of at least 0"),
        ({"num_classes": lambda: 1}, "`num_classes` must be an integer of at least 2"),
        ({"discriminator_steps": lambda: 0}, "`discriminator_steps` must be .* at least 1"),
        ({"ema": lambda: 1.0}, r"`ema` must be None or a float in \[0, 1\)"),
        ({"ema": lambda: -0.1}, "`ema` must be"),
        ({"seed": lambda: 1.5}, "`seed` must be an integer"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_constructor(changed, message):
    with pytest.raises(ValueError, match=message):
        make(**{name: maker() for name, maker in changed.items()})


@pytest.mark.parametrize(
    ("role", "network", "key"),
    [("generator", tiny.generator, "images"), ("discriminator", tiny.discriminator, "logit")],
)
def test_output_dictionary_is_refused_by_name(role, network, key):
    network = network()
    with pytest.raises(ValueError, match=rf"The {role} must return a tensor.*\['{key}'\]"):
        make(**{role: keras.Model(network.inputs, {key: network.output})})


def test_one_network_twice():
    network = tiny.discriminator()
    with pytest.raises(ValueError, match="two networks"):
        make(generator=network, discriminator=network)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("WGAN", {"weight_clip": None}, "`weight_clip` must be a finite number"),
        ("WGAN", {"critic_warmup": "no"}, "`critic_warmup` must be True or False. Received: 'no'"),
        ("WGANGP", {"penalty_weight": -1}, "`weight` must be a finite number of at least 0"),
        ("DRAGAN", {"minimax": 1}, "`minimax` must be True or False"),
        (
            "DRAGAN",
            {"noise": "normal"},
            "`noise` must be one of 'uniform', 'symmetric', 'gaussian'",
        ),
        ("FGAN", {"divergence": "l2"}, "must be one of 'kl', 'reverse_kl'.* Received: 'l2'"),
        ("FGAN", {"non_saturating": "x"}, "`non_saturating` must be True or False"),
        ("KLWGAN", {"temperature": 0}, "`temperature` must be above 0"),
        ("KLWGAN", {"weight_gradient": 0}, "`weight_gradient` must be True or False"),
        ("R3GAN", {"gamma": -1}, "`gamma` must be a finite number of at least 0"),
        ("DCD", {"updates_per_batch": 0}, "`updates_per_batch` must be an integer of at least 1"),
        ("DCD", {"langevin": {"steps": 3}}, "`langevin` must be a tfgans.refinement.Langevin"),
    ],
)
def test_named_methods(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(tfgans, name)(tiny.generator(), tiny.discriminator(), **options)


def test_named_methods_refuse_a_misspelt_option():
    with pytest.raises(TypeError, match="penalty_wieght"):
        tiny.gan(penalty_wieght=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((keras.optimizers.Adam(),) * 2, "same object twice"),
        (("adam", "adma"), "adma"),
    ],
)
def test_compile(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny.gan(compiled=False).compile(*arguments)


def test_failed_compile_leaves_the_model_uncompiled():
    gan = tiny.gan(compiled=False)
    with pytest.raises(ValueError, match="same object twice"):
        gan.compile(*(keras.optimizers.Adam(),) * 2)
    assert not gan.compiled


def test_optimizer_of_another_model():
    used = tiny.gan().generator_optimizer
    with pytest.raises(ValueError, match="already belongs to other variables"):
        tiny.gan(compiled=False).compile(generator_optimizer=used)


def holding(value):
    images = tiny.digits(32).copy()
    images[3, 2, 1, 0] = value
    return images


def dataset(array, size=8):
    return tf.data.Dataset.from_tensor_slices(array).batch(size)


@pytest.fixture(scope="module")
def untrained():
    return tiny.gan()


# What data may look like is tested with `tfgans.data.adapters`; here, that `fit` asks there for all
# that it is passed, and before the first step.
@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda: holding(np.nan), {}, "NaN"),
        (lambda: dataset(holding(np.inf)), {}, "infinite"),
        (lambda: tiny.digits(32)[:, :7], {}, "input shape"),
        (lambda: dataset(tiny.digits(32)[..., 0]), {}, "input shape"),
        (lambda: tfgans.data.load("ring"), {"steps_per_epoch": 1}, "input shape"),
        (lambda: (tiny.digits(32) + 1) * 127.5, {}, r"in \[-1, 1\]"),
        (lambda: tiny.digits(32), {"batch_size": 33}, "33"),
        (lambda: tiny.digits(32), {"batch_size": 0}, "`batch_size` must be"),
        (lambda: tiny.digits(32), {"y": np.zeros(32)}, "labels are not taken"),
        (lambda: tfgans.data.from_array(tiny.digits(32)), {"y": np.zeros(32)}, "`y` is for arrays"),
        (lambda: tfgans.data.load("ring"), {}, "input shape"),
        (lambda: dataset(tiny.digits(32)).repeat(), {}, "`steps_per_epoch`"),
        (lambda: tiny.digits(32), {"steps_per_epoch": 0}, "`steps_per_epoch` must be"),
        (lambda: tiny.digits(32), {"epochs": 0}, "`epochs` must be"),
        (lambda: tiny.digits(32), {"class_weight": {0: 1.0}}, "`class_weight` is not supported"),
        (lambda: tiny.digits(32), {"sample_weight": np.ones(32)}, "`sample_weight` is not supp"),
    ],
)
def test_fit(untrained, data, options, message):
    with pytest.raises(ValueError, match=message):
        untrained.fit(data(), verbose=0, **options)
    assert untrained.step == 0


@pytest.mark.parametrize(
    ("validation_data", "message"),
    [
        (lambda: holding(np.nan), "NaN"),
        (lambda: dataset(holding(np.nan)), "NaN"),
        (lambda: tiny.digits(8)[:, :7], "input shape"),
        (lambda: tfgans.data.load("ring"), "input shape"),
        (lambda: (tiny.digits(8), np.zeros(8)), "labels are not taken"),
        (lambda: dataset((tiny.digits(8), np.zeros(8))), "labels are not taken"),
        (lambda: dataset(tiny.digits(8)).repeat(), "`validation_steps`"),
    ],
)
def test_validation_data(untrained, validation_data, message):
    with pytest.raises(ValueError, match=message):
        untrained.fit(tiny.digits(32), validation_data=validation_data(), verbose=0)
    assert untrained.step == 0


@pytest.mark.parametrize("passed", [{"lr": 0.1}, {"workers": 2}])
def test_unknown_argument_of_fit_is_not_swallowed(untrained, passed):
    with pytest.raises(TypeError, match=next(iter(passed))):
        untrained.fit(tiny.digits(32), **passed)


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


@pytest.mark.parametrize("bad", [-1, 0, 2.5, True, "3"])
def test_sample(untrained, bad):
    with pytest.raises(ValueError, match="`n` must be an integer of at least 1"):
        untrained.sample(bad)


def test_sample_seed(untrained):
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        untrained.sample(1, seed="a")


def test_generator_that_cannot_be_copied():
    with pytest.raises(ValueError, match="`ema` keeps one of the generator"):
        make(generator=not_clonable(), ema=0.9)


def test_plain_batch_where_several_are_needed():
    with pytest.raises(ValueError, match=r"\[batch, 2, ...\]"):
        tiny.gan().train_on_batch(tiny.digits(8))
