"""The game of WGAN: a critic's means are compared, with no sigmoid."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class Wasserstein(Objective):
    """The Kantorovich-Rubinstein dual: the critic minimizes E D(G(z)) - E D(x).

    If something keeps the critic K-Lipschitz (a gradient penalty, weight clipping, spectral
    normalization), the negated loss is a lower bound of K times the Wasserstein-1 distance. Alone
    the objective is unbounded.

    Example:

    ```python
    gan = tfgans.GAN(
        generator,
        discriminator,
        objective=tfgans.objectives.Wasserstein(),
        penalty=tfgans.penalties.GradientPenalty(weight=10.0),
    )
    ```

    Reference: Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", equations 2 and 3. The authors'
    code flips both signs, which is the same game.
    """

    @property
    def decision_threshold(self) -> None:
        """None: a constant added to the critic changes nothing."""
        return None

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns -real and fake."""
        return -real_logits, tf.identity(fake_logits)

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -fake."""
        del real_logits
        return -fake_logits
