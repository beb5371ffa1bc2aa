"""The activation that a network ends in: which networks return no logits, or no images."""

import keras
import pytest
import tensorflow as tf
import tiny

from tfgans import networks
from tfgans.last_activation import check_image_generator, last_activation, refuse_probabilities

L = keras.layers


def sequential(*last, hidden="relu"):
    return keras.Sequential([keras.Input((3,)), L.Dense(4, activation=hidden), *last], name="net")


def functional(function, units=1):
    inputs = keras.Input((3,))
    return keras.Model(inputs, function(L.Dense(units)(inputs)), name="net")


def images(*last, activation=None, channels=3):
    conv = L.Conv2D(channels, 3, activation=activation)
    return keras.Sequential([keras.Input((5,)), L.Dense(25), L.Reshape((5, 5, 1)), conv, *last])


class Hidden(keras.Model):
    """A model with an attribute `activation`, which is not at its end."""

    def __init__(self, activation, last):
        super().__init__()
        self.hidden, self.activation, self.last = L.Dense(4), activation, last

    def call(self, inputs):
        return self.last(self.activation(self.hidden(inputs)))


def built(model):
    model(tf.zeros((2, 3)))
    return model


def two_heads():
    """The logit of a network that also has a softmax."""
    inputs = keras.Input((3,))
    both = keras.Model(inputs, [L.Dense(1)(inputs), L.Dense(4, activation="softmax")(inputs)])
    return keras.Model(inputs, both(inputs)[0])


def shared_head():
    """A layer that is called before and after a sigmoid."""
    inputs, head = keras.Input((1,)), L.Dense(1)
    return keras.Model(inputs, head(keras.ops.sigmoid(head(inputs))))


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda name=name: sequential(L.Dense(1, activation=name))
            for name in ("sigmoid", "hard_sigmoid", "tanh", "softsign", "softmax")
        ),
        lambda: sequential(L.Dense(1), L.Softmax()),
        lambda: sequential(L.Dense(1, activation="sigmoid"), L.Reshape((1, 1)), L.Flatten()),
        lambda: sequential(L.Dense(1), L.Activation("tanh"), L.Dropout(0.5)),
        lambda: sequential(L.Dense(1), L.Activation("sigmoid", dtype="float32")),
        lambda: sequential(L.Dense(1), L.Lambda(tf.nn.softmax)),
        lambda: sequential(L.Reshape((1, 4)), L.TimeDistributed(L.Dense(1, activation="tanh"))),
        lambda: sequential(
            keras.Sequential([keras.Input((4,)), L.Dense(1, activation="sigmoid")], name="nested")
        ),
        lambda: sequential(
            L.Dense(1, activation="sigmoid"), keras.Sequential([keras.Input((1,)), L.Flatten()])
        ),
        lambda: sequential(L.Dense(1, "sigmoid"), L.Activation("linear", dtype="float32")),
        lambda: functional(keras.ops.hard_sigmoid),
        lambda: functional(
            lambda x: keras.ops.mean(keras.ops.sigmoid(x), axis=1, keepdims=True), units=3
        ),
    ],
)
def test_probabilities_are_refused(make):
    with pytest.raises(ValueError, match=r"must return logits.*'net', which ends in the activat"):
        refuse_probabilities(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: sequential(L.Dense(1)),
        lambda: sequential(L.Dense(1), hidden="tanh"),
        lambda: sequential(L.Softmax(), L.Dense(1)),
        lambda: sequential(L.Dense(1, activation="log_sigmoid")),
        lambda: functional(lambda x: 30 * keras.ops.tanh(x / 30)),
        lambda: built(Hidden(tf.tanh, L.Dense(1))),
        two_heads,
        shared_head,
        lambda: functional(lambda x: x * keras.ops.sigmoid(x)),
        lambda: functional(lambda x: x + keras.ops.sigmoid(x)),
        tiny.spectral_discriminator,
        tiny.conditional_discriminator,
        lambda: networks.mlp_discriminator((2,)),
    ],
)
def test_logits_are_taken(make):
    refuse_probabilities(make())


def test_the_layer_is_named():
    network = sequential(L.Dense(1, activation="sigmoid", name="last"), L.Flatten())
    assert last_activation(network) == ("sigmoid", "last")


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda name=name: images(activation=name)
            for name in ("sigmoid", "hard_sigmoid", "relu", "relu6", "softplus", "softmax")
        ),
        lambda: images(activation="exponential"),
        lambda: images(L.Activation("sigmoid", dtype="float32")),
        lambda: images(L.ReLU(), L.UpSampling2D(), L.Cropping2D()),
    ],
)
def test_generators_that_miss_a_part_of_the_images_are_refused(make):
    with pytest.raises(ValueError, match=r"\[-1, 1\].*'tanh'"):
        check_image_generator(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: images(),
        lambda: images(activation="tanh"),
        lambda: images(L.Rescaling(2.0, -1.0), activation="sigmoid"),
        lambda: images(L.Conv2D(1, 1), activation="relu"),
        lambda: images(L.ReLU(negative_slope=0.2)),
        lambda: built(Hidden(tf.nn.relu, L.Reshape((2, 2, 1)))),
        tiny.conditional_generator,
        lambda: sequential(L.Dense(2, activation="sigmoid")),  # No images.
    ],
)
def test_generators_of_all_images_are_taken(make):
    check_image_generator(make())
