"""Instance noise in training: its inputs, its level, its logs, and its resumption."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.layers import InstanceNoise
from tfgans.random import Stream
from tfgans.weighted import Weighted

STREAM = Stream(tfgans.random.key(5))


class Watched(keras.layers.Layer):
    """Keeps what passes through it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, images):
        self.seen.append(images)
        return images


def noisy(noise, *, discriminator=None, cls=tfgans.NonSaturatingGAN, **options):
    judge = discriminator or tiny.discriminator()
    model = cls(tiny.generator(), judge, instance_noise=noise, **options)
    model.compile(run_eagerly=True)
    return model


@pytest.mark.parametrize("player", ["discriminator_loss", "generator_loss"])
def test_real_and_fake_get_independent_noise_in_both_players_updates(player):
    watched = Watched()
    judge = keras.Sequential(
        [keras.Input((8, 8, 1)), watched, keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    relativistic = tfgans.objectives.Relativistic()  # Its generator sees the real examples too.
    noise = InstanceNoise(0.3, schedule="constant")
    model = noisy(noise, discriminator=judge, cls=tfgans.GAN, objective=relativistic)
    real, fake = tf.zeros([64, 8, 8, 1]), tf.ones([64, 8, 8, 1])
    watched.seen.clear()
    getattr(model, player)(real, Weighted(fake), stream=STREAM, training=True)
    on_real, on_fake = (
        seen.numpy() - level for seen, level in zip(watched.seen, (0, 1), strict=True)
    )
    for draws in (on_real, on_fake):
        # 4096 draws: the standard error of the standard deviation is .3 / sqrt(8192) = .0033.
        assert draws.std() == pytest.approx(0.3, abs=0.015)
    correlation = np.corrcoef(on_real.ravel(), on_fake.ravel())[0, 1]
    assert abs(correlation) < 0.08  # Standard error 1 / sqrt(4096) = .016.
    watched.seen.clear()
    getattr(model, player)(real, Weighted(fake), stream=STREAM, training=False)
    np.testing.assert_array_equal(watched.seen[0], real)
    np.testing.assert_array_equal(watched.seen[1], fake)


def test_level_falls_is_logged_and_is_none_in_evaluation():
    model = noisy(InstanceNoise(0.4, decay_steps=2))
    history = model.fit(
        tiny.digits(),
        batch_size=16,
        epochs=3,
        steps_per_epoch=1,
        validation_data=tiny.digits()[:8],
        verbose=0,
    ).history
    np.testing.assert_allclose(history["noise_level"], [0.4, 0.2, 0.0], atol=1e-6)
    assert history["val_noise_level"] == [0.0] * 3


def test_adaptive_level_follows_the_accuracy():
    """A discriminator that is always right gets more noise."""

    class Fixed(tfgans.NonSaturatingGAN):
        def discriminator_loss(self, real, fake, labels=None, **options):
            loss, logs = super().discriminator_loss(real, fake, labels, **options)
            return loss, logs | {"accuracy": tf.constant(1.0)}

    model = noisy(InstanceNoise(0.5, schedule="adaptive", rate=0.1), cls=Fixed)
    tiny.train(model)
    level = float(model.instance_noise.level)
    assert level == pytest.approx(0.5 * np.exp(0.1), rel=1e-5)
    assert float(model.get_metrics_result()["accuracy"]) == pytest.approx(1.0)


def test_adaptive_noise_needs_a_game_with_an_accuracy():
    for cls in (tfgans.WGANGP, tfgans.KLWGAN, tfgans.R3GAN):
        with pytest.raises(ValueError, match="needs an objective with a decision threshold"):
            noisy(InstanceNoise(0.2, schedule="adaptive"), cls=cls)
    with pytest.raises(ValueError, match=r"`instance_noise` must be a tfgans.layers.InstanceNoise"):
        noisy(0.2)
