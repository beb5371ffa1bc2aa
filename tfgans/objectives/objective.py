"""The base class of objectives."""

import abc
import dataclasses

import tensorflow as tf

from tfgans import checks
from tfgans.settings import Settings


@dataclasses.dataclass(frozen=True)
class Objective(Settings, abc.ABC):
    """A two-player game: what the discriminator and what the generator minimize.

    An objective is immutable, holds no state and never sees a network. Both methods take
    `(real_logits, fake_logits)`, in that order, and always logits: floating-point tensors of shape
    [batch, 1] (or [batch, k] for a mixture of k discriminators), before any sigmoid. They return
    unreduced terms of the logits' shape and dtype; the model reduces them once, which is what lets
    a mixture weight its examples.

    Only the objectives whose `weighs_fakes` is True also take a keyword `fake_weights` in both
    methods: float [batch, 1], the weight of each fake, or None for equal weights.

    To add a game, subclass it as a frozen dataclass. Its fields are its hyper-parameters, which are
    saved with a model. Register it with Keras, so that the model can be loaded.

    Example: the discriminator's loss is exp(-D(x)) + exp(D(G(z))), with the logits in [-limit,
    limit].

    ```python
    @keras.saving.register_keras_serializable(package="my_package")
    @dataclasses.dataclass(frozen=True)
    class Exponential(tfgans.objectives.Objective):
        limit: float = 5.0

        def discriminator_loss(self, real_logits, fake_logits):
            real_logits, fake_logits = self.clip(real_logits), self.clip(fake_logits)
            return tf.exp(-real_logits), tf.exp(fake_logits)

        def generator_loss(self, real_logits, fake_logits):
            return tf.exp(-self.clip(fake_logits))

        def clip(self, logits):
            return tf.clip_by_value(logits, -self.limit, self.limit)
    ```
    """

    @property
    def pairs_real_with_fake(self) -> bool:
        """Whether the game compares real with fake examples in pairs, as a relativistic one does.

        Then the model judges each real example beside a fake one and gives its term the weight of
        that fake, and `generator_loss` gets `real_logits`. Otherwise it gets None for them.
        """
        return False

    @property
    def weighs_fakes(self) -> bool:
        """Whether the terms of a fake depend on the other fakes of its batch.

        Then a column of the logits must hold the whole batch of one discriminator: for a mixture
        the model calls both losses once for each discriminator, with `fake_weights`.
        """
        return False

    @property
    def decision_threshold(self) -> float | None:
        """The logit above which the discriminator calls an example real.

        It is the logit of a best discriminator where real and fake examples are equally dense.
        None where only differences of logits matter, not their level. Default: 0, or None with
        `pairs_real_with_fake`.
        """
        return None if self.pairs_real_with_fake else 0.0

    @abc.abstractmethod
    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the terms on the real and on the fake examples, whose means are added.

        Args:
            real_logits: Float [batch, columns].
            fake_logits: Float [batch, columns].

        Returns:
            A tuple of two tensors, with the shapes and the dtype of the logits.
        """

    @abc.abstractmethod
    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns the term on the fake examples, whose mean the generator minimizes.

        Args:
            real_logits: Float [batch, columns] if `pairs_real_with_fake`, else None.
            fake_logits: Float [batch, columns].

        Returns:
            A tensor, with the shape and the dtype of the fake logits.
        """


def check_label_smoothing(value: float) -> None:
    """Raises ValueError unless `value` is a float in [0, 1): for the games that have labels."""
    if checks.non_negative("label_smoothing", value) >= 1:
        raise ValueError(
            "`label_smoothing` must be below 1, where real and fake would have the same target; "
            f"take 0 for none, or say 0.1. Received: {checks.short(value)}"
        )
