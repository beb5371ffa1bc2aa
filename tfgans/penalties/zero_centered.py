"""R1 and R2: the squared gradient norm at the real, and at the fake examples."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.penalties.penalty import Penalty


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class R1Penalty(Penalty):
    """||grad D(x)||_2^2 at the real examples: flattens the discriminator on the data.

    Training then converges locally where the generator reaches the data, even on manifolds of low
    dimension.

    Args:
        weight: Float, default 5: the gamma / 2 of the paper, whose gamma is 10.
        target: Float, default 0.
        one_sided: Bool, default False. See `Penalty`, as for the rest.
        every: Int, default 1.
        fraction: Float, default 1.
        epsilon: Float, default 1e-12.

    Example:

    ```python
    gan = tfgans.NonSaturatingGAN(
        generator, discriminator, penalty=tfgans.penalties.R1Penalty(weight=5.0)
    )
    ```

    Reference: Mescheder, Geiger & Nowozin 2018, "Which Training Methods for GANs do actually
    Converge?", equation 9.
    """

    weight: float = 5.0
    target: float = 0.0

    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the real examples."""
        del fake, key
        return real


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class R2Penalty(R1Penalty):
    """||grad D(G(z))||_2^2 at the fake examples; see `R1Penalty`, also for the arguments.

    Args:
        weight: Float, default 5.
        target: Float, default 0.
        one_sided: Bool, default False.
        every: Int, default 1.
        fraction: Float, default 1.
        epsilon: Float, default 1e-12.

    Reference: Mescheder, Geiger & Nowozin 2018, "Which Training Methods for GANs do actually
    Converge?", equation 10.
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the fake examples."""
        del real, key
        return fake
