"""What the doctor measures: a few numbers of a model, on examples that stay the same."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf

from tfgans import random
from tfgans.data import Source
from tfgans.gan import GAN
from tfgans.logs import LogMeans
from tfgans.players import Player
from tfgans.random import ReservedStep, Stream
from tfgans.weighted import Weighted


class Reading(NamedTuple):
    """One check; what a model does not have is None, or an empty tuple.

    Attributes:
        step: Int, training steps done.
        rollbacks: Int, how often the model had been rolled back.
        accuracy: Float in [0, 1], of the discriminator: the mean of that on the real and that on
            the generated examples; None where logits have no level, so that the game has no
            `decision_threshold`.
        gradient_norm: Float, of the generator's loss over all its weights; None if it is not
            trained, or float16 overflowed.
        diversity: Float, the mean distance of two generated examples, in that of two real ones;
            of a conditional model, of two of one class.
        penalty: Float, the mean penalty before its weight; None without one.
        generator_weights: Floats, the probabilities of a mixture's components.
        discriminator_weights: The same of the other player.
    """

    step: int
    rollbacks: int
    accuracy: float | None
    gradient_norm: float | None
    diversity: float
    penalty: float | None
    generator_weights: tuple[float, ...]
    discriminator_weights: tuple[float, ...]

    @property
    def scalars(self) -> dict[str, float]:
        """What was measured, by name, but for the weights."""
        names = ("accuracy", "gradient_norm", "diversity", "penalty")
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def to_row(self) -> str:
        """Returns the line of a CSV file that `from_cells` reads to the same bits."""
        return ",".join(_to_cell(value) for value in self) + "\n"

    @classmethod
    def from_cells(cls, cells: Sequence[str]) -> Self:
        """Returns the reading whose row has these cells."""
        step, rollbacks, accuracy, gradient_norm, diversity, penalty, *weights = cells
        generator, discriminator = (tuple(map(float, cell.split())) for cell in weights)
        return cls(
            int(step),
            int(rollbacks),
            float(accuracy) if accuracy else None,
            float(gradient_norm) if gradient_norm else None,
            float(diversity),
            float(penalty) if penalty else None,
            generator,
            discriminator,
        )


class Probe:
    """Measures a model, always with the same real examples, latents and labels.

    The networks are at inference and nothing of the model changes. It is the generator itself that
    is looked at, not its average, which would see trouble late.

    Args:
        gan: `tfgans.GAN`.
        source: `tfgans.data.Source` of the real examples.
        num: Int, examples of either kind; fewer if the source has fewer.
        seed: Int, which latents.

    Raises:
        ValueError: If the real examples are all alike, or `fit` runs in a strategy's scope.
    """

    def __init__(self, gan: GAN, source: Source, *, num: int, seed: int) -> None:
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "The doctor looks at the model on one device. Received: `fit` within the scope of "
                "a strategy of several. Make and compile the model there, and call `fit` after it"
            )
        self.gan = gan
        self._num = num if source.num_examples is None else min(num, source.num_examples)
        labelled = gan.num_classes is not None
        batch = next(iter(source.batches(self._num, labels=labelled)))
        self._labels: tf.Tensor | None = None
        self._real, self._labels = batch if labelled else (batch, None)
        self._stream = Stream(random.key(seed, ReservedStep.DOCTOR))
        self._real_distance = self._mean_distance(self._real) if self._num > 1 else 0.0
        if not self._real_distance > 0:
            raise ValueError(
                "Diversity is measured in that of real examples, of which at least two must "
                f"differ. Received: {self._num} of {source.name!r}, all alike"
            )

    def read(self) -> Reading:
        """Returns what the model shows now."""
        gan, players = self.gan, self.gan.players
        others = [metric for metric in gan.metrics if not isinstance(metric, LogMeans)]
        with _borrowed(others):
            fake, gradient_norm = self._generate()
            _, logs = gan.discriminator_loss(
                self._real, fake, self._labels, stream=self._stream, training=False
            )
        return Reading(
            step=gan.step,
            rollbacks=gan.rollbacks,
            accuracy=self._accuracy(fake.values),
            gradient_norm=gradient_norm,
            diversity=self._mean_distance(fake.values) / self._real_distance,
            penalty=None if gan.penalty is None else float(logs["penalty"]),
            generator_weights=_weights(players["generator"]),
            discriminator_weights=_weights(players["discriminator"]),
        )

    def _generate(self) -> tuple[Weighted, float | None]:
        """Returns examples, and the norm of the gradient that they bring."""
        gan, player, made = self.gan, self.gan.players["generator"], []

        def loss() -> tf.Tensor:
            fake = gan.generate(self._num, self._labels, stream=self._stream, training=False)
            made.append(fake)
            return gan.generator_loss(
                self._real, fake, self._labels, stream=self._stream, training=False
            )[0]

        if not player.network_variables:
            fake = gan.generate(self._num, self._labels, stream=self._stream, training=False)
            return fake, None
        norm = player.gradient_norm(loss)
        return made[0], norm if math.isfinite(norm) else None

    def _accuracy(self, fake: tf.Tensor) -> float | None:
        threshold = self.gan.objective.decision_threshold
        if threshold is None:
            return None
        judge = self.gan.discriminator_player
        real_logits, fake_logits = (
            np.asarray(judge.mean_logits(examples, self._labels), np.float64)
            for examples in (self._real, fake)
        )
        if not (np.isfinite(real_logits).all() and np.isfinite(fake_logits).all()):
            return math.nan
        return float(np.mean(real_logits > threshold) + np.mean(fake_logits <= threshold)) / 2

    def _mean_distance(self, examples: tf.Tensor) -> float:
        """Returns the mean distance of two examples, of one class if there are enough pairs."""
        from scipy.spatial.distance import pdist

        rows = np.asarray(examples, np.float64).reshape(len(examples), -1)
        distances = pdist(rows)
        if self._labels is not None:
            same = pdist(np.asarray(self._labels)[:, np.newaxis]) == 0
            distances = distances[same] if same.sum() >= len(rows) else distances
        return float(distances.mean())


@contextlib.contextmanager
def _borrowed(metrics: Sequence[Any]) -> Iterator[None]:
    """Empties the running means within the block, and puts back what they held."""
    variables = [variable for metric in metrics for variable in metric.variables]
    before = [variable.numpy() for variable in variables]
    for metric in metrics:
        metric.reset_state()
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _weights(player: Player) -> tuple[float, ...]:
    return tuple(player.probabilities.tolist()) if player.mixture_settings else ()


def _to_cell(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(repr, value))
    return "" if value is None else repr(value)
