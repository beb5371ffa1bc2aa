"""The contract that every game keeps."""

import abc
import dataclasses
from typing import Any, Self

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC):
    """A two-player game: what the discriminator and what the generator minimize.

    An objective is immutable, holds no state and never sees a network. Both methods take
    `(real_logits, fake_logits)`, in that order, and always logits: floating-point tensors of shape
    [batch, 1] (or [batch, k] for a mixture of k discriminators), before any sigmoid. They return
    unreduced terms of the logits' shape and dtype; the model reduces them once, which is what lets
    a mixture weight its examples.

    To add a game: subclass it as a frozen dataclass (its fields are its hyper-parameters and its
    config), register it with `keras.saving.register_keras_serializable(package="tfgans")`, and add
    a row to the contract table of the tests.
    """

    @property
    def generator_uses_real(self) -> bool:
        """Whether `generator_loss` reads `real_logits`; where not, the model passes `None`."""
        return False

    @abc.abstractmethod
    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the terms on the real and on the fake examples; the loss is their sum."""

    @abc.abstractmethod
    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns the term on the fake examples that the generator minimizes."""

    def get_config(self) -> dict[str, Any]:
        """Returns the hyper-parameters, enough for `from_config`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes an objective from the result of `get_config`."""
        return cls(**config)
