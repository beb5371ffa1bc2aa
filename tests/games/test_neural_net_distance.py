"""The distance that a class of discriminators sees: closed forms, oracles, what it keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import special
from sklearn.linear_model import LogisticRegression
from toy import linear

from tfgans.games import neural_net_distance
from tfgans.layers import MinibatchStdDev


def fixed(slope):
    """A class of a single function, the logit slope x: nothing is trained."""

    def build():
        network = linear((1,), use_bias=False)()
        network.set_weights([np.array([[slope]])])
        network.trainable = False
        return network

    return build


def payoff(phi, logits_real, logits_fake):
    if phi == "linear":
        return special.expit(logits_real).mean() + special.expit(-logits_fake).mean() - 1
    logs = special.log_expit(logits_real).mean() + special.log_expit(-logits_fake).mean()
    return logs + 2 * np.log(2)


@pytest.mark.parametrize("phi", ["log", "linear"])
def test_payoff_and_error_of_a_fixed_network(phi):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1, 1, size=(400, 1)), rng.normal(0, 2, size=(400, 1))
    result = neural_net_distance(real, fake, discriminator=fixed(0.7), phi=phi, steps=1)
    # Both halves count alike, so their mean is the payoff of all; float32 logits.
    whole = payoff(phi, 0.7 * real, 0.7 * fake)
    assert (result.distance + result.train_distance) / 2 == pytest.approx(whole, abs=1e-6)
    assert result.generalization_gap == result.train_distance - result.distance
    gain = special.log_expit if phi == "log" else special.expit
    spread = np.sqrt(gain(0.7 * real).var() / 200 + gain(-0.7 * fake).var() / 200)
    # A standard deviation of 200 heavy-tailed terms: sqrt(kurtosis / 800) is below 8 %.
    assert result.standard_error == pytest.approx(spread, rel=0.3)


@pytest.mark.parametrize(("phi", "clip"), [("log", 0.1), ("log", 1.0), ("linear", 1.0)])
def test_clipped_class_on_two_points(phi, clip):
    """Real at 1 and fake at -1: the best of the class is w = clip, b = 0."""
    real, fake = np.ones([8, 1]), -np.ones([8, 1])
    options = {"steps": 100, "learning_rate": 0.1, "weight_clip": clip}
    result = neural_net_distance(real, fake, discriminator=linear((1,)), phi=phi, **options)
    best = payoff(phi, np.array([clip]), np.array([-clip]))
    # b ends within 1e-2 of its optimum, where the payoff is flat.
    assert result.distance == pytest.approx(best, rel=1e-3)
    assert result.generalization_gap == pytest.approx(0, abs=1e-7)
    assert result.standard_error == pytest.approx(0, abs=1e-7)


def test_distance_of_a_linear_class_is_logistic_regression():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2000, 3)) + 0.5, rng.normal(size=(2000, 3))
    result = neural_net_distance(
        real, fake, discriminator=linear((3,)), learning_rate=0.05, steps=200
    )
    labels = np.repeat([1, 0], 2000)
    fitted = LogisticRegression(C=np.inf).fit(np.concatenate([real, fake]), labels)
    logits = fitted.decision_function(real), fitted.decision_function(fake)
    # Half of the examples each: four standard errors of the difference.
    expected = payoff("log", *logits)
    assert result.distance == pytest.approx(expected, abs=4 * result.standard_error)
    assert (result.num_train, result.num_held_out) == (1000, 1000)


def test_seeded_networks_repeat_and_leave_all_else_alone():
    real, fake = np.random.default_rng(0).normal(size=(2, 60, 2))
    before = real.copy(), fake.copy()

    def measure(**options):
        return neural_net_distance(real, fake, discriminator=linear((2,)), steps=3, **options)

    def draws():
        return [np.random.random(), float(tf.random.uniform([])), float(keras.random.uniform([]))]  # noqa: NPY002

    keras.utils.set_random_seed(5)
    undisturbed = draws()
    keras.utils.set_random_seed(5)
    first = measure()
    assert draws() == undisturbed
    assert measure() == first
    assert measure(seed=-1) != first
    np.testing.assert_array_equal([real, fake], before)
    fewer = measure(held_out=0.2)
    assert (fewer.num_train, fewer.num_held_out) == (48, 12)


def test_a_network_that_is_not_new_is_refused_untouched():
    network = linear((2,))()
    before = network.get_weights()
    points = np.random.default_rng(0).normal(size=(20, 2))
    wrapped = lambda: keras.Sequential([keras.Input((2,)), network])  # noqa: E731
    for builder in (lambda: network, wrapped):
        with pytest.raises(ValueError, match=r"new network at each call.*clone_model"):
            neural_net_distance(points, points, discriminator=builder)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    copied = lambda: keras.models.clone_model(network)  # noqa: E731
    assert neural_net_distance(points, points, discriminator=copied, steps=2).num_train == 10


POINTS = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fake": POINTS[:, :1]}, r"the same shape. Received shapes: \(20, 2\) and \(20, 1\)"),
        ({"real": POINTS[:3]}, r"`real` must have .* at least 4 examples.*\(3, 2\)"),
        ({"fake": POINTS[:, 0]}, r"`fake` must have shape \[num, ...\].*\(20,\)"),
        ({"fake": POINTS * np.inf}, "`fake` must be finite"),
        ({"real": POINTS * 1e39}, "`real` must be within the range of float32"),
        ({"real": "digits"}, "`real` must be an array of numbers"),
        ({"discriminator": lambda: None}, "must build a Keras network. Received: None"),
        (
            {"discriminator": lambda: keras.Sequential([MinibatchStdDev(), keras.layers.Dense(1)])},
            "judges each example by itself.*MinibatchStdDev",
        ),
        (
            {"discriminator": lambda: keras.Sequential([layers.BatchNormalization()])},
            "without BatchNormalization: .*'layer', 'spectral' or 'none'",
        ),
        ({"discriminator": "mlp"}, "must be a function that builds"),
        ({"weight_clip": 0}, "`weight_clip` must be above 0"),
        ({"phi": "hinge"}, "`phi` must be one of 'log', 'linear'"),
        ({"held_out": 0}, "`held_out` must be above 0"),
        ({"held_out": 1.0}, r"`held_out` must be in \(0, 1\)"),
        ({"held_out": 0.05}, r"two to hold out. Received: held_out=0.05 of 20 in `real`"),
        ({"held_out": 0.95, "real": POINTS.repeat(9, 0)}, "held_out=0.95 of 20 in `fake`"),
        ({"seed": 0.5}, "`seed` must be an integer"),
    ],
)
def test_bad_input(changed, expected):
    arguments = {"real": POINTS, "fake": POINTS, "discriminator": linear((2,)), **changed}
    with pytest.raises(ValueError, match=expected):
        neural_net_distance(arguments.pop("real"), arguments.pop("fake"), **arguments)
