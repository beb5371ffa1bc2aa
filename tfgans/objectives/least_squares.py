"""The game of LSGAN: logits are pulled to labels by squared distance."""

import dataclasses

import keras
import tensorflow as tf

from tfgans.objectives.objective import Objective, check_label_smoothing


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquares(Objective):
    """The discriminator regresses real to 1 and fake to 0, the generator pulls its fakes to 1.

    There is no sigmoid, so a fake far from the boundary on the real side still has a gradient: it
    is pulled back to 1. The discriminator's optimum is p / (p + q), with smoothing s (1 - s) times
    that. The authors' link to the Pearson divergence needs other labels (b - c = 1, b - a = 2).

    Args:
        label_smoothing: Float in [0, 1), default 0. The discriminator's label for real examples is
            1 less this; that for fakes stays 0, and the generator's 1.

    Raises:
        ValueError: If `label_smoothing` is out of its range.

    Example:

    ```python
    gan = tfgans.GAN(generator, discriminator, objective=tfgans.objectives.LeastSquares())
    ```

    Reference: Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9 (a = 0,
    b = c = 1), with their factor 1/2.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_label_smoothing(self.label_smoothing)

    @property
    def decision_threshold(self) -> float:
        """Halfway between the labels: 0.5 without smoothing."""
        return (1 - self.label_smoothing) / 2

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (real - (1 - s))^2 / 2 and fake^2 / 2."""
        real_label = 1 - self.label_smoothing
        return tf.square(real_logits - real_label) / 2, tf.square(fake_logits) / 2

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns (fake - 1)^2 / 2."""
        del real_logits
        return tf.square(fake_logits - 1) / 2
