"""Agreement with TF-GAN, on random logits, wherever both have the loss."""

import numpy as np
import pytest
import tensorflow as tf
import tf_gan

from tfgans import objectives

MEAN = {"reduction": tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE}


@pytest.fixture(scope="module")
def tfgan_losses():
    with tf_gan.leaf("losses.losses_impl") as losses_impl:
        yield losses_impl


def _logits():
    rng = np.random.default_rng(0)
    return tuple(tf.constant(rng.normal(0, 3, (64, 1)), tf.float32) for _ in range(2))


@pytest.mark.parametrize(
    ("objective", "name", "options"),
    [
        (objectives.Minimax(), "minimax", {"label_smoothing": 0.0}),
        # Theirs smooths to 1 - s / 2 (Keras' two-sided formula, on the real labels alone).
        (objectives.Minimax(label_smoothing=0.125), "minimax", {"label_smoothing": 0.25}),
        (objectives.NonSaturating(), "modified", {"label_smoothing": 0.0}),
        (objectives.NonSaturating(label_smoothing=0.1), "modified", {"label_smoothing": 0.2}),
        (objectives.LeastSquares(), "least_squares", {}),
        (objectives.LeastSquares(label_smoothing=0.2), "least_squares", {"real_label": 0.8}),
        (objectives.Wasserstein(), "wasserstein", {}),
        (objectives.Hinge(), "wasserstein_hinge", {}),
    ],
)
def test_discriminator_agrees(tfgan_losses, objective, name, options):
    real, fake = _logits()
    theirs = getattr(tfgan_losses, f"{name}_discriminator_loss")(real, fake, **MEAN, **options)
    on_real, on_fake = objective.discriminator_loss(real, fake)
    ours = tf.reduce_mean(on_real) + tf.reduce_mean(on_fake)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    ("objective", "name", "constant"),
    [
        # Theirs is the negated discriminator's loss, with real logits of 1.
        (objectives.Minimax(), "minimax", -np.log1p(np.exp(-1))),
        (objectives.NonSaturating(), "modified", 0.0),
        (objectives.LeastSquares(), "least_squares", 0.0),
        (objectives.Wasserstein(), "wasserstein", 0.0),
        (objectives.Hinge(), "wasserstein", 0.0),
    ],
)
def test_generator_agrees(tfgan_losses, objective, name, constant):
    real, fake = _logits()
    theirs = getattr(tfgan_losses, f"{name}_generator_loss")(fake, **MEAN)
    ours = tf.reduce_mean(objective.generator_loss(real, fake)) + constant
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_relativistic_agrees_on_one_pair(tfgan_losses):
    """Theirs compares with the batch's mean: on one pair twice ours, once for each side."""
    objective = objectives.Relativistic()
    for real, fake in zip(*(tf.split(logits, 64) for logits in _logits()), strict=True):
        ours = sum(objective.discriminator_loss(real, fake))
        theirs = tfgan_losses.relativistic_discriminator_loss(real, fake)
        np.testing.assert_allclose(2 * ours[0, 0], theirs, rtol=1e-6)
        ours = objective.generator_loss(real, fake)
        theirs = tfgan_losses.relativistic_generator_loss(real, fake)
        np.testing.assert_allclose(2 * ours[0, 0], theirs, rtol=1e-6)
