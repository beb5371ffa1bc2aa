"""The distance that a class of discriminators sees: closed forms, fixed networks, what it keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

import tfgans
from tfgans.games.neural_net_distance import neural_net_distance


def linear(dim, **options):
    """A class that says sigma(w.x + b), its first weights seeded."""

    def build():
        initializer = keras.initializers.GlorotUniform(seed=1)
        head = keras.layers.Dense(1, kernel_initializer=initializer, **options)
        return keras.Sequential([keras.Input((dim,)), keras.layers.Flatten(), head])

    return build


def fixed(slope):
    """A class of one function, the logit slope x: nothing is trained."""

    def build():
        network = linear(1, use_bias=False)()
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
    found = neural_net_distance(real, fake, discriminator=fixed(0.7), phi=phi, steps=1)
    # Both halves count alike, so their mean is the payoff of all; float32 logits.
    whole = payoff(phi, 0.7 * real, 0.7 * fake)
    assert (found.distance + found.train_distance) / 2 == pytest.approx(whole, abs=1e-6)
    assert found.generalization_gap == found.train_distance - found.distance
    gain = special.log_expit if phi == "log" else special.expit
    spread = np.sqrt(gain(0.7 * real).var() / 200 + gain(-0.7 * fake).var() / 200)
    # A standard deviation of 200 heavy-tailed terms: sqrt(kurtosis / 800) is below 8 %.
    assert found.standard_error == pytest.approx(spread, rel=0.3)


@pytest.mark.parametrize("clip", [0.1, 1.0])
@pytest.mark.parametrize("phi", ["log", "linear"])
def test_clipped_class_on_two_points(phi, clip):
    """Real at 1 and fake at -1: the best of the class is w = clip, b = 0."""
    real, fake = np.ones([8, 1]), -np.ones([8, 1])
    how = {"steps": 300, "learning_rate": 0.05, "weight_clip": clip}
    found = neural_net_distance(real, fake, discriminator=linear(1), phi=phi, **how)
    best = payoff(phi, np.array([clip]), np.array([-clip]))
    # b ends within 1e-2 of its optimum, where the payoff is flat.
    assert found.distance == pytest.approx(best, rel=1e-3)
    assert found.generalization_gap == pytest.approx(0, abs=1e-7)
    assert found.standard_error == pytest.approx(0, abs=1e-7)


def test_shifted_gaussians_in_closed_form():
    """N(1, 1) against N(0, 1): the best logit is linear, and its payoffs are integrals."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1, 1, size=(6000, 1)), rng.normal(0, 1, size=(6000, 1))
    how = {"discriminator": linear(1), "steps": 400, "learning_rate": 0.05}
    found = neural_net_distance(real, fake, **how)
    assert found.distance == pytest.approx(0.2228430, abs=4 * found.standard_error)
    assert found.standard_error < 0.02
    bounded = neural_net_distance(real, fake, phi="linear", **how)
    # Total variation, reached by infinitely steep logits: a finite one stays below.
    limit = 2 * stats.norm.cdf(0.5) - 1
    assert limit - 0.04 < bounded.distance < limit + 4 * bounded.standard_error


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("phi", ["log", "linear"])
def test_equal_distributions_are_at_distance_zero(phi, seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(2, 2000, 2))
    how = {"discriminator": linear(2), "steps": 150, "learning_rate": 0.02}
    found = neural_net_distance(real, fake, phi=phi, seed=seed, **how)
    # Three parameters learn 3 / 2000 by heart, beside the error of the held-out half.
    assert abs(found.distance) < 4 * found.standard_error + 3 / 2000


