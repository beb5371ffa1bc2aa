"""What a player hides: sparse gradients, routing, and the copies of `DCD.from_gan`."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans


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
