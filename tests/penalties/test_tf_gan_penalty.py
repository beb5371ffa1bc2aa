"""The gradient penalty against TF-GAN's: with a target t ours is t^2 times theirs."""

import numpy as np
import pytest
import tensorflow as tf
import tf_gan

from tfgans import penalties

# Of length 3, below and above the targets.
WEIGHTS = np.array([[2.0], [-1.0], [2.0]], np.float32)


@pytest.fixture(scope="module")
def losses_impl():
    with tf_gan.leaf("losses.losses_impl") as module:
        yield module


def theirs(losses_impl, real, fake, **options):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        penalty = losses_impl.wasserstein_gradient_penalty(
            real, fake, None, lambda x, _: x @ WEIGHTS, "scope", **options
        )
        return session.run(penalty)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("target", [0.5, 1.0, 2.0, 6.0])
def test_target(losses_impl, target, one_sided):
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