def test_grows_with_the_shift():
    real, fake = np.random.default_rng(0).normal(size=(2, 1000, 1))
    how = {"discriminator": linear(1), "steps": 100, "learning_rate": 0.1}
    found = [neural_net_distance(real + shift, fake, **how).distance for shift in (0, 1, 4)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 1


def test_halves_of_few_examples_are_learnt_by_heart():
    """More dimensions than examples: the training half is told apart, the other is not."""
    real, fake = np.random.default_rng(0).normal(size=(2, 40, 200))
    found = neural_net_distance(real, fake, discriminator=linear(200), learning_rate=0.02)
    assert found.train_distance > 1
    assert found.distance < 0.3
    assert found.generalization_gap > 1


def test_seeded_networks_repeat_and_leave_all_else_alone():
    real, fake = np.random.default_rng(0).normal(size=(2, 60, 2))
    before = real.copy(), fake.copy()

    def build():
        return tfgans.networks.mlp_discriminator((2,), width=8, depth=1, seed=3)

    def measure(**options):
        return neural_net_distance(real, fake, discriminator=build, steps=10, **options)

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


def test_share_held_out():
    real, fake = np.random.default_rng(0).normal(size=(2, 50, 1))
    how = {"discriminator": linear(1), "steps": 2}
    for share, counts in [(0.5, (25, 25)), (0.2, (40, 10)), (0.9, (5, 45))]:
        found = neural_net_distance(real, fake[:20], held_out=share, **how)
        assert (found.num_train, found.num_held_out) == counts


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_other_floats(dtype):
    real, fake = np.random.default_rng(0).normal(size=(2, 60, 2)).astype(dtype)
    how = {"discriminator": linear(2), "steps": 5}
    doubles = neural_net_distance(real.astype(np.float64), fake.astype(np.float64), **how)
    assert neural_net_distance(real, fake, **how) == doubles


def test_bytes_are_images():
    pixels = np.random.default_rng(0).integers(0, 256, size=(60, 2)).astype(np.uint8)
    how = {"discriminator": linear(2), "steps": 5}
    floats = pixels / 127.5 - 1
    expected = neural_net_distance(floats, floats, **how)
    assert neural_net_distance(pixels, tf.constant(pixels), **how) == expected


def test_a_network_that_is_not_fresh_is_refused_untouched():
    network = linear(2)()
    before = network.get_weights()
    points = np.random.default_rng(0).normal(size=(20, 2))

    def wrapped():
        return keras.Sequential([keras.Input((2,)), network])

    for builder in (lambda: network, wrapped):
        with pytest.raises(ValueError, match=r"fresh network at each call.*clone_model"):
            neural_net_distance(points, points, discriminator=builder)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    found = neural_net_distance(
        points, points, discriminator=lambda: keras.models.clone_model(network), steps=2
    )
    assert found.num_train == 10


POINTS = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fake": POINTS[:, :1]}, r"the same shape. Received shapes: \(20, 2\) and \(20, 1\)"),
        ({"real": POINTS[:3]}, r"`real` must have .* at least 4 examples.*\(3, 2\)"),
        ({"fake": POINTS[:, 0]}, r"`fake` must have shape \[num, ...\].*\(20,\)"),
        ({"fake": POINTS * np.inf}, "`fake` must be finite"),
        ({"real": POINTS * 1e39}, "`real` must fit in float32"),
        ({"real": "digits"}, "`real` must be an array of numbers"),
        ({"discriminator": lambda: None}, "must build a Keras network. Received: None"),
        ({"discriminator": "mlp"}, "must be a function that builds"),
        ({"held_out": 0}, "`held_out` must be above 0"),
        ({"held_out": 1.0}, r"`held_out` must be in \(0, 1\)"),
        ({"held_out": 0.05}, r"two to hold out. Received: held_out=0.05 of 20 in `real`"),
        ({"held_out": 0.95, "real": POINTS.repeat(9, 0)}, "held_out=0.95 of 20 in `fake`"),
        ({"seed": 0.5}, "`seed` must be an integer"),
    ],
)
def test_bad_input(changed, expected):
    given = {"real": POINTS, "fake": POINTS, "discriminator": linear(2), **changed}
    with pytest.raises(ValueError, match=expected):
        neural_net_distance(given.pop("real"), given.pop("fake"), **given)
