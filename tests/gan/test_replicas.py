"""Several replicas, or parts of a batch, train as one device on the whole batch would."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import data

BATCH, STEPS = 16, 3
SLOW = pytest.mark.slow


def pair():
    shape = (8, 8, 1)
    return (
        tfgans.networks.mlp_generator(shape, latent_dim=4, width=8, depth=1, seed=1),
        tfgans.networks.mlp_discriminator(shape, width=8, depth=1, seed=2),
    )


def wgan_gp(**options):
    return tfgans.WGANGP(*pair(), **{"discriminator_steps": 2, **options})


def noise(**options):
    return tfgans.layers.InstanceNoise(0.2, **(options or {"schedule": "constant"}))


def grouped():
    """A discriminator that compares the examples of a group."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="tanh")(inputs)
    x = keras.layers.Flatten()(tfgans.layers.MinibatchStdDev(4)(x))
    return keras.Model(inputs, keras.layers.Dense(1)(x))


NON_SATURATING = tfgans.NonSaturatingGAN
FIRST = "WGANGP, noise and average"
GAMES = {
    FIRST: lambda: wgan_gp(discriminator_steps=1, instance_noise=noise(), ema=0.9),
    "R3GAN": lambda: tfgans.R3GAN(*pair()),
    "adaptive noise": lambda: NON_SATURATING(
        *pair(), instance_noise=noise(schedule="adaptive", target_accuracy=0.6)
    ),
    "augmented": lambda: NON_SATURATING(
        *pair(),
        augmentation=tfgans.augmentation.AdaptiveAugment("noise", kimg=0.5, every=2, initial_p=0.5),
        regularizers=[tfgans.regularizers.LeCam(start=1)],
    ),
    "augmented, penalized and consistent": lambda: NON_SATURATING(
        *pair(),
        discriminator_steps=2,
        augmentation=tfgans.augmentation.AdaptiveAugment(
            "blit,noise", kimg=0.5, every=2, initial_p=0.5, penalty_at="raw"
        ),
        penalty=tfgans.penalties.R1Penalty(weight=0.1),
        regularizers=[
            tfgans.regularizers.LeCam(start=1),
            tfgans.regularizers.ConsistencyRegularization(
                "icr", real_weight=0.1, fake_weight=0.1, latent_weight=0.1
            ),
        ],
    ),
    "conditional": lambda: NON_SATURATING(
        tiny.conditional_generator(), tiny.conditional_discriminator(), num_classes=10
    ),
    "exact mixture": lambda: NON_SATURATING(
        *tiny.mixtures(2, 2, normalization=False, routing="all")
    ),
    "groups": lambda: NON_SATURATING(pair()[0], grouped()),
    "WGAN": lambda: tfgans.WGAN(*pair(), weight_clip=0.05, discriminator_steps=2),
    "DCD": lambda: tfgans.DCD(*pair(), langevin=tfgans.refinement.Langevin(steps=3)),
}


def descent():
    return keras.optimizers.SGD(0.05)


def trained(make, *, replicas=1, epochs=STEPS, optimizer=descent, **compiled):
    """The model after some steps, and its logs at each of them; on one device without a graph."""
    compiled = {"run_eagerly": replicas == 1 and "jit_compile" not in compiled, **compiled}
    strategy = tiny.replicas(replicas) if replicas > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        model = make()
        model.compile(optimizer(), optimizer(), **compiled)
    labels = None if model.num_classes is None else tiny.digit_labels()
    source = data.from_array(tiny.digits(), labels=labels, seed=3)
    history = model.fit(source, batch_size=BATCH, epochs=epochs, steps_per_epoch=1, verbose=0)
    return model, history.history


def assert_alike(one, other, *, tolerance=2e-5):
    (model, curve), (other_model, other_curve) = one, other
    assert curve.keys() == other_curve.keys()
    for name, values in curve.items():
        np.testing.assert_allclose(values, other_curve[name], atol=tolerance, err_msg=name)
    for network in ("generator", "discriminator", "sampling_generator"):
        pairs = (getattr(m, network).get_weights() for m in (model, other_model))
        for ours, theirs in zip(*pairs, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=tolerance)


@pytest.fixture(scope="module")
def on_one_device():
    return functools.cache(lambda game: trained(GAMES[game]))


