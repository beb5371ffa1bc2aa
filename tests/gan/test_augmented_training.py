"""Augmentation in training: where it acts, what a penalty sees, and the course of p."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.augmentation import AdaptiveAugment, DiffAugment
from tfgans.random import Role, Stream
from tfgans.weighted import Weighted

STREAM = Stream(tfgans.random.key(5))


def ada(**options):
    return AdaptiveAugment("color", **{"kimg": 0.4, "every": 3, "initial_p": 0.4, **options})


def model(augmentation, *, networks=None, cls=tfgans.NonSaturatingGAN, **options):
    made = cls(
        *(networks or (tiny.generator(), tiny.discriminator())),
        augmentation=augmentation,
        **options,
    )
    made.compile(run_eagerly=True)
    return made


def linear(weights):
    """The discriminator D(x) = w . x."""
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    network = keras.Model(inputs, outputs)
    network.set_weights([np.reshape(weights, [64, 1]), np.zeros(1)])
    return network


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_both_players_updates_judge_augmented_images_and_evaluation_does_not(player):
    w = np.random.default_rng(0).normal(size=(8, 8, 1)).astype(np.float32)
    augment = DiffAugment("translation,cutout")
    relativistic = tfgans.objectives.Relativistic()  # Its generator sees the real images too.
    networks = tiny.generator(), linear(w)
    gan = model(augment, networks=networks, cls=tfgans.GAN, objective=relativistic)
    real, fake = (tf.constant(tiny.digits(64)[rows]) for rows in (slice(32), slice(32, 64)))
    for training in (True, False):
        seen = [real, fake]
        if training:
            roles = (Role.AUGMENTATION_OF_REAL, Role.AUGMENTATION_OF_FAKE)
            seen = [augment(x, STREAM.key(role)) for x, role in zip(seen, roles, strict=True)]
        logits = [np.sum(x * w, axis=(1, 2, 3))[:, None] for x in seen]
        loss = getattr(gan, f"{player}_loss")
        received = loss(real, Weighted(fake), stream=STREAM, training=training)[0]
        terms = getattr(relativistic, f"{player}_loss")(*map(tf.constant, logits))
        # The terms of a pair are half in the loss on the real examples, half in that on the fakes.
        expected = np.mean(np.sum(terms, axis=0) if player == "discriminator" else terms)
        assert float(received) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("routing", [None, "slices", "all"])
def test_a_penalty_takes_the_gradient_at_augmented_or_at_raw_images(routing):
    """D(x) = w . x after contrast c: c^2 ||w - mean w||^2 + n (mean w)^2 at raw images."""
    w = np.random.default_rng(0).normal(size=64).astype(np.float32)
    real = tf.constant(tiny.digits(16))

    def penalty_of(penalty_at):
        discriminator = linear(w)
        if routing is not None:
            components = [linear(w), linear(w)]
            discriminator = tfgans.MixtureDiscriminator(components, routing=routing)
        gan = model(
            DiffAugment("color", penalty_at=penalty_at),
            networks=(tiny.generator(), discriminator),
            penalty=tfgans.penalties.R1Penalty(),
        )
        loss = gan.discriminator_loss
        values = [
            float(loss(real, Weighted(real), stream=STREAM, training=training)[1]["penalty"])
            for training in (True, False)
        ]
        assert values[1] == pytest.approx(np.sum(w**2), rel=1e-5)
        return values[0]

    assert penalty_of("augmented") == pytest.approx(np.sum(w**2), rel=1e-5)
    along, across = 64 * w.mean() ** 2, np.sum((w - w.mean()) ** 2)
    mean_square_of_contrast = (penalty_of("raw") - along) / across
    # 16 draws of c^2, c ~ U[.5, 1.5): a mean of 13/12 and a standard error of .15.
    assert 13 / 12 - 0.6 < mean_square_of_contrast < 13 / 12 + 0.6
    assert abs(mean_square_of_contrast - 1) > 1e-3


def test_a_penalty_at_raw_images_takes_the_gradient_at_noisy_ones():
    """D(x) = |x|^2 / 2 after noise n at x = 0: the squared gradient is |n|^2, on average 64 s^2."""
    inputs = keras.Input((8, 8, 1))
    halves = keras.layers.Flatten()(keras.ops.square(inputs) / 2)
    gan = model(
        DiffAugment("translation", penalty_at="raw"),
        networks=(tiny.generator(), keras.Model(inputs, keras.ops.sum(halves, 1, keepdims=True))),
        penalty=tfgans.penalties.R1Penalty(),
        instance_noise=tfgans.layers.InstanceNoise(0.5, schedule="constant"),
    )
    images = tf.zeros([64, 8, 8, 1])
    loss = gan.discriminator_loss(images, Weighted(images), stream=STREAM, training=True)
    # 64 x 64 squares of N(0, .5^2), but of pixels that were not shifted out of the image.
    assert 0.4 * 16 < float(loss[1]["penalty"]) < 1.1 * 16


def test_evaluation_logs_the_sign_on_held_out_images():
    gan = model(ada())
    tiny.train(gan)
    assert float(gan.augmentation.state.window[1]) == 16  # The images that p adapts to.
    logs = gan.evaluate(tiny.digits(32), verbose=0, return_dict=True)
    signs = np.sign(gan.discriminator(tiny.digits(32)))
    assert logs["r_t"] == pytest.approx(signs.mean(), abs=1e-6)
    assert logs["augmentation_p"] == 0
    # The undecided logit of least squares is 1/2.
    squares = model(ada(), cls=tfgans.LeastSquaresGAN)
    logs = squares.evaluate(tiny.digits(32), verbose=0, return_dict=True)
    signs = np.sign(squares.discriminator(tiny.digits(32)).numpy() - 0.5)
    assert logs["r_t"] == pytest.approx(signs.mean(), abs=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: model(networks=tiny.mixtures(2, 2), **options),
        lambda **options: model(networks=tiny.mixtures(2, 2, routing="all"), **options),
        lambda **options: model(
            networks=(tiny.conditional_generator(), tiny.conditional_discriminator()),
            num_classes=10,
            penalty=tfgans.penalties.R1Penalty(),
            **options,
        ),
    ],
    ids=["slices", "all", "conditional"],
)
def test_mixtures_and_conditional_models(make):
    lecam = tfgans.regularizers.LeCam(start=0)
    lecam.adapt(0.5, -0.5)
    consistency = tfgans.regularizers.ConsistencyRegularization("icr")
    gan = make(augmentation=ada(penalty_at="raw", every=1), regularizers=[lecam, consistency])
    logs = tiny.train(gan)
    assert np.isfinite(list(logs.values())).all()
    assert float(gan.augmentation.p) != pytest.approx(0.4)
    assert logs["lecam"] > 0
    assert logs["consistency"] > 0
    assert logs["diversity"] > 0


@pytest.mark.parametrize("cls", [tfgans.WGANGP, tfgans.KLWGAN, tfgans.R3GAN])
def test_losses_without_a_level_take_a_fixed_p_alone(cls):
    with pytest.raises(
        ValueError, match=r"needs an objective with a decision threshold.*`target=None`"
    ):
        model(ada(), cls=cls)
    gan = model(ada(target=None, initial_p=0.3), cls=cls, discriminator_steps=1)
    assert tiny.train(gan)["augmentation_p"] == pytest.approx(0.3)
    assert "r_t" not in gan.get_metrics_result()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentation": "ada"}, "`augmentation` must be a tfgans.augmentation.Augmentation"),
        ({"regularizers": tfgans.regularizers.LeCam()}, "`regularizers` must be a list"),
        ({"regularizers": [0.3]}, "`regularizers` must be a tfgans.regularizers.Regularizer"),
        ({"regularizers": [tfgans.regularizers.LeCam()] * 2}, "one of each kind"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        model(**{"augmentation": None, **options})


def test_vectors_are_refused():
    networks = tfgans.networks.mlp_generator((2,)), tfgans.networks.mlp_discriminator((2,))
    with pytest.raises(ValueError, match=r"changes images .* Received: examples of shape \(2,\)"):
        model(DiffAugment(), networks=networks)
    consistency = tfgans.regularizers.ConsistencyRegularization("cr")
    with pytest.raises(ValueError, match=r"changes images .* Received: examples of shape \(2,\)"):
        model(None, networks=networks, regularizers=[consistency])


@pytest.mark.slow
def test_xla_compiles_a_lazy_penalty_before_the_augmentation():
    """A second derivative through the moved pixels, in some of the updates of a step."""
    results = []
    for jit_compile in (False, True):
        gan = tfgans.NonSaturatingGAN(
            tiny.generator(normalization=False),
            tiny.discriminator(),
            penalty=tfgans.penalties.R1Penalty(every=2),
            discriminator_steps=2,
            augmentation=DiffAugment("translation", penalty_at="raw"),
        )
        gan.compile(jit_compile=jit_compile)
        results.append(tiny.train(gan, 3))
    assert results[0] == pytest.approx(results[1], rel=1e-3, abs=1e-4)
