"""Trains the models of the labs, and measures them on the way."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgans import checks, data, optimizers
from tfgans.gan import GAN
from tfgans.random import Stream
from tfgans.weighted import Weighted


class FrozenGenerator:
    """A mixin before `GAN` among the bases: trains the discriminator only."""

    def generate(
        self,
        num: int | tf.Tensor,
        labels: tf.Tensor | None = None,
        *,
        stream: Stream,
        training: bool,
    ) -> Weighted:
        """Returns examples of the generator in inference mode: moving statistics do not change."""
        del training
        return super().generate(num, labels, stream=stream, training=False)  # type: ignore[misc]

    def generator_update(
        self, real: tf.Tensor, labels: tf.Tensor | None = None, *, stream: Stream
    ) -> None:
        """Does not update the generator."""


class _Looks(keras.callbacks.Callback):
    def __init__(self, steps: Sequence[int], look: Callable[[GAN], Any]) -> None:
        super().__init__()
        self.every_steps = math.gcd(*steps)
        self.seen: list[Any] = []
        self._steps = set(steps)
        self._look = look

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        del batch, logs
        if self.model.step in self._steps:
            self.seen.append(self._look(self.model))


def train(
    gan: GAN,
    source: data.Source,
    *,
    looks: Sequence[int],
    look: Callable[[GAN], Any],
    batch_size: int,
    learning_rate: Any,
    betas: tuple[float, float],
) -> list[Any]:
    """Trains both players with Adam, and returns the results of `look` at the steps of `looks`.

    Args:
        gan: The model, not compiled yet.
        source: The data.
        looks: Steps in rising order, from 0. Training ends at the last step.
        look: Function of the model.
        batch_size: Examples per update of the discriminator.
        learning_rate: Float or Keras schedule; or a pair, the generator's first.
        betas: `beta_1` and `beta_2` of Adam.

    Raises:
        ValueError: If `looks` do not rise, or end at 0.
    """
    steps = looks[-1]
    if list(looks) != sorted(set(looks)) or steps < 1:
        raise ValueError(f"`looks` must rise, and end above 0. Received: {checks.short(looks)}")
    rates = learning_rate if isinstance(learning_rate, tuple) else (learning_rate, learning_rate)
    pair = [optimizers.FusedAdam(rate, beta_1=betas[0], beta_2=betas[1]) for rate in rates]
    gan.compile(*pair)
    watch = _Looks(looks, look)
    first = [look(gan)] if looks[0] == 0 else []
    gan.fit(source.batches(batch_size), steps_per_epoch=steps, callbacks=[watch], verbose=0)
    return first + watch.seen


def falling(rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns a schedule that falls linearly from `rate` to 0 in `steps` steps."""
    checks.positive("rate", rate)
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)


def train_falling(
    gan: GAN,
    source: data.Source,
    steps: int,
    *,
    batch_size: int,
    rate: float,
    betas: tuple[float, float],
) -> None:
    """Trains with Adam, at a rate that falls linearly to 0 over the updates of each player."""
    updates = steps * gan.discriminator_steps * getattr(gan, "updates_per_batch", 1)
    train(
        gan,
        source,
        looks=[steps],
        look=lambda _: None,
        batch_size=batch_size,
        learning_rate=(falling(rate, steps), falling(rate, updates)),
        betas=betas,
    )
