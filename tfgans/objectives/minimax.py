"""The games of Goodfellow et al. 2014: minimax, and its non-saturating form."""

import dataclasses
import math

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective, check_label_smoothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class _LogisticDiscriminator(Objective):
    """The discriminator's loss, which both games share: -log sigma(D(x)) - log(1 - sigma(D(G)))."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_label_smoothing(self.label_smoothing)

    @property
    def decision_threshold(self) -> float:
        """0; with smoothing s lower, since the best sigma(D) is (1 - s) p / (p + q)."""
        return math.log((1 - self.label_smoothing) / (1 + self.label_smoothing))

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns softplus(-real) + s real and softplus(fake): a plain sum, not its half.

        At logits of 0 it is 2 log 2, whatever s is.
        """
        # -log sigma(x) = softplus(-x) and -log(1 - sigma(x)) = softplus(x): finite at any logit.
        on_real, on_fake = tf.nn.softplus(-real_logits), tf.nn.softplus(fake_logits)
        if self.label_smoothing:
            # (1 - s) softplus(-x) + s softplus(x), and softplus(x) = softplus(-x) + x.
            on_real += self.label_smoothing * real_logits
        return on_real, on_fake


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Minimax(_LogisticDiscriminator):
    """The zero-sum game: the generator minimizes E log(1 - sigma(D(G(z)))).

    With an optimal discriminator the payoff E log D + E log(1 - D) is twice the Jensen-Shannon
    divergence, less 2 log 2. The gradient with respect to a fake logit is -sigma(D), which vanishes
    when the discriminator wins: use it to study that; use `NonSaturating` to train.

    Args:
        label_smoothing: Float in [0, 1), default 0. The discriminator's target for real examples
            is 1 less this; that for fakes stays 0 (one-sided, Salimans et al. 2016, section 3.4).
            The game is then not zero-sum. TF-GAN's `label_smoothing` s makes the target 1 - s / 2:
            it is twice this.

    Raises:
        ValueError: If `label_smoothing` is out of its range.

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
@dataclasses.dataclass(frozen=True, kw_only=True)
class NonSaturating(_LogisticDiscriminator):
    """The game that is used in practice: the generator minimizes -E log sigma(D(G(z))).

    Same fixed points as `Minimax`, but the gradient with respect to a fake logit is
    -(1 - sigma(D)): largest where the discriminator is most certain. At the optimal discriminator
    it follows KL(P_g || P_r) - 2 JSD (Arjovsky & Bottou 2017, Theorem 2.5).

    Args:
        label_smoothing: Float in [0, 1), default 0. The discriminator's target for real examples
            is 1 less this; that for fakes stays 0, and the generator's 1 (one-sided, Salimans et
            al. 2016, section 3.4). Keeps the best logits below log((1 - s) / s). TF-GAN's
            `label_smoothing` s makes the target 1 - s / 2: it is twice this.

    Raises:
        ValueError: If `label_smoothing` is out of its range.

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
