"""LeCam and consistency: closed forms, with critics that can be computed by hand."""

import copy
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.augmentation import AdaptiveAugment, Augmentation, DiffAugment
from tfgans.random import Stream
from tfgans.regularizers import ConsistencyRegularization, LeCam, RegularizerInputs
from tfgans.weighted import Weighted

STREAM = Stream(tfgans.random.key(3))


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Brighter(Augmentation):
    """Adds a number to all pixels."""

    brightness: float = 0.1

    def augment(self, images, key):
        return images + self.brightness


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeCam(weight=-1), "`weight` must be a finite number of at least 0"),
        (lambda: LeCam(decay=1.0), r"`decay` must be in \[0, 1\)"),
        (lambda: LeCam(start=-1), "`start` must be an integer of at least 0"),
        (lambda: LeCam(relu=1), "`relu` must be True or False"),
        (lambda: ConsistencyRegularization("bCR"), "`kind` must be one of 'cr', 'bcr', 'zcr'"),
        (lambda: ConsistencyRegularization(real_weight=-1), "`real_weight` must be"),
        (lambda: ConsistencyRegularization(latent_stddev=0), "`latent_stddev` must be above 0"),
        (
            lambda: ConsistencyRegularization(augmentation="flip"),
            "`augmentation` must be a tfgans.augmentation",
        ),
        (
            lambda: ConsistencyRegularization(augmentation=AdaptiveAugment("bg")),
            "must not be adaptive: .* Received: AdaptiveAugment.*target=None, initial_p=0.5",
        ),
        (
            lambda: tfgans.DCD(
                tiny.generator(),
                tiny.discriminator(),
                regularizers=[ConsistencyRegularization("zcr")],
            ),
            "trains no generator.*Use kind='bcr'",
        ),
        (
            lambda: ConsistencyRegularization("icr").check((13,), trains_generator=True),
            r"'icr' needs changed copies.*DiffAugment.*Received: .*\(13,\).*kind='zcr'",
        ),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# LeCam.


def inputs(real, fake):
    logits = [Weighted(tf.convert_to_tensor(values)) for values in (real, fake)]
    same = tf.identity
    return RegularizerInputs(
        *(x.values for x in logits), *logits, same, same, same, tfgans.random.key(0)
    )


def column(*values):
    return tf.constant(values, tf.float32, [len(values), 1])


@pytest.mark.parametrize(
    ("relu", "value", "real_slopes"),
    [(True, 5.0, (1.5, 2.5, 0.0)), (False, 31 / 6, (1.5, 2.5, -0.5))],
)
def test_lecam_by_hand(relu, value, real_slopes):
    lecam = LeCam(weight=2.0, start=0, relu=relu)
    lecam.adapt(0.5, -0.5)
    np.testing.assert_allclose(lecam.anchors(), [0.5, -0.5], rtol=1e-6)
    real, fake = column(1, 2, -1), column(-2, 0, 1)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        term, logs = lecam.discriminator_term(inputs(real, fake))
    assert float(logs["lecam"]) == pytest.approx(value, rel=1e-5)
    assert float(term) == pytest.approx(2 * value, rel=1e-5)
    slopes = tape.gradient(term, [real, fake])
    np.testing.assert_allclose(slopes[0], 2 * 2 / 3 * column(*real_slopes), rtol=1e-5)
    fake_slopes = (2.5, 0.5, 0.0 if relu else -0.5)
    np.testing.assert_allclose(slopes[1], -2 * 2 / 3 * column(*fake_slopes), rtol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999999])
def test_anchors_of_constant_logits_are_these(decay):
    lecam = LeCam(decay=decay)
    for _ in range(3):
        lecam.adapt(2.0, -3.0)
        np.testing.assert_allclose(lecam.anchors(), [2, -3], rtol=1e-5)


def test_anchors_are_unbiased_averages_without_broken_numbers():
    lecam = LeCam(decay=0.9)
    np.testing.assert_array_equal(lecam.anchors(), [0, 0])
    for _ in range(3):
        lecam.adapt(np.float64(2.0), np.float64(-3.0))
        np.testing.assert_allclose(lecam.anchors(), [2, -3], rtol=1e-5)
    lecam.adapt(float("nan"), 0.0)
    np.testing.assert_allclose(lecam.anchors(), [2, -3], rtol=1e-5)
    lecam = copy.deepcopy(lecam)  # With its state.
    lecam.adapt(7.0, -3.0)
    np.testing.assert_allclose(lecam.anchors()[0], 2 + 0.1 / (1 - 0.9**4) * 5, rtol=1e-5)


