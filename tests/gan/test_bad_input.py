"""Bad input ends in a ValueError that says what was expected, before training starts."""

import gc

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


def network(*made, shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), *made])


def two_inputs():
    left, right = keras.Input((4,)), keras.Input((4,))
    return keras.Model([left, right], layers.Reshape((8, 8, 1))(layers.Dense(64)(left + right)))


def any_length():
    last = layers.Dense(64), layers.Reshape((8, 8, 1))
    return network(layers.GlobalAveragePooling1D(), *last, shape=(None, 4))


def not_clonable():
    model = tiny.generator()
    model.layers[1].get_config = None
    return model


def in_half_precision(build):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("bfloat16")
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(before)


def of_dictionary(key):
    inputs = keras.Input((4,), name=key)
    outputs = layers.Reshape((8, 8, 1))(layers.Dense(64)(inputs))
    return keras.Model({key: inputs}, outputs)


def dictionary(network, key):
    return keras.Model(network.inputs, {key: network.output})


def recurrent(**options):
    inputs = keras.Input(batch_shape=(4, 8, 8, 1))
    rows = layers.Reshape((8, 8))(inputs)
    return keras.Model(inputs, layers.Dense(1)(layers.GRU(2, **options)(rows)))


def twice():
    network = tiny.discriminator()
    return {"generator": network, "discriminator": network}


def sharing_a_layer():
    shared = layers.Conv2D(1, 3, padding="same")
    generator = network(layers.Dense(64), layers.Reshape((8, 8, 1)), shared, shape=(4,))
    return {
        "generator": generator,
        "discriminator": network(shared, layers.Flatten(), layers.Dense(1)),
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda: {"discriminator": network(layers.Flatten(), layers.Dense(1), shape=(7, 8, 1))},
            r"generator output \(8, 8, 1\), discriminator input \(7, 8",
        ),
        (
            lambda: {"discriminator": network(layers.Flatten(), layers.Dense(2))},
            r"of shape \[batch, 1\].*output shape \(None, 2\).*`Dense\(1\)`",
        ),
        (lambda: {"generator": keras.Sequential([layers.Dense(4)])}, "generator must be built"),
        (lambda: {"generator": tiny.generator}, "generator must be a built Keras model.*function"),
        (lambda: {"discriminator": None}, "discriminator must be a built Keras model.*None"),
        (lambda: {"generator": two_inputs()}, "one input tensor"),
        (lambda: {"generator": any_length()}, "fixed shape but for the batch"),
        (
            lambda: {"generator": dictionary(tiny.generator(), "images")},
            r"The generator must return a tensor.*\['images'\]",
        ),
        (
            lambda: {"generator": of_dictionary("z")},
            r"generator must take a tensor.*dictionary \['z'\]",
        ),
        (
            lambda: {"discriminator": dictionary(tiny.discriminator(), "logit")},
            r"The discriminator must return a tensor.*\['logit'\]",
        ),
        (
            lambda: {"discriminator": recurrent(stateful=True)},
            "discriminator's layer 'gru.*' with stateful=True. Build it with stateful=False",
        ),
        (twice, "two networks"),
        (sharing_a_layer, r"must not share layers.*conv2d.*kernel"),
        (lambda: {"objective": "wasserstein"}, r"a tfgans.objectives.Objective.*'wasserstein'"),
        (lambda: {"penalty": 10.0}, r"a tfgans.penalties.Penalty, say.*Received: 10.0"),
        (
            lambda: {"penalty": [tfgans.penalties.R1Penalty(), tfgans.penalties.R2Penalty()]},
            r"go into one `tfgans.penalties.PenaltySum`. Received: list of 2",
        ),
        (lambda: {"weight_clip": 0}, "`weight_clip` must be above 0"),
        (lambda: {"num_classes": 1}, "`num_classes` must be an integer of at least 2"),
        (lambda: {"discriminator_steps": 0}, "`discriminator_steps` must be .* at least 1"),
        (lambda: {"ema": 1.0}, r"`ema` must be None or a float in \[0, 1\)"),
        (lambda: {"ema": -0.1}, "`ema` must be"),
        (lambda: {"generator": not_clonable(), "ema": 0.9}, "made from its config .for `ema`"),
        (
            lambda: {"generator": in_half_precision(tiny.generator), "ema": 0.9},
            r"`ema` needs weights of float32 or more.*in bfloat16\. Use the policy",
        ),
        (lambda: {"seed": 1.5}, "`seed` must be an integer"),
    ],
)
def test_constructor(changed, message):
    with pytest.raises(ValueError, match=message):
        make(**changed())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jit_compile": "auto"}, "`jit_compile` must be True or False. Received: 'auto'"),
        ({"run_eagerly": 1}, "`run_eagerly` must be True or False"),
        (
            {"generator_optimizer": "adafactor", "routing": "categorical"},
            "must belong to single weights.* Adafactor",
        ),
    ],
)
def test_compile_options(options, message):
    routing = options.pop("routing", "slices")
    gan = tfgans.NonSaturatingGAN(*tiny.mixtures(routing=routing))
    with pytest.raises(ValueError, match=message):
        gan.compile(**options)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros(8), ValueError, "`labels` must be integers. Received: float64"),
        (np.full(8, 10), tf.errors.InvalidArgumentError, "classes from 0 to 9"),
    ],
)
def test_labels_of_a_batch(labels, error, message):
    networks = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = tfgans.NonSaturatingGAN(*networks, num_classes=10)
    gan.compile(run_eagerly=True)
    with pytest.raises(error, match=message):
        gan.train_on_batch(tiny.digits(8), labels)


