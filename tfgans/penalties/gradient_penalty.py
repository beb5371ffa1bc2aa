"""The gradient penalty of WGAN-GP, on points between real and fake examples."""

import dataclasses

import keras
import tensorflow as tf

from tfgans import random
from tfgans.penalties.penalty import Penalty


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientPenalty(Penalty):
    """(||grad D(x_hat)||_2 - 1)^2 at x_hat = x + alpha (G(z) - x), alpha ~ U[0, 1).

    One alpha per example, real paired with fake by its place in the batch: the points lie on the
    straight lines between pairs. Works with any objective: with `Wasserstein` it is WGAN-GP, with
    `NonSaturating` the GAN-GP of Fedus et al. 2018.

    Args:
        weight: Float, default 10 ("all experiments use lambda = 10"). The authors' toy code uses
            0.1; then the critic's gap is no longer near the Wasserstein distance.
        target: Float, default 1.
        one_sided: Bool, default False. See `Penalty`, as for the rest.
        every: Int, default 1.
        fraction: Float, default 1.
        epsilon: Float, default 1e-12, under the root.

    Example:

    ```python
    penalty = tfgans.penalties.GradientPenalty(weight=10.0)
    values = penalty(discriminator, real, fake)  # [batch]
    ```

    Reference: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3 and
    Algorithm 1.
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns a point on the segment from each real example to its fake."""
        return real + uniform_per_example(real, key) * (fake - real)


def uniform_per_example(examples: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns float32 [batch, 1, ...] of U[0, 1): a number for each example."""
    ones = [1] * (len(examples.shape) - 1)
    return random.uniform([tf.shape(examples)[0], *ones], key)
