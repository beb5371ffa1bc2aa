"""Output ranges: which networks cannot return logits or images, and which only look like it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfgans import networks
from tfgans.output_ranges import check_image_generator, output_range, refuse_probabilities

L = keras.layers


class Subclassed(keras.Model):
    """A model whose graph Keras does not know: a linear layer, then any function."""

    def __init__(self, function, units=1, **options):
        super().__init__(**options)
        self.dense = L.Dense(units, name="logit")
        self.function = function

    def call(self, inputs):
        return self.function(self.dense(inputs))


class Compiled(Subclassed):
    """The same with a `tf.function` inside."""

    @tf.function(jit_compile=True)
    def call(self, inputs):
        return self.function(self.dense(inputs))


class Conditional(Subclassed):
    """The same, of examples and labels."""

    def call(self, inputs):
        examples, labels = inputs
        return self.function(self.dense(examples) + tf.cast(labels, tf.float32)[:, None])


def sequential(*last, hidden="relu"):
    return keras.Sequential([keras.Input((3,)), L.Dense(4, activation=hidden), *last], name="net")


def functional(function, units=1):
    inputs = keras.Input((3,))
    return keras.Model(inputs, function(L.Dense(units)(inputs)))


def subclassed(function, kind=Subclassed):
    model = kind(function)
    model(tf.zeros((2, 3)))
    return model


def conditional(function):
    model = Conditional(function)
    model([tf.zeros((2, 3)), tf.zeros((2,), tf.int32)])
    return model


def mixed(*last):
    keras.config.set_dtype_policy("mixed_float16")
    return sequential(L.Dense(1), *last)


PROBABILITIES = {
    "sigmoid": lambda: sequential(L.Dense(1, activation="sigmoid")),
    "hard_sigmoid": lambda: sequential(L.Dense(1, activation="hard_sigmoid")),
    "tanh": lambda: sequential(L.Dense(1, activation="tanh")),
    "softsign": lambda: sequential(L.Dense(1, activation="softsign")),
    "softmax": lambda: sequential(L.Dense(1, activation="softmax")),
    "reshaped": lambda: sequential(
        L.Dense(1, activation="sigmoid"), L.Reshape((1, 1)), L.Identity(), L.Flatten()
    ),
    "dropout": lambda: sequential(L.Dense(1, activation="tanh"), L.Dropout(0.5)),
    "rescaled": lambda: sequential(L.Dense(1, activation="sigmoid"), L.Rescaling(2.0, -1.0)),
    "averaged": lambda: sequential(
        L.Reshape((2, 2, 1)), L.Conv2D(1, 1, activation="sigmoid"), L.GlobalAveragePooling2D()
    ),
    "averaged by hand": lambda: functional(
        lambda x: keras.ops.mean(keras.ops.sigmoid(x), axis=1, keepdims=True), units=3
    ),
    "a product": lambda: functional(lambda x: keras.ops.sigmoid(x) * keras.ops.sigmoid(-x)),
    "clipped": lambda: functional(lambda x: keras.ops.clip(x, 0.0, 1.0)),
    "by hand": lambda: functional(lambda x: 1 / (1 + keras.ops.exp(-x))),
    "time distributed": lambda: sequential(
        L.Reshape((1, 4)), L.TimeDistributed(L.Dense(1, activation="sigmoid")), L.Flatten()
    ),
    "subclassed": lambda: subclassed(tf.sigmoid),
    "a tf.function": lambda: subclassed(tf.sigmoid, Compiled),
    "conditional": lambda: conditional(tf.sigmoid),
    "mixed precision": lambda: mixed(L.Activation("sigmoid", dtype="float32")),
    "mixed precision, cast": lambda: mixed(L.Activation("sigmoid"), L.Identity(dtype="float32")),
}

LOGITS = {
    "linear": lambda: sequential(L.Dense(1)),
    "zero kernel": lambda: sequential(
        L.Dense(1, kernel_initializer="zeros", bias_initializer="zeros")
    ),
    "hidden tanh": lambda: sequential(L.Dense(1), hidden="tanh"),
    "hidden softmax, pooled": lambda: sequential(L.Softmax(), L.Dense(1)),
    "layer normalization": lambda: sequential(L.LayerNormalization(), L.Dense(1)),
    "bias alone": lambda: sequential(L.Dense(1, use_bias=False, kernel_constraint="unit_norm")),
    "spectral normalization": tiny.spectral_discriminator,
    "convolutional": tiny.discriminator,
    "conditional": tiny.conditional_discriminator,
    "subclassed": lambda: subclassed(lambda x: x),
    "subclassed, conditional": lambda: conditional(lambda x: x),
    "a tf.function": lambda: subclassed(lambda x: x, Compiled),
    "gated": lambda: functional(lambda x: x * keras.ops.sigmoid(x)),
    "residual": lambda: functional(lambda x: x + keras.ops.sigmoid(x)),
    "softly capped": lambda: functional(lambda x: 30 * keras.ops.tanh(x / 30)),
    "clipped": lambda: functional(lambda x: keras.ops.clip(x, -50.0, 50.0)),
    "log of a sigmoid": lambda: sequential(L.Dense(1, activation="log_sigmoid")),
    "summed": lambda: functional(
        lambda x: keras.ops.sum(keras.ops.sigmoid(x), axis=1, keepdims=True), units=3
    ),
    "python": lambda: functional(
        lambda x: L.Lambda(
            lambda t: tf.ensure_shape(tf.numpy_function(_half, [t], tf.float32), t.shape)
        )(x)
    ),
    "mlp": lambda: networks.mlp_discriminator((2,)),
}


def _half(array):
    return array / 2


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_refuses_probabilities(kind):
    with pytest.raises(ValueError, match=r"must return logits.*Received: .*whose outputs lie in"):
        refuse_probabilities(PROBABILITIES[kind]())


@pytest.mark.parametrize("kind", LOGITS)
def test_takes_logits(kind):
    refuse_probabilities(LOGITS[kind]())


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: sequential(L.Dense(1, activation="sigmoid", name="last")), "Sigmoid in 'last'"),
        (lambda: sequential(L.Dense(1), L.Activation("tanh", name="act")), "Tanh in 'act'"),
        (lambda: sequential(L.Dense(1), L.Lambda(tf.nn.softmax, name="fn")), "Softmax in 'fn'"),
    ],
)
def test_error_names_operation_and_layer(make, place):
    network = make()
    for _ in range(2):  # The second trace numbers the scopes otherwise.
        with pytest.raises(ValueError, match=place):
            refuse_probabilities(network)


def images(*last, activation=None, channels=3):
    conv = L.Conv2D(channels, 3, activation=activation)
    return keras.Sequential([keras.Input((5,)), L.Dense(25), L.Reshape((5, 5, 1)), conv, *last])


@pytest.mark.parametrize(
    ("activation", "make"),
    [
        (activation, lambda activation=activation: images(activation=activation))
        for activation in [
            "sigmoid",
            "hard_sigmoid",
            "relu",
            "relu6",
            "softplus",
            "softmax",
            "exponential",
        ]
    ]
    + [
        ("layer", lambda: images(L.Activation("sigmoid", dtype="float32"))),
        ("reshaped", lambda: images(L.Activation("relu"), L.UpSampling2D(), L.Cropping2D())),
        ("lambda", lambda: images(L.Lambda(keras.activations.softplus))),
    ],
)
def test_refuses_generators_that_do_not_reach_all_images(activation, make):
    with pytest.raises(ValueError, match=r"\[-1, 1\].*'tanh'"):
        check_image_generator(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: images(),
        lambda: images(activation="tanh"),
        lambda: images(L.Activation("tanh", dtype="float32")),
        lambda: images(L.Rescaling(2.0, -1.0), activation="sigmoid"),
        lambda: images(L.Rescaling(1 / 3, -1.0), L.Identity(), activation="relu6"),
        lambda: images(L.Rescaling(127 / 128), activation="tanh"),
        lambda: images(L.Lambda(lambda x: 2 * tf.sigmoid(x) - 1)),
        lambda: images(L.Conv2D(1, 1), activation="relu"),
        tiny.generator,
        tiny.conditional_generator,
        lambda: sequential(L.Dense(2, activation="sigmoid")),  # No images.
    ],
)
def test_takes_generators_that_reach_all_images(make):
    check_image_generator(make())


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x, -np.inf, np.inf),
        (lambda x: 3 - 2 * keras.ops.sigmoid(x), 1, 3),
        (lambda x: keras.ops.relu(keras.ops.tanh(x)), 0, 1),
        (lambda x: keras.ops.concatenate([keras.ops.tanh(x), keras.ops.sigmoid(x)]), -1, 1),
        (lambda x: keras.ops.maximum(keras.ops.tanh(x), 0.25), 0.25, 1),
        (lambda x: keras.ops.sigmoid(x) / (2 + keras.ops.tanh(x)), 0, 1),
        (lambda x: keras.ops.tanh(x) / keras.ops.tanh(x), -np.inf, np.inf),
        (lambda x: keras.ops.tanh(x) * x, -np.inf, np.inf),
        (lambda x: keras.ops.where(x > 0, keras.ops.tanh(x), 4.0), -1, 4),
        (lambda x: keras.activations.elu(x), -1, np.inf),
        (lambda x: keras.activations.celu(x), -1, np.inf),
    ],
)
def test_range_is_that_of_interval_arithmetic(function, low, high):
    network = functional(function)
    outputs = output_range(network)
    assert (outputs.low, outputs.high) == pytest.approx((low, high))
    values = network(1e3 * np.random.default_rng(0).normal(size=(50, 3)))
    assert outputs.low - 1e-6 <= np.nanmin(values)
    assert np.nanmax(values) <= outputs.high + 1e-6


def test_leaves_the_network_as_it_was():
    network = sequential(
        L.BatchNormalization(), L.Dropout(0.5), L.Dense(1, activity_regularizer="l2")
    )
    before = [variable.numpy() for variable in network.variables]
    refuse_probabilities(network)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert network.losses == []
    assert not tf.config.functions_run_eagerly()


def test_inputs_of_unknown_or_fixed_size():
    inputs = keras.Input((None, None, 3))
    pooled = L.GlobalAveragePooling2D()(L.Conv2D(2, 3, strides=2)(inputs))
    refuse_probabilities(keras.Model(inputs, L.Dense(1)(pooled)))
    fixed = keras.Sequential([keras.Input((3,), batch_size=5), L.Dense(1)])
    refuse_probabilities(fixed)


def test_refuses_a_network_that_is_not_built():
    with pytest.raises(ValueError, match="must be built"):
        refuse_probabilities(keras.Sequential([L.Dense(1)]))
