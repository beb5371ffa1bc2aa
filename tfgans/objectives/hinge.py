"""The hinge game: the discriminator's loss has a margin of 1, the generator's has none."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class Hinge(Objective):
    """The discriminator minimizes E relu(1 - D(x)) + E relu(1 + D(G(z))), the generator -E D(G(z)).

    Examples that the discriminator classifies with a margin of 1 have no gradient, so it learns
    from the rest. The game of spectrally normalized networks.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.Hinge())
    ```

    Reference: Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization for
    Generative Adversarial Networks", equations 16 and 17.
    """

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns relu(1 - real) and relu(1 + fake)."""
        return tf.nn.relu(1 - real_logits), tf.nn.relu(1 + fake_logits)

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -fake."""
        del real_logits
        return -fake_logits