@pytest.mark.parametrize(
    ("game", "execution"),
    [
        (FIRST, {"replicas": 2}),
        (FIRST, {"accumulate_steps": 2}),
        ("augmented", {"accumulate_steps": 4}),
        *(
            pytest.param(game, execution, marks=SLOW)
            for game, execution in [
                ("augmented", {"replicas": 2}),
                (FIRST, {"replicas": 4}),
                (FIRST, {"accumulate_steps": 4}),
                (FIRST, {"replicas": 2, "accumulate_steps": 2}),
                (FIRST, {"jit_compile": True, "accumulate_steps": 2}),
                (FIRST, {"run_eagerly": False, "accumulate_steps": 2}),
                *((game, {"replicas": 2}) for game in [*GAMES][1:] if game != "augmented"),
                *((game, {"accumulate_steps": 4}) for game in [*GAMES][1:] if game != "augmented"),
            ]
        ),
    ],
    ids=str,
)
def test_replicas_and_parts_follow_the_curve_of_one_device(on_one_device, game, execution):
    alone = on_one_device(game)
    # The comparison would pass for a model that stands still.
    start, moved = (model.discriminator.get_weights() for model in (GAMES[game](), alone[0]))
    assert max(np.abs(a - b).max() for a, b in zip(start, moved, strict=True)) > 1e-3
    assert_alike(trained(GAMES[game], **execution), alone)


def test_optimizers_belong_to_the_scope():
    with tiny.replicas(2).scope():
        model = tfgans.NonSaturatingGAN(*pair())
    model.compile()  # Outside of the scope, as in `tf.distribute`'s guides.
    with pytest.raises(ValueError, match=r"outside of `strategy\.scope\(\)`"):
        model.compile(keras.optimizers.Adam(), keras.optimizers.Adam())


@pytest.mark.parametrize("outside", ["generator", "discriminator", "instance_noise", "LeCam"])
def test_all_parts_belong_to_the_scope(outside):
    """Otherwise each replica would update the variables, or training would fail in a step."""

    def parts():
        networks = dict(zip(("generator", "discriminator"), pair(), strict=True))
        noise, lecam = tfgans.layers.InstanceNoise(0.1, decay_steps=9), tfgans.regularizers.LeCam()
        return {**networks, "instance_noise": noise, "LeCam": lecam}

    made_outside = parts()
    with tiny.replicas(2).scope():
        chosen = {**parts(), outside: made_outside[outside]}
        lecam = chosen.pop("LeCam")
        with pytest.raises(ValueError, match=r"outside of the scope of the strategy\. Create"):
            tfgans.NonSaturatingGAN(**chosen, regularizers=[lecam])


@SLOW
def test_parts_of_a_batch_in_float16():
    """Without an overflow, in which one of the two would skip a step and the other not."""

    def scaled():
        return keras.optimizers.LossScaleOptimizer(descent(), initial_scale=8.0)

    def make():
        keras.config.set_dtype_policy("mixed_float16")
        return wgan_gp()

    parts, whole = (
        trained(make, accumulate_steps=count, optimizer=scaled, epochs=2) for count in (4, 1)
    )
    assert_alike(parts, whole, tolerance=2e-3)