def test_batch_that_cannot_be_divided():
    gan = tiny.gan(tfgans.NonSaturatingGAN, compiled=False)
    gan.compile(accumulate_steps=4, run_eagerly=True)
    with pytest.raises(ValueError, match="multiple of accumulate_steps=4"):
        gan.train_on_batch(tiny.digits(10))


class Scaled(tfgans.objectives.NonSaturating):
    def __init__(self, scale=1.0):
        super().__init__()


class Centered(tfgans.penalties.GradientPenalty):
    def __init__(self, center=1.0):
        super().__init__(target=center)


@pytest.mark.parametrize(
    "options",
    [
        {"objective": Scaled()},
        {"penalty": Centered()},
        {"penalty": tfgans.penalties.PenaltySum([Centered(), tfgans.penalties.R1Penalty()])},
    ],
)
def test_settings_that_would_not_be_saved(options):
    with pytest.raises(ValueError, match="must be the fields of a frozen dataclass"):
        make(**options)


@pytest.mark.parametrize(
    "part",
    [
        lambda: {"instance_noise": tfgans.layers.InstanceNoise(0.5, decay_steps=4)},
        lambda: {"augmentation": tfgans.augmentation.AdaptiveAugment("bg")},
        lambda: {"regularizers": [tfgans.regularizers.LeCam()]},
    ],
)
def test_state_that_another_model_moves(part):
    options = part()
    first = make(**options)
    first.compile()
    with pytest.raises(ValueError, match="Make a new object for each model"):
        make(**options).compile()
    first.compile()
    del first
    gc.collect()
    make(**options).compile()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("WGAN", {"weight_clip": None}, "`weight_clip` must be a finite number"),
        ("WGAN", {"critic_warmup": "no"}, "`critic_warmup` must be True or False. Received: 'no'"),
        ("DRAGAN", {"minimax": 1}, "`minimax` must be True or False"),
        ("FGAN", {"non_saturating": "x"}, "`non_saturating` must be True or False"),
        ("FGAN", {"divergence": "js"}, "`divergence` must be one of 'kl'.*Received: 'js'"),
        *(
            (name, {"penalty_weight": -1}, "`penalty_weight` must be a finite number of at least 0")
            for name in ("WGANGP", "GANGP", "DRAGAN")
        ),
        ("KLWGAN", {"weight_gradient": 0}, "`weight_gradient` must be True or False"),
        ("R3GAN", {"gamma": -1}, "`gamma` must be a finite number of at least 0"),
        ("DCD", {"updates_per_batch": 0}, "`updates_per_batch` must be an integer of at least 1"),
        ("DCD", {"langevin": {"steps": 3}}, "`langevin` must be a tfgans.refinement.Langevin"),
    ],
)
def test_named_methods(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(tfgans, name)(tiny.generator(), tiny.discriminator(), **options)


def test_compile():
    gan, compiled, adam = tiny.gan(compiled=False), tiny.gan(), keras.optimizers.Adam()
    with pytest.raises(ValueError, match="same object twice"):
        gan.compile(adam, adam)
    with pytest.raises(ValueError, match=r"identifier: 0\.01"):
        gan.compile(0.01, 0.01)
    with pytest.raises(ValueError, match="adma"):
        compiled.compile("adam", "adma", accumulate_steps=4)
    with pytest.raises(ValueError, match="already belongs to other variables"):
        gan.compile(generator_optimizer=compiled.generator_optimizer)
    # A compile that fails changes nothing.
    assert not gan.compiled
    assert compiled.accumulate_steps == 1


IMAGES = tiny.digits(32)


def holding(value):
    images = IMAGES.copy()
    images[3, 2, 1, 0] = value
    return images


def dataset(array):
    return tf.data.Dataset.from_tensor_slices(array).batch(8)


@pytest.fixture(scope="module")
def untrained():
    return tiny.gan()


# What data may look like is tested with `tfgans.data.adapters`; here, that `fit` and `evaluate` ask
# there for all that they are passed, and before the first step.
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda gan: gan.fit(holding(np.nan)), "NaN"),
        (lambda gan: gan.fit(IMAGES, batch_size=33), "33"),
        (lambda gan: gan.fit(IMAGES, np.zeros(32)), "labels are not taken"),
        (lambda gan: gan.fit(dataset(IMAGES).repeat()), "`steps_per_epoch`"),
        (lambda gan: gan.fit(IMAGES, epochs=0), "`epochs` must be"),
        (lambda gan: gan.fit(IMAGES, class_weight={0: 1.0}), "`class_weight` is not supported"),
        (lambda gan: gan.fit(IMAGES, initial_epoch=-1), "`initial_epoch` must be an integer of"),
        (lambda gan: gan.fit(IMAGES, validation_freq=0), "`validation_freq` must be an integer"),
        (lambda gan: gan.fit(IMAGES, callbacks=[1]), "`callbacks` must be a list of .* 1 among"),
        (lambda gan: gan.fit(IMAGES, sample_weight=np.ones(32)), "`sample_weight` is not supp"),
        (lambda gan: gan.fit(IMAGES, validation_data=holding(np.nan)), "NaN"),
        (lambda gan: gan.fit(IMAGES, validation_data=(IMAGES, np.zeros(32))), "labels are not t"),
        (
            lambda gan: gan.fit(IMAGES, validation_data=dataset(IMAGES).repeat()),
            "`validation_steps`",
        ),
        (lambda gan: gan.evaluate(holding(np.nan)), "NaN"),
        (lambda gan: gan.evaluate(dataset((IMAGES, np.zeros(32)))), "labels are not taken"),
        (lambda gan: gan.evaluate(dataset(IMAGES).repeat()), "`steps`"),
        (lambda gan: gan.evaluate(IMAGES, sample_weight=np.ones(32)), "`sample_weight` is not s"),
        (lambda gan: gan.sample(0), "`n` must be an integer of at least 1"),
        (lambda gan: gan.sample(1, "a"), "`seed` must be an integer"),
        (lambda gan: gan.sample(1, refine=20), "`refine` must be a tfgans.refinement.*: 20"),
        (lambda gan: gan.train_on_batch(tiny.digits(8)), r"\[batch, 2, ...\]"),
    ],
)
def test_calls(untrained, call, message):
    with pytest.raises(ValueError, match=message):
        call(untrained)
    assert untrained.step == 0


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_a_player_that_cannot_learn(frozen):
    gan = make()
    getattr(gan, frozen).trainable = False
    with pytest.warns(UserWarning, match=f"The {frozen} has no trainable variables"):
        gan.compile()


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_layer_that_was_frozen_after_compile(player):
    gan = make()
    gan.compile(run_eagerly=True)
    layer = getattr(gan, player).layers[1]
    layer.trainable = False
    for method in (gan.fit, gan.train_on_batch):
        with pytest.raises(ValueError, match=f"of the {player} have changed since `compile`"):
            method(IMAGES)
    gan.evaluate(IMAGES, verbose=0)
    gan.compile(run_eagerly=True)
    before = layer.get_weights()
    gan.fit(IMAGES, batch_size=16, verbose=0)
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    layer.trainable = True
    with pytest.raises(ValueError, match="frozen, unfrozen"):
        gan.fit(IMAGES)


def test_steps_that_keras_would_overrun():
    gan = tiny.gan(compiled=False)
    gan.compile(steps_per_execution=4)
    with pytest.raises(ValueError, match=r"multiple of `steps_per_execution` = 4. Received: 6"):
        gan.fit(tiny.digits(), batch_size=8, steps_per_epoch=6)


@pytest.mark.parametrize(
    ("source", "batch_size", "compiled", "message"),
    [
        (lambda: tfgans.data.from_array(IMAGES), 8, False, "Compile the model before"),
        (lambda: tfgans.data.load("ring"), 8, True, "discriminator's input shape"),
        (lambda: tfgans.data.from_array(IMAGES), 33, True, "33"),
    ],
)
def test_training_that_could_not_start(source, batch_size, compiled, message):
    with pytest.raises(ValueError, match=message):
        tiny.gan(compiled=compiled).check_training(source(), batch_size)
