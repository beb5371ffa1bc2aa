"""What `fit` does with a GAN: every way of running it, and what it must not change."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.random import Role

SLOW = pytest.mark.slow


def batches(size=16):
    return tf.data.Dataset.from_tensor_slices(tiny.digits()).batch(size, drop_remainder=True)


def test_one_step_by_hand():
    """One step with SGD equals the same mathematics written out."""
    gan = tiny.gan(tfgans.NonSaturatingGAN, compiled=False, seed=5)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=True)
    twin = tiny.gan(tfgans.NonSaturatingGAN, compiled=False)
    real = tf.constant(tiny.digits(16))
    # Update 0 is the discriminator's, update 1 the generator's.
    first, second = (
        tfgans.random.normal([16, 4], tfgans.random.key(5, 0, update, Role.LATENTS))
        for update in range(2)
    )
    gan.fit(real.numpy(), batch_size=16, steps_per_epoch=1, verbose=0)
    # The array's order is shuffled, but one batch holds all of it: means do not see the order.
    fake = twin.generator(first, training=True)
    softplus = tf.nn.softplus

    def descend(network, rate, loss):
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            value = loss()
        slopes = tape.gradient(value, [variable.value for variable in variables])
        for variable, slope in zip(variables, slopes, strict=True):
            variable.assign_sub(rate * slope)

    judge = twin.discriminator
    descend(
        judge,
        0.2,
        lambda: tf.reduce_mean(softplus(-judge(real))) + tf.reduce_mean(softplus(judge(fake))),
    )
    descend(
        twin.generator,
        0.1,
        lambda: tf.reduce_mean(softplus(-judge(twin.generator(second, training=True)))),
    )
    for ours, theirs in zip(gan.weights, twin.weights, strict=True):
        if ours.name != "step":
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def test_evaluation_weights_examples_not_batches():
    gan = tiny.gan(tfgans.NonSaturatingGAN, run_eagerly=True)
    results = [
        gan.evaluate(tiny.digits(17), batch_size=size, return_dict=True, verbose=0)["real_logits"]
        for size in (16, 17)
    ]
    expected = float(tf.reduce_mean(gan.discriminator(tiny.digits(17))))
    assert results == pytest.approx([expected] * 2, rel=1e-4)


def test_each_discriminator_update_sees_fresh_examples():
    seen = []

    class Spy(tfgans.NonSaturatingGAN):
        def discriminator_update(self, real, labels=None, **options):
            seen.append(real.numpy())
            super().discriminator_update(real, labels, **options)

    gan = Spy(tiny.generator(), tiny.discriminator(), discriminator_steps=3)
    gan.compile(run_eagerly=True)
    numbered = (np.arange(24).reshape(24, 1, 1, 1) / 24 - 0.5) * np.ones((1, 8, 8, 1))
    data = tf.data.Dataset.from_tensor_slices(numbered.astype("float32"))
    gan.fit(data.batch(4), epochs=1, steps_per_epoch=2, verbose=0)
    values = (np.concatenate(seen)[:, 0, 0, 0] + 0.5) * 24
    assert [len(batch) for batch in seen] == [4] * 6
    np.testing.assert_allclose(values, np.arange(24), atol=1e-4)


def test_epoch_is_one_pass_with_a_smaller_last_batch():
    gan = tiny.gan(run_eagerly=True)
    gan.fit(tf.data.Dataset.from_tensor_slices(tiny.digits(50)).batch(40), epochs=2, verbose=0)
    assert gan.step == 2  # A step of an epoch takes both of its batches.


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        pytest.param({"jit_compile": True}, 1e-3, id="jit_compile"),
        pytest.param({"steps_per_execution": 2}, 0.0, id="steps_per_execution", marks=SLOW),
    ],
)
def test_ways_of_running_agree(options, tolerance):
    """The tolerance is on the way that the weights have gone: rounding grows with it."""
    shape, models = (8, 8, 1), []
    for execution in ({"run_eagerly": not options.get("steps_per_execution")}, options):
        generator = tfgans.networks.mlp_generator(shape, latent_dim=4, width=8, depth=1, seed=1)
        discriminator = tfgans.networks.mlp_discriminator(shape, width=8, depth=1, seed=2)
        gan = tfgans.WGANGP(generator, discriminator, discriminator_steps=2, ema=0.9)
        start = gan.generator.get_weights()
        # Plain gradient steps: Adam's first ones have the size of the rate whatever the gradient.
        gan.compile(*map(keras.optimizers.SGD, (0.05, 0.05)), **execution)
        gan.fit(batches(), steps_per_epoch=2, verbose=0)
        models.append(gan)
    plain, other = models
    for before, weight, twin in zip(
        start, plain.generator.weights, other.generator.weights, strict=True
    ):
        way = np.abs(weight.numpy() - before).max()
        assert way > 0
        np.testing.assert_allclose(twin.numpy(), weight.numpy(), atol=tolerance * way + 1e-7)
    assert plain.step == other.step == 2


def test_average_follows_its_formula():
    gan = tiny.gan(ema=0.5, run_eagerly=True)
    tiny.train(gan)
    first = [weight.numpy() for weight in tiny.gan().generator.weights]
    # After step 1 the decay in force is min(0.5, 2 / 11).
    for start, now, average in zip(
        first, gan.generator.weights, gan.ema_generator.weights, strict=True
    ):
        expected = now.numpy() + 2 / 11 * (start - now.numpy())
        np.testing.assert_allclose(average.numpy(), expected, atol=1e-6)
    names = [weight.path for weight in gan.ema_generator.weights]
    assert any("moving_variance" in name for name in names)
    assert not gan.ema_generator.trainable_variables
    images = gan.sample(2, seed=3)
    np.testing.assert_allclose(
        images,
        gan.sampling_generator(tfgans.random.normal_rows([[3, 0], [3, 1]], [4])),
        atol=1e-6,
    )


def test_evaluation_repeats_and_changes_nothing():
    drawn = []

    class Watched(tfgans.NonSaturatingGAN):
        def draw_latents(self, draws):
            drawn.append(super().draw_latents(draws))
            return drawn[-1]

    gan = tiny.gan(Watched, ema=0.9, dropout=0.3, run_eagerly=True)
    tiny.train(gan)
    before = tiny.state(gan)
    drawn.clear()
    results = [
        gan.evaluate(batches(128), return_dict=True, verbose=0)["generator_loss"] for _ in range(2)
    ]
    assert results[0] == results[1]
    assert not np.allclose(*drawn[:2])  # Each batch has different latents.
    for name, value in tiny.state(gan).items():
        np.testing.assert_array_equal(value, before[name])


def test_optimizer_that_breaks_repeatability_is_off_in_training_and_then_as_before():
    """Two compilations of a penalized step must round alike; see `tfgans.determinism`."""
    name, seen = "dependency_optimization", []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(tf.config.optimizer.get_experimental_options()[name])

    before = tf.config.optimizer.get_experimental_options().get(name, True)
    gan = tiny.gan(run_eagerly=True)
    gan.fit(batches(), steps_per_epoch=1, callbacks=[Look()], verbose=0)
    assert seen == [False]
    assert tf.config.optimizer.get_experimental_options()[name] == before