def test_statistics_are_of_the_global_batch_and_an_update_counts_once():
    def make():
        generator = tfgans.networks.mlp_generator(
            (8, 8, 1), latent_dim=4, width=8, depth=1, normalization="batch", seed=1
        )
        return tfgans.NonSaturatingGAN(generator, pair()[1], discriminator_steps=2)

    both = trained(make, replicas=2, epochs=2)
    assert_alike(both, trained(make, epochs=2), tolerance=1e-4)
    model, _ = both
    for optimizer, count in ((model.generator_optimizer, 2), (model.discriminator_optimizer, 4)):
        assert int(tf.convert_to_tensor(optimizer.iterations.value)) == count
    (normalization,) = (
        layer
        for layer in model.generator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    for statistic in (normalization.moving_mean, normalization.moving_variance):
        first, second = statistic.value.values
        np.testing.assert_array_equal(first, second)


def test_random_layers_are_told_of():
    with tiny.replicas(2).scope(), pytest.warns(UserWarning, match="same numbers on every replica"):
        tfgans.WGANGP(tiny.generator(normalization=False), tiny.discriminator(dropout=0.5))


def test_batches_that_cannot_be_shared_out_are_refused():
    with tiny.replicas(2).scope():
        model = wgan_gp()
        model.compile(accumulate_steps=2)
    message = "must be a multiple of 4: 2 replicas times accumulate_steps=2. Received: 18"
    with pytest.raises(ValueError, match=message):
        model.fit(tiny.digits(), batch_size=18, steps_per_epoch=1, verbose=0)


def test_slices_must_fit_into_a_part():
    model = tfgans.NonSaturatingGAN(*tiny.mixtures(3, 3, normalization=False))
    model.compile(accumulate_steps=8)
    with pytest.raises(ValueError, match="component"):
        model.fit(tiny.digits(), batch_size=16, steps_per_epoch=1, verbose=0)


@SLOW
@pytest.mark.parametrize("row", [0, BATCH - 1], ids=["first replica", "last replica"])
def test_overflow_at_one_replica_is_a_step_that_none_takes(row):
    keras.config.set_dtype_policy("mixed_float16")
    images = tiny.digits(BATCH)
    images[row] = 6e4  # Within float16, but not what a convolution makes of it.
    with tiny.replicas(2).scope():
        model = wgan_gp()
        model.compile(descent(), descent())
    before = model.discriminator.get_weights()
    batch = tf.constant(np.stack([images, images], axis=1))
    model.distribute_strategy.run(
        tf.function(model.train_step, autograph=False),
        args=(
            model.distribute_strategy.experimental_distribute_values_from_function(
                lambda context: batch[context.replica_id_in_sync_group * 8 :][:8]
            ),
        ),
    )
    for one, other in zip(before, model.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(model.discriminator_optimizer.dynamic_scale.numpy()) < 2**15


@pytest.fixture(scope="module")
def untrained():
    def make(replicas):
        strategy = tiny.replicas(replicas) if replicas > 1 else tf.distribute.get_strategy()
        with strategy.scope():
            model = wgan_gp()
            model.compile(run_eagerly=replicas == 1)
        return model

    return functools.cache(make)


@pytest.mark.parametrize(
    ("num", "batch_size", "replicas"),
    [
        pytest.param(16, 8, 2, marks=SLOW, id="equal shares"),
        pytest.param(17, 8, 2, id="a replica without rows"),
        pytest.param(17, 8, 4, marks=SLOW, id="three replicas without rows"),
        pytest.param(21, 21, 2, id="unequal shares of the first batch"),
    ],
)
def test_evaluation_is_that_of_one_device(untrained, num, batch_size, replicas):
    shared, alone = (
        untrained(count).evaluate(
            tiny.digits(num), batch_size=batch_size, return_dict=True, verbose=0
        )
        for count in (replicas, 1)
    )
    assert shared.keys() == alone.keys()
    assert np.isfinite(list(shared.values())).all()
    for name in shared:
        # float32 sums of at most 21 terms; the penalty's are of 64 squared partial derivatives.
        np.testing.assert_allclose(shared[name], alone[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("make", "compiled", "message"),
    [
        (wgan_gp, {"jit_compile": True}, "XLA does not compile a step of several replicas"),
        (wgan_gp, {"steps_per_execution": 2}, "replicas take one training step in a call"),
        (
            lambda: tfgans.NonSaturatingGAN(*tiny.mixtures(2, 2, routing="categorical")),
            {},
            "runs on one device",
        ),
        (
            lambda: tfgans.NonSaturatingGAN(tiny.generator(), tiny.discriminator()),
            {"accumulate_steps": 2},
            "a BatchNormalization. Use layer normalization",
        ),
        (
            lambda: tfgans.SNGAN(
                tiny.generator(normalization=False),
                tiny.spectral_discriminator(),
                penalty=tfgans.penalties.R1Penalty(every=2),
            ),
            {},
            "`every` above 1 .*a SpectralNormalization. Use `every=1`",
        ),
        (
            wgan_gp,
            {"generator_optimizer": keras.optimizers.SGD(clipnorm=1.0)},
            "clips before the gradients are summed",
        ),
        (
            lambda: tfgans.WGAN(tiny.generator(), tiny.discriminator(), critic_warmup=True),
            {},
            "`critic_warmup` runs on a single device",
        ),
    ],
    ids=[
        "XLA",
        "steps of a call",
        "categorical",
        "statistics in parts",
        "lazy penalty",
        "clipping",
        "warm-up",
    ],
)
def test_what_replicas_cannot_do_is_refused_at_once(make, compiled, message):
    with tiny.replicas(2).scope():
        model = make()
        with pytest.raises(ValueError, match=message):
            model.compile(**compiled)
