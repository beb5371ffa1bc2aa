"""The base class of regularizers."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tfgans.settings import Settings
from tfgans.weighted import Weighted


class RegularizerInputs(NamedTuple):
    """The examples of an update of the discriminator, and its logits.

    Attributes:
        real: Float [rows, ...], the real examples as the discriminator saw them.
        fake: Float [rows, ...], the fakes as the discriminator saw them.
        real_logits: `Weighted` logits of the real examples.
        fake_logits: `Weighted` logits of the fakes.
        real_logits_fn: Callable, examples in the place of the real ones -> logits [rows, columns].
        fake_logits_fn: The same for examples in the place of the fakes.
        perturbed_fakes_fn: Callable `(stddev)` -> fakes of latents that noise has moved, as the
            discriminator sees them: with the augmentation and the noise of the fakes.
        key: The int64[2] random key of the regularizer in this update.
    """

    real: tf.Tensor
    fake: tf.Tensor
    real_logits: Weighted
    fake_logits: Weighted
    real_logits_fn: Callable[[tf.Tensor], tf.Tensor]
    fake_logits_fn: Callable[[tf.Tensor], tf.Tensor]
    perturbed_fakes_fn: Callable[[float], tf.Tensor]
    key: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Regularizer(Settings, abc.ABC):
    """A term of the discriminator's loss in training, and perhaps of the generator's.

    A regularizer is immutable and serializable; what changes during training is in `state`. It does
    not apply in evaluations. Create a separate one for each model: models with the same regularizer
    share its state.

    To add one: subclass it as a frozen dataclass (its fields are its config), define `log_names`
    and `discriminator_term`, register it with
    `keras.saving.register_keras_serializable(package="tfgans")`, and add a row to the contract
    table of the tests.
    """

    @property
    @abc.abstractmethod
    def log_names(self) -> tuple[str, ...]:
        """The names of the logs, which no other regularizer of the model may have."""

    @abc.abstractmethod
    def discriminator_term(
        self, inputs: RegularizerInputs
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns a scalar to add to the discriminator's loss, and scalars to log by name."""

    @property
    def generator_noise(self) -> float | None:
        """The noise on the latents of `generator_term`; None, if there is no such term."""
        return None

    def generator_term(
        self, fake: Weighted, near: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns a scalar to add to the generator's loss, and scalars to log by name.

        Called only where `generator_noise` is not None.

        Args:
            fake: `Weighted` fakes [rows, ...].
            near: Float [rows, ...], the fakes of moved latents.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term of the generator")

    @property
    def state(self) -> keras.layers.Layer | None:
        """The layer whose weights move in training, saved and resumed with the model; or None."""
        return None

    def adapt(self, real_mean: tf.Tensor, fake_mean: tf.Tensor) -> None:
        """Moves the state after an update of the discriminator.

        Args:
            real_mean: Scalar, the mean logit of the real examples of the update, of all replicas.
            fake_mean: Scalar, that of the fakes.
        """
        del real_mean, fake_mean

    def check(self, shape: Sequence[int | None], *, trains_generator: bool) -> None:
        """Raises ValueError unless it works with examples of `shape` and with the generator."""
        del shape, trains_generator
