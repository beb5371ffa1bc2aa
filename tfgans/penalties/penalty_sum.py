"""The weighted sum of several penalties."""

import dataclasses
from collections.abc import Callable, Iterable

import keras
import tensorflow as tf

from tfgans import checks, random
from tfgans.penalties.penalty import Penalty
from tfgans.random import Role
from tfgans.settings import Settings


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class PenaltySum(Settings):
    """The sum of several penalties, each with its weight; R1 and R2 together make R3GAN's.

    Accepted wherever a penalty is. A call takes the arguments of `Penalty` and returns the weighted
    sum, so the weight of the sum is 1; each term keeps its `every` and `fraction`.

    Args:
        terms: Iterable of `Penalty`, two or more; pass the terms of a nested sum themselves.

    Raises:
        ValueError: If there are fewer than two terms, or a term is no penalty.

    Example:

    ```python
    penalties = tfgans.penalties
    penalty = penalties.PenaltySum([penalties.R1Penalty(), penalties.R2Penalty()])
    ```
    """

    terms: tuple[Penalty, ...]

    def __post_init__(self) -> None:
        terms = tuple(self.terms) if isinstance(self.terms, Iterable) else ()
        if len(terms) < 2:
            raise ValueError(
                f"`terms` must be two penalties or more. Received: {checks.short(self.terms)}"
            )
        for term in terms:
            checks.instance("terms", term, Penalty, "tfgans.penalties.R1Penalty()")
        object.__setattr__(self, "terms", terms)  # The only way in a frozen dataclass.

    @property
    def weight(self) -> float:
        """1: the sum already contains the weights of the terms."""
        return 1.0

    @property
    def is_lazy(self) -> bool:
        """Whether some updates are without one of the penalties."""
        return any(term.is_lazy for term in self.terms)

    @property
    def fraction(self) -> float:
        """The smallest fraction of the terms."""
        return min(term.fraction for term in self.terms)

    def __call__(
        self,
        discriminator: Callable[..., tf.Tensor],
        real: tf.Tensor,
        fake: tf.Tensor,
        *,
        labels: tf.Tensor | None = None,
        key: tf.Tensor | None = None,
        update: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns the weighted sum for each example: float32 [batch]."""
        total = tf.zeros([])
        for index, term in enumerate(self.terms):
            term_key = (
                None if key is None else random.fold(random.fold(key, Role.PENALTY_TERM), index)
            )
            total += term.weight * term(
                discriminator,
                real,
                fake,
                labels=labels,
                key=term_key,
                update=update,
                training=training,
            )
        return total
