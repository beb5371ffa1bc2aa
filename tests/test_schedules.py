"""The schedule of R3GAN: its values by hand, and that a model follows them by the images seen."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.optimizers import FusedAdam, ScheduledAdam
from tfgans.schedules import R3GANSchedule

SCHEDULE = R3GANSchedule(num_images=160, gamma=(2.0, 0.5), ema_half_life=(0.0, 40.0))


def networks():
    generator = tfgans.networks.mlp_generator((8, 8, 1), width=8, depth=1, seed=1)
    return generator, tfgans.networks.mlp_discriminator((8, 8, 1), width=8, depth=1, seed=2)


def scheduled(schedule=SCHEDULE, *, run_eagerly=False, **options):
    gan = tfgans.R3GAN(*networks(), schedule=schedule, **options)
    gan.compile(run_eagerly=run_eagerly)
    return gan


def rates(gan):
    pairs = [
        (o.learning_rate, o.beta_2) for o in (gan.generator_optimizer, gan.discriminator_optimizer)
    ]
    first, second = (
        [float(tf.convert_to_tensor(variable.value)) for variable in pair] for pair in pairs
    )
    assert first == second
    return first


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (0, (2e-4, 0.9, 0.05, 0, 0)),
        (0.5, (1.25e-4, 0.945, 0.0275, 2.5e6, 0.275)),
        # (1 + cos(pi / 3)) / 2 = 3 / 4 of the way is left.
        (1 / 3, (5e-5 + 0.75 * 1.5e-4, 0.9225, 0.03875, 1.25e6, 0.1375)),
        (1, (5e-5, 0.99, 0.005, 5e6, 0.55)),
        (7, (5e-5, 0.99, 0.005, 5e6, 0.55)),
    ],
)
def test_published_values_of_cifar10(part, expected):
    values = R3GANSchedule.preset("cifar10").at(round(part * 20_000_000))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7)


def test_defaults_and_a_tensor():
    schedule = R3GANSchedule(num_images=1000, augmentation=(0.1, 0.3))
    assert (schedule.gamma, schedule.ema_half_life) == ((1.0, 0.1), (0.0, 25.0))
    images = range(0, 1200, 50)
    values = np.array([schedule.at(tf.constant(n, tf.int64)) for n in images])
    changes = np.diff(values, axis=0) * [-1, 1, -1, 1, 1]
    assert (changes[:20] > 0).all()
    assert not changes[20:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_images": 0}, "`num_images` must be an integer of at least 1"),
        (
            {"learning_rate": 1e-4},
            r"`learning_rate` must be a pair \(start, end\). Received: 0.0001",
        ),
        ({"learning_rate": (1e-4, 0)}, "`learning_rate` must be above 0"),
        ({"beta_2": (0.9, 1.0)}, "`beta_2` must be below 1"),
        ({"augmentation": (0.0, 1.1)}, "`augmentation` must be at most 1"),
        ({"gamma": (1.0, -1.0)}, "`gamma` must be a finite number of at least 0"),
    ],
)
def test_schedule_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        R3GANSchedule(**{"num_images": 9, **options})


def test_scheduled_adam_is_adam_with_the_present_beta_2():
    """Torch's rule: moments decay by the present value, and so does their correction."""
    variable = keras.Variable([1.0, -2.0])
    optimizer = ScheduledAdam(0.1, beta_1=0.0, beta_2=0.9, epsilon=1e-8)
    optimizer.build([variable])
    expected, second = variable.numpy(), 0.0
    for count, (beta, scale) in enumerate([(0.9, 1.0), (0.95, -0.5), (0.99, 2.0)], start=1):
        optimizer.beta_2.assign(beta)
        gradient = scale * np.array([1.0, 3.0])
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        second = beta * second + (1 - beta) * gradient**2
        expected = expected - 0.1 * gradient / (np.sqrt(second / (1 - beta**count)) + 1e-8)
        np.testing.assert_allclose(variable, expected, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert float(again.beta_2) == pytest.approx(0.99)
    assert optimizer.variables[2] is optimizer.beta_2


def test_a_constant_schedule_is_a_model_without_one():
    constant = R3GANSchedule(
        num_images=9,
        learning_rate=(2e-4, 2e-4),
        beta_2=(0.99, 0.99),
        gamma=(2.0, 2.0),
        ema_half_life=(16.0, 16.0),  # Half in each step of 16 images.
    )
    followed = scheduled(constant, run_eagerly=True)
    plain = tfgans.R3GAN(*networks(), gamma=2.0, ema=0.5)
    adam = (FusedAdam(2e-4, beta_1=0.0, beta_2=0.99, epsilon=1e-8) for _ in range(2))
    plain.compile(*adam, run_eagerly=True)
    for gan in (followed, plain):
        tiny.train(gan, 8)  # The decay of the other warms up: 2 / 11, 3 / 12, ..., 1 / 2 at 8.
        gan.ema_generator.set_weights(gan.generator.get_weights())
        tiny.train(gan, 2)
    for network in ("generator", "discriminator", "ema_generator"):
        weights = [getattr(gan, network).get_weights() for gan in (followed, plain)]
        for value, expected in zip(*weights, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"discriminator_steps": 2},
        pytest.param({"accumulate_steps": 4}, marks=pytest.mark.slow),
    ],
    ids=["", "two", "parts"],
)
def test_settings_follow_the_images(options):
    accumulate = options.pop("accumulate_steps", 1)
    gan = scheduled(**options)
    gan.compile(accumulate_steps=accumulate, run_eagerly=bool(options))
    in_step = 16 * options.get("discriminator_steps", 1)
    assert gan.images_seen == 0
    for step in range(2):
        logged = tiny.train(gan, 1)
        assert gan.images_seen == (step + 1) * in_step
        values = SCHEDULE.at(step * in_step)
        np.testing.assert_allclose(rates(gan), values[:2], rtol=1e-6)
        assert np.isfinite(list(logged.values())).all()
        if step == 0:  # A half-life of 0: the average is the generator.
            for average, weight in zip(
                gan.ema_generator.get_weights(), gan.generator.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(average, weight)


def test_augmentation_follows_the_images():
    schedule = R3GANSchedule(num_images=160, augmentation=(0.1, 0.5))
    gan = scheduled(
        schedule,
        augmentation=tfgans.augmentation.AdaptiveAugment("bg", target=None),
        run_eagerly=True,
    )
    tiny.train(gan, 3)
    assert float(gan.augmentation.p) == pytest.approx(float(schedule.at(32).augmentation))
    for other in (
        None,
        tfgans.augmentation.AdaptiveAugment("bg"),
        tfgans.augmentation.DiffAugment(),
    ):
        with pytest.raises(ValueError, match="`target=None`"):
            scheduled(schedule, augmentation=other)
    low = tfgans.augmentation.AdaptiveAugment("bg", target=None, p_max=0.4)
    with pytest.raises(ValueError, match=r"`p_max`.* is 0.4.*\(0.1, 0.5\)\). Pass .*p_max=0.5\)"):
        scheduled(schedule, augmentation=low)


def test_a_schedule_sets_the_learning_rate_alone():
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, 10)
    gan = tfgans.R3GAN(*networks(), schedule=SCHEDULE)
    with pytest.raises(ValueError, match=r"sets the learning rate\. Received: 'scheduled"):
        gan.compile(*(tfgans.optimizers.ScheduledAdam(rate) for _ in range(2)))


