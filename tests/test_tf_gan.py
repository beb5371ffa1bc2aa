"""TF-GAN as an oracle of objectives and of the gradient penalty."""

import numpy as np
import pytest
import tensorflow as tf
import tf_gan

from tfgans import objectives, penalties

MEAN = {"reduction": tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE}


@pytest.fixture(scope="module")
def losses_impl():
    with tf_gan.leaf("losses.losses_impl") as module:
        yield module


def _logits(num=64):
    rng = np.random.default_rng(0)
    return tuple(tf.constant(rng.normal(0, 3, (num, 1)), tf.float32) for _ in range(2))


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
def test_discriminator_agrees(losses_impl, objective, name, options):
    real, fake = _logits()
    theirs = getattr(losses_impl, f"{name}_discriminator_loss")(real, fake, **MEAN, **options)
    on_real, on_fake = objective.discriminator_loss(real, fake)
    ours = tf.reduce_mean(on_real) + tf.reduce_mean(on_fake)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_relativistic_agrees_on_one_pair(losses_impl):
    """Theirs compares with the batch's mean: on one pair twice ours, once for each side."""
    objective = objectives.Relativistic()
    for real, fake in zip(*(tf.split(logits, 8) for logits in _logits(8)), strict=True):
        ours = sum(objective.discriminator_loss(real, fake))
        theirs = losses_impl.relativistic_discriminator_loss(real, fake)
        np.testing.assert_allclose(2 * ours[0, 0], theirs, rtol=1e-6)
        ours = objective.generator_loss(real, fake)
        theirs = losses_impl.relativistic_generator_loss(real, fake)
        np.testing.assert_allclose(2 * ours[0, 0], theirs, rtol=1e-6)


# Of length 3, below and above the targets.
WEIGHTS = np.array([[2.0], [-1.0], [2.0]], np.float32)


def theirs(losses_impl, real, fake, **options):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        penalty = losses_impl.wasserstein_gradient_penalty(
            real, fake, None, lambda x, _: x @ WEIGHTS, "scope", **options
        )
        return session.run(penalty)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("target", [0.5, 1.0, 2.0, 6.0])
def test_target_of_the_gradient_penalty(losses_impl, target, one_sided):
    """With a target t ours is t^2 times theirs."""
    real, fake = np.random.default_rng(0).normal(size=[2, 5, 3]).astype(np.float32)
    penalty = penalties.GradientPenalty(target=target, one_sided=one_sided)
    ours = penalty(lambda x, training: x @ WEIGHTS, tf.constant(real), tf.constant(fake))
    expected = target**2 * theirs(losses_impl, real, fake, target=target, one_sided=one_sided)
    # Float32 has the norm 3 within 6e-7; the smallest difference from a target is 1, so its square
    # has a relative error of about 1e-6.
    np.testing.assert_allclose(tf.reduce_mean(ours), expected, rtol=1e-5)
    assert float(expected) == pytest.approx(
        0 if one_sided and target > 3 else (3 - target) ** 2, rel=1e-5
    )
