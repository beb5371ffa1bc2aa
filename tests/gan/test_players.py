"""What a player hides: layer losses, loss scales, sparse gradients, strategies."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import optimizers, players


class OnlyInTraining(keras.layers.Layer):
    """Adds a loss where it is called in training, as layers that balance or quantize do."""

    def call(self, inputs, training=False):
        if training:
            self.add_loss(tf.constant(3.0))
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


def generator_with(*layers, seed=0):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(64, "tanh", activity_regularizer=keras.regularizers.L2(0.1))
    head = [dense] if not layers else [*layers, keras.layers.Dense(64, "tanh")]
    return keras.Sequential([keras.Input((4,)), *head, keras.layers.Reshape((8, 8, 1))])


def train(model, steps=2, **options):
    return model.fit(tiny.digits(), batch_size=16, steps_per_epoch=steps, verbose=0, **options)


@pytest.mark.parametrize("routing", ["slices", "exact"])
def test_a_regularized_mixture_is_trained_and_evaluated(routing):
    mixture = tfgans.MixtureGenerator(
        [generator_with(seed=seed) for seed in range(2)], routing=routing
    )
    gan = tfgans.NonSaturatingGAN(mixture, tiny.discriminator())
    gan.compile()
    history = train(gan, validation_data=tiny.digits(20)).history
    assert history["generator_layer_loss"][0] > 0
    assert np.isfinite(history["val_generator_loss"]).all()


def test_categorical_routing_refuses_layer_losses():
    components = [generator_with(seed=seed) for seed in range(2)]
    mixture = tfgans.MixtureGenerator(components, routing="categorical")
    with pytest.raises(ValueError, match="losses of its layers cannot be summed"):
        tfgans.NonSaturatingGAN(mixture, tiny.discriminator())


def test_a_loss_that_is_added_in_training_alone_counts():
    gan = tfgans.NonSaturatingGAN(generator_with(OnlyInTraining()), tiny.discriminator())
    gan.compile()
    assert train(gan).history["generator_layer_loss"] == [3.0]


@pytest.mark.parametrize("factor", [None, 1024.0])
def test_weights_of_a_mixture_do_not_know_the_loss_scale_factor(factor):
    mixture = tiny.mixtures(2, 1, weight_learning_rate=1.0, entropy_weight=0)[0]
    player = players.GeneratorPlayer(mixture)
    optimizer = keras.optimizers.SGD(0.0, loss_scale_factor=factor)
    player.compile(optimizers.prepare(optimizer, mixture), accumulate_steps=1)

    def loss():
        others = [tf.reduce_sum(variable.value) for variable in mixture.trainable_variables]
        return tf.exp(mixture.log_probabilities())[0] + 0.0 * tf.add_n(others), tf.zeros([])

    player.minimize(loss)
    np.testing.assert_allclose(mixture.probabilities, [0.2689414, 0.7310586], atol=1e-6)


def test_a_component_with_an_embedding_and_no_examples_stays():
    """Its gradient is sparse, or there is none, and that is no example either."""
    mixture = tfgans.MixtureGenerator(
        [tiny.conditional_generator(seed=seed) for seed in (1, 2)],
        routing="categorical",
        weight_learning_rate=0,
    )
    gan = tfgans.NonSaturatingGAN(mixture, tiny.conditional_discriminator(), num_classes=10)
    gan.compile()

    def step():
        gan.fit(tiny.digits(), tiny.digit_labels(), batch_size=16, steps_per_epoch=2, verbose=0)

    step()  # Adam has something to remember.
    mixture.set_probabilities([1 - 1e-9, 1e-9])
    before = [component.get_weights() for component in mixture.components]
    step()
    after = [component.get_weights() for component in mixture.components]
    assert any(not np.array_equal(*pair) for pair in zip(before[0], after[0], strict=True))
    for weight, twin in zip(before[1], after[1], strict=True):
        np.testing.assert_array_equal(weight, twin)


def test_the_strategy_counts_that_the_model_was_built_in():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        gan = tfgans.NonSaturatingGAN(tiny.generator(normalization=False), tiny.discriminator())
    with pytest.raises(ValueError, match="clips before the gradients are summed"):
        gan.compile(keras.optimizers.Adam(clipnorm=1.0), "adam")
    with pytest.raises(ValueError, match="XLA does not compile a step of several replicas"):
        gan.compile(jit_compile=True)


class TestDCDFromGAN:
    def test_frozen_layers_stay_frozen(self):
        gan = tiny.gan(tfgans.NonSaturatingGAN, compiled=False)
        gan.discriminator.layers[1].trainable = False
        trained = len(gan.discriminator.trainable_variables)
        assert len(tfgans.DCD.from_gan(gan).discriminator.trainable_variables) == trained == 2

    def test_other_latents_are_refused(self):
        class Uniform(tfgans.NonSaturatingGAN):
            def draw_latents(self, draws):
                return draws.uniform(self.latent_shape)

        with pytest.raises(ValueError, match="overrides `draw_latents`"):
            tfgans.DCD.from_gan(tiny.gan(Uniform))


def test_real_examples_are_judged_once_whatever_the_routing_of_the_generators():
    seen = []

    class Watched(tfgans.NonSaturatingGAN):
        def discriminator_loss(self, real, fake, labels=None, **options):
            loss, logs = super().discriminator_loss(real, fake, labels, **options)
            seen.append((real.shape[0], fake.values.shape[0]))
            return loss, logs

    mixture = tfgans.MixtureGenerator(
        [tiny.conditional_generator(seed=seed) for seed in (1, 2, 3)], routing="exact"
    )
    gan = Watched(mixture, tiny.conditional_discriminator(), num_classes=10)
    labels = tf.constant(tiny.digit_labels(8))
    stream = tfgans.random.Stream(tfgans.random.key(0))
    fake = gan.generate(8, labels, stream=stream, training=True)
    _, logs = gan.discriminator_loss(
        tf.constant(tiny.digits(8)), fake, labels, stream=stream, training=True
    )
    expected = gan.discriminator([tf.constant(tiny.digits(8)), labels])
    np.testing.assert_allclose(logs["real_logits"], tf.reduce_mean(expected), rtol=1e-5)
    assert seen == [(8, 24)]
