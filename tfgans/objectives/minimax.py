"""The games of Goodfellow et al. 2014: minimax, and its non-saturating form."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective


@dataclasses.dataclass(frozen=True)
class _LogisticDiscriminator(Objective):
    """The discriminator's side, which both games share: -log sigma(D(x)) - log(1 - sigma(D(G)))."""

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns softplus(-real) and softplus(fake): a plain sum, so chance level is 2 log 2."""
        # -log sigma(x) = softplus(-x) and -log(1 - sigma(x)) = softplus(x): finite at any logit.
        return tf.nn.softplus(-real_logits), tf.nn.softplus(fake_logits)


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class Minimax(_LogisticDiscriminator):
    """The zero-sum game: the generator minimizes E log(1 - sigma(D(G(z)))).

    With an optimal discriminator the payoff E log D + E log(1 - D) is twice the Jensen-Shannon
    divergence, less 2 log 2. The gradient with respect to a fake logit is -sigma(D), which vanishes
    when the discriminator wins: use it to study that; use `NonSaturating` to train.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.Minimax())
    ```

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1.
    """

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns log(1 - sigma(fake)) = -softplus(fake)."""
        del real_logits
        return -tf.nn.softplus(fake_logits)


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class NonSaturating(_LogisticDiscriminator):
    """The game that is used in practice: the generator minimizes -E log sigma(D(G(z))).

    Same fixed points as `Minimax`, but the gradient with respect to a fake logit is
    -(1 - sigma(D)): strongest where the discriminator is surest. At the optimal discriminator it
    follows KL(P_g || P_r) - 2 JSD (Arjovsky & Bottou 2017, Theorem 2.5).

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.NonSaturating())
    ```

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", section 3.
    """

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -log sigma(fake) = softplus(-fake)."""
        del real_logits
        return tf.nn.softplus(-fake_logits)