@pytest.mark.slow
def test_replicas_count_the_images_of_the_whole_batch():
    with tiny.replicas(2).scope():
        gan = scheduled()
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=3, verbose=0)
    assert gan.images_seen == 48
    np.testing.assert_allclose(rates(gan), SCHEDULE.at(32)[:2], rtol=1e-6)
    beta_2 = gan.generator_optimizer.get_config()["beta_2"]
    assert beta_2 == pytest.approx(float(SCHEDULE.at(32).beta_2))


def test_gamma_and_the_average_by_hand():
    gan = scheduled(run_eagerly=True)
    tiny.train(gan, 4)
    real, stream = tf.constant(tiny.digits(16)), tfgans.random.Stream(tfgans.random.key(1))
    before = [gan.ema_generator.get_weights(), None]
    fake = gan.generate(16, stream=stream, training=True)
    loss, logs = gan.discriminator_loss(real, fake, stream=stream, training=True)
    expected = logs["discriminator_loss"] + SCHEDULE.at(48).gamma * logs["penalty"]
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    tiny.train(gan, 1)
    decay = 0.5 ** (16 / float(SCHEDULE.at(64).ema_half_life))
    for old, average, weight in zip(
        before[0], gan.ema_generator.get_weights(), gan.generator.get_weights(), strict=True
    ):
        np.testing.assert_allclose(
            average, decay * old + (1 - decay) * weight, rtol=1e-4, atol=1e-6
        )


def test_what_a_schedule_sets_is_refused_elsewhere():
    for name, value in (("gamma", 1.0), ("ema", 0.9)):
        with pytest.raises(ValueError, match=f"With a schedule, .*`{name}` must be None"):
            scheduled(**{name: value})
    with pytest.raises(
        ValueError, match=r"`schedule` must be a tfgans\.schedules\.R3GANSchedule, say"
    ):
        scheduled("cifar10")
    gan = scheduled()
    for optimizers in (("adam", None), (None, keras.optimizers.SGD(0.1))):
        with pytest.raises(ValueError, match=r"beta_2 is a variable.*ScheduledAdam"):
            gan.compile(*optimizers)
    with pytest.raises(ValueError, match="a `ScheduledAdam`, whose rate a schedule sets"):
        gan.optimizer.scale(0.5)


def test_a_dcd_has_the_penalty_that_the_pair_ended_with():
    gan = scheduled(run_eagerly=True)
    tiny.train(gan, 2)
    gamma = SCHEDULE.at(gan.images_seen).gamma
    assert gamma < 2.0
    terms = tfgans.DCD.from_gan(gan).penalty.terms
    assert [term.weight for term in terms] == [pytest.approx(float(gamma) / 2)] * 2