def test_without_weight_or_before_the_start_the_training_is_the_same_to_the_bit():
    shape, small = (8, 8, 1), {"width": 8, "depth": 1}

    def trained(*regularizers):
        gan = tfgans.HingeGAN(
            tfgans.networks.mlp_generator(shape, latent_dim=4, seed=1, **small),
            tfgans.networks.mlp_discriminator(shape, seed=2, **small),
            regularizers=regularizers,
        )
        gan.compile(run_eagerly=True)
        tiny.train(gan, 2)
        return gan.generator.get_weights() + gan.discriminator.get_weights()

    plain = trained()
    for lecam in (LeCam(weight=0.0, start=0), LeCam(start=2)):
        for ours, expected in zip(trained(lecam), plain, strict=True):
            np.testing.assert_array_equal(ours, expected)
        assert int(lecam.state.updates) == 2


@pytest.mark.parametrize(
    ("objective", "weight", "level"),
    [
        (tfgans.objectives.Wasserstein(), 0.3, 0.8333),
        (tfgans.objectives.Hinge(), 0.3, 0.8333),
        (tfgans.objectives.NonSaturating(), 0.3, 0.3454),
        (tfgans.objectives.NonSaturating(), 0.1, 0.7838),
        (tfgans.objectives.NonSaturating(), 0.01, 2.293),
    ],
)
def test_logits_of_separable_data_settle_at_the_fixed_point(objective, weight, level):
    """Free logits +-a with the anchors at their own means."""
    real, fake = column(level), column(-level)
    lecam = LeCam(weight=weight, start=0)
    lecam.adapt(level, -level)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        loss = tf.add_n([tf.reduce_mean(t) for t in objective.discriminator_loss(real, fake)])
        loss += lecam.discriminator_term(inputs(real, fake))[0]
    np.testing.assert_allclose(tape.gradient(loss, [real, fake]), np.zeros((2, 1, 1)), atol=1e-3)


# Consistency.


def linear(weights):
    """The critic D(x) = w . x."""
    inputs = keras.Input((2, 2, 1))
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    network = keras.Model(inputs, outputs)
    network.set_weights([np.reshape(weights, [4, 1]), np.zeros(1)])
    return network


def linear_generator(matrix):
    """The generator G(z) = W z."""
    inputs = keras.Input((3,))
    outputs = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4, use_bias=False)(inputs))
    network = keras.Model(inputs, outputs)
    network.set_weights([matrix])
    return network


W = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)


def losses(regularizers, weights, *, num=16):
    """What regularizers add to the losses of both players, and the logs."""
    gans = [
        tfgans.GAN(
            linear_generator(W),
            linear(weights),
            objective=tfgans.objectives.Wasserstein(),
            regularizers=terms,
        )
        for terms in (regularizers, [])
    ]
    real = tf.constant(np.random.default_rng(0).normal(size=(num, 2, 2, 1)), tf.float32)
    fake = gans[0].generate(num, stream=STREAM, training=True)
    values, logs = [], {}
    for name in ("discriminator_loss", "generator_loss"):
        (value, more), (plain, _) = (
            getattr(gan, name)(real, fake, stream=STREAM, training=True) for gan in gans
        )
        values.append(float(value - plain))
        logs |= more
    return values, logs


def test_changed_brightness_of_a_linear_critic():
    """(b sum w)^2 = (.1 * 2)^2 for the real examples, and as much for the fakes."""
    weights = [1.5, 0.5, 1.0, -1.0]
    for kind, expected in (("cr", 0.4), ("bcr", 0.8)):
        term = ConsistencyRegularization(kind, augmentation=Brighter())
        values, logs = losses([term], weights)
        np.testing.assert_allclose(values, [expected, 0], atol=1e-5)
        assert float(logs["consistency"]) == pytest.approx(expected / 10, rel=1e-4)


@pytest.mark.parametrize(
    ("augmentation", "weights"),
    [(DiffAugment(""), [1, 2, 3, 4]), (DiffAugment("flip"), [1, 1, 3, 3])],
    ids=["no change", "an invariant critic"],
)
def test_no_difference_costs_nothing(augmentation, weights):
    values, _ = losses([ConsistencyRegularization("bcr", augmentation=augmentation)], weights)
    np.testing.assert_allclose(values, [0, 0], atol=1e-5)


def test_near_latents_of_linear_networks():
    """E (v . W s n)^2 = s^2 ||W^T v||^2, and -s^2 ||W||_F^2 / n for the generator."""
    v = np.float32([1, -2, 0.5, 1])
    term = ConsistencyRegularization("zcr", latent_stddev=0.1)
    (on_discriminator, on_generator), _ = losses([term], v, num=20_000)
    assert on_discriminator == pytest.approx(5 * 0.01 * np.sum((W @ v) ** 2), rel=0.05)
    assert on_generator == pytest.approx(-0.5 * 0.01 * np.sum(W**2) / 4, rel=0.05)
