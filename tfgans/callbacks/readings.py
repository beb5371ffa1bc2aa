"""The measurements of `Doctor`: numbers that describe the state of a training."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from tfgans import random
from tfgans.callbacks.source_checks import check_source
from tfgans.data import Source
from tfgans.gan import GAN
from tfgans.logs import LogMeans
from tfgans.players import Player
from tfgans.random import ReservedStep, Stream
from tfgans.weighted import Weighted


class Reading(NamedTuple):
    """The measurements of a check.

    Attributes:
        step: Int, training steps done.
        rollbacks: Int, number of rollbacks before the check.
        accuracy: Float in [0, 1], the discriminator's accuracy, averaged over real and generated
            examples. None if the objective has no `decision_threshold`.
        gradient_norm: Float, norm of the gradient of the generator's loss over all its weights.
            None if the generator is not trained, or float16 overflowed.
        diversity: Float, mean distance of two generated examples, divided by that of two real
            examples. For a conditional model, of two examples of the same class.
        penalty: Float, mean penalty before its weight. None if the model has no penalty.
        real_sign: Float in [-1, 1], the mean over the real examples of the sign of
            (logit - `decision_threshold`): r_t of ADA. None if the objective has no threshold.
        memorization: Float in [0, 1], the fraction of pairs in which the logit of a training
            example is above that of a held-out example: 0.5 if the discriminator cannot tell them
            apart. None without held-out examples.
        generator_weights: Floats, the probabilities of the components. Empty without a mixture.
        discriminator_weights: See `generator_weights`.
        generator_diversities: Floats, the `diversity` of each component's examples. Empty without a
            mixture.
    """

    step: int
    rollbacks: int
    accuracy: float | None
    gradient_norm: float | None
    diversity: float
    penalty: float | None
    real_sign: float | None
    memorization: float | None
    generator_weights: tuple[float, ...]
    discriminator_weights: tuple[float, ...]
    generator_diversities: tuple[float, ...]

    @property
    def scalars(self) -> dict[str, float]:
        """The measured values by name, without those of the components of mixtures."""
        names = ("accuracy", "gradient_norm", "diversity", "penalty", "real_sign", "memorization")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def to_row(self) -> str:
        """Returns a row of a CSV file, which `from_cells` reads to the same bits."""
        return ",".join(_to_cell(value) for value in self) + "\n"

    @classmethod
    def from_cells(cls, cells: Sequence[str]) -> Self:
        """Returns the reading from the cells of its row."""
        step, rollbacks, accuracy, norm, diversity, penalty, sign, memorization, *components = cells
        weights, discriminator_weights, diversities = (
            tuple(map(float, cell.split())) for cell in components
        )
        return cls(
            step=int(step),
            rollbacks=int(rollbacks),
            accuracy=_number_or_none(accuracy),
            gradient_norm=_number_or_none(norm),
            diversity=float(diversity),
            penalty=_number_or_none(penalty),
            real_sign=_number_or_none(sign),
            memorization=_number_or_none(memorization),
            generator_weights=weights,
            discriminator_weights=discriminator_weights,
            generator_diversities=diversities,
        )


class Probe:
    """Measures a model with fixed real examples, latents and labels.

    The networks run at inference, and the state of the model does not change. The probe measures
    the generator and not its average, which would show symptoms late.

    Args:
        gan: `tfgans.GAN`.
        source: `tfgans.data.Source` of the real examples.
        num: Int, number of real and of generated examples; fewer if the source has fewer.
        seed: Int, decides the latents.
        held_out: `tfgans.data.Source` of examples that are not trained on, or None.

    Raises:
        ValueError: If the examples of a source have another shape than those of the model, the real
            examples are all equal, or `fit` runs in a strategy's scope.
    """

    def __init__(
        self, gan: GAN, source: Source, *, num: int, seed: int, held_out: Source | None = None
    ) -> None:
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "`Doctor` measures the model on a single device. Received: `fit` within the scope "
                "of a strategy with several. Make and compile the model there, and call `fit` "
                "outside of it"
            )
        check_source("source", source, gan)
        if held_out is not None:
            check_source("held_out", held_out, gan)
        self.gan = gan
        self._num = self._whole_groups(num, source)
        self._real, self._labels = self._examples(source)
        self._held_out = None if held_out is None else self._examples(held_out)
        self._stream = Stream(random.key(seed, ReservedStep.DOCTOR))
        self._real_distance = self._mean_distance(self._real) if self._num > 1 else 0.0
        if not self._real_distance > 0:
            raise ValueError(
                "At least two real examples must differ, to compare the diversity of samples with. "
                f"Received: {self._num} of {source.name!r}, all equal"
            )

    def read(self) -> Reading:
        """Returns the measurements of the present state."""
        gan, players = self.gan, self.gan.players
        others = [metric for metric in gan.metrics if not isinstance(metric, LogMeans)]
        with _preserved(others):
            fake, gradient_norm = self._generate()
            _, logs = gan.discriminator_loss(
                self._real, fake, self._labels, stream=self._stream, training=False
            )
        real_logits, fake_logits = (
            self._logits(examples, self._labels) for examples in (self._real, fake.values)
        )
        threshold = gan.objective.decision_threshold
        return Reading(
            step=gan.step,
            rollbacks=gan.rollbacks,
            accuracy=_accuracy(real_logits, fake_logits, threshold),
            gradient_norm=gradient_norm,
            diversity=self._mean_distance(fake.values) / self._real_distance,
            penalty=None if gan.penalty is None else float(logs["penalty"]),
            real_sign=None if threshold is None else float(np.sign(real_logits - threshold).mean()),
            memorization=None
            if self._held_out is None
            else _share_above(real_logits, self._logits(*self._held_out)),
            generator_weights=_weights(players["generator"]),
            discriminator_weights=_weights(players["discriminator"]),
            generator_diversities=self._component_diversities(),
        )

    def _generate(self) -> tuple[Weighted, float | None]:
        """Returns examples, and the norm of the gradient of their loss."""
        gan, player = self.gan, self.gan.players["generator"]
        generated: list[Weighted] = []

        def loss() -> tf.Tensor:
            fake = gan.generate(self._num, self._labels, stream=self._stream, training=False)
            generated.append(fake)
            return gan.generator_loss(
                self._real, fake, self._labels, stream=self._stream, training=False
            )[0]

        if not player.network_variables:
            fake = gan.generate(self._num, self._labels, stream=self._stream, training=False)
            return fake, None
        norm = player.gradient_norm(loss)
        return generated[0], norm if math.isfinite(norm) else None

    def _component_diversities(self) -> tuple[float, ...]:
        """Returns the diversity of the examples of each component of a mixture."""
        gan, player = self.gan, self.gan.generator_player
        if not player.is_mixture:
            return ()
        latents = gan.latents_of_update(self._num, stream=self._stream)
        return tuple(
            self._mean_distance(
                player.generate_at_inference(latents, self._labels, tf.fill([self._num], index))
            )
            / self._real_distance
            for index in range(player.num_components)
        )

    def _examples(self, source: Source) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns examples of a source, and their labels."""
        labeled = self.gan.num_classes is not None
        num = self._whole_groups(self._num, source)
        batch = next(iter(source.batches(num, labels=labeled)))
        return batch if labeled else (batch, None)

    def _whole_groups(self, num: int, source: Source) -> int:
        """Returns at most `num` examples of a source that `MinibatchStdDev` can judge."""
        most = num if source.num_examples is None else min(num, source.num_examples)
        group = self.gan.players["discriminator"].group_size
        if most < group:
            raise ValueError(
                f"The discriminator judges groups of {group} examples (`MinibatchStdDev`). "
                f"Received: {most} of {source.name!r}"
            )
        return most // group * group

    def _logits(self, examples: tf.Tensor, labels: tf.Tensor | None) -> np.ndarray:
        """Returns the logits of examples that are not augmented: float64 [num, 1]."""
        logits = self.gan.discriminator_player.mean_logits(examples, labels)
        return np.asarray(logits, np.float64)

    def _mean_distance(self, examples: tf.Tensor) -> float:
        """Returns the mean distance of two examples, within classes if there are enough pairs."""
        from scipy.spatial.distance import pdist

        rows = np.asarray(examples, np.float64).reshape(len(examples), -1)
        distances = pdist(rows)
        if self._labels is not None:
            same = pdist(np.asarray(self._labels)[:, np.newaxis]) == 0
            distances = distances[same] if same.sum() >= len(rows) else distances
        return float(distances.mean())


@contextlib.contextmanager
def _preserved(metrics: Sequence[keras.Metric]) -> Iterator[None]:
    """Resets metrics within the block, and restores their state after it."""
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
    return tuple(player.probabilities.tolist()) if player.is_mixture else ()


def _number_or_none(cell: str) -> float | None:
    return float(cell) if cell else None


def _to_cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(repr, value))
    return "" if value is None else repr(value)


def _accuracy(
    real_logits: np.ndarray, fake_logits: np.ndarray, threshold: float | None
) -> float | None:
    """Returns the accuracy on real and generated examples; NaN of logits that are not finite."""
    if threshold is None:
        return None
    if not (np.isfinite(real_logits).all() and np.isfinite(fake_logits).all()):
        return math.nan
    return float(np.mean(real_logits > threshold) + np.mean(fake_logits <= threshold)) / 2


def _share_above(logits: np.ndarray, others: np.ndarray) -> float:
    """Returns how often a logit is above another one; ties count half."""
    gaps = logits.reshape(-1, 1) - others.reshape(1, -1)
    return float(np.mean(gaps > 0) + np.mean(gaps == 0) / 2)
