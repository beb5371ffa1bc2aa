"""Trains the models of the labs, and measures them on the way."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgans import checks, data, optimizers
from tfgans.gan import GAN
from tfgans.random import Stream
from tfgans.step_clock import StepClock
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


class _MeasureAtSteps(keras.callbacks.Callback):
    def __init__(self, steps: Sequence[int], measure: Callable[[GAN], Any]) -> None:
        super().__init__()
        self.every_steps = math.gcd(*steps)
        self.seen: list[Any] = []
        self._steps = set(steps)
        self._measure = measure

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        del batch, logs
        if self.model.step in self._steps:
            self.seen.append(self._measure(self.model))


def train(
    gan: GAN,
    source: data.Source,
    *,
    measure_steps: Sequence[int],
    measure: Callable[[GAN], Any],
    batch_size: int,
    learning_rate: Any,
    betas: tuple[float, float],
) -> list[Any]:
    """Trains both players with Adam, and returns the results of `measure` at some steps.

    Args:
        gan: The model, not compiled yet.
        source: The data.
        measure_steps: Steps in rising order, from 0. Training ends at the last step.
        measure: Function of the model.
        batch_size: Examples per update of the discriminator.
        learning_rate: Float or Keras schedule; or a pair, the generator's first.
        betas: `beta_1` and `beta_2` of Adam.

    Raises:
        ValueError: If `measure_steps` do not rise, or end at 0.
    """
    steps = measure_steps[-1]
    if list(measure_steps) != sorted(set(measure_steps)) or steps < 1:
        raise ValueError(
            f"`measure_steps` must rise, and end above 0. Received: {checks.short(measure_steps)}"
        )
    rates = learning_rate if isinstance(learning_rate, tuple) else (learning_rate, learning_rate)
    pair = [optimizers.FusedAdam(rate, beta_1=betas[0], beta_2=betas[1]) for rate in rates]
    gan.compile(*pair)
    watch = _MeasureAtSteps(measure_steps, measure)
    first = [measure(gan)] if measure_steps[0] == 0 else []
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
        measure_steps=[steps],
        measure=lambda _: None,
        batch_size=batch_size,
        learning_rate=(falling(rate, steps), falling(rate, updates)),
        betas=betas,
    )


_ENDLESS = 10**9  # Calls of TensorFlow in an epoch that a callback ends.


class Cost(NamedTuple):
    """The cost of a training run.

    Attributes:
        updates: Updates of the generator.
        cpu_seconds: CPU seconds of the training steps, as of `StepClock`.
        tracing_seconds: CPU seconds of the calls that trace the step: the first, and that after
            each change of the model. They are not in `cpu_seconds`.
    """

    updates: int
    cpu_seconds: float
    tracing_seconds: float = 0.0


class _Budget(keras.callbacks.Callback):
    """Lets the rate fall linearly to 0 while a budget is spent, and stops the training then."""

    def __init__(self, rate: float, *, updates: int | None, seconds: float | None) -> None:
        super().__init__()
        self.spent = Cost(0, 0.0)
        self._rate = rate
        self._updates = updates
        self._seconds = seconds
        self._clock = StepClock()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        del batch, logs
        self._clock.begin(self.model.train_function)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        del batch, logs
        before, step = self.spent.updates, int(self.model.step)
        self._clock.end(step - before)
        seconds = self._clock.seconds
        self.spent = Cost(step, seconds, self._clock.tracing_seconds)
        # Half a call early: on average neither too early nor too late.
        share, ahead = self._share(step, seconds), (step - before) / step / 2
        self.model.optimizer.learning_rate = self._rate * max(0.0, 1.0 - share)
        self.model.stop_training = share * (1.0 + ahead) >= 1.0

    def _share(self, step: int, seconds: float) -> float:
        return step / self._updates if self._updates else seconds / (self._seconds or math.inf)


def spend(
    gan: GAN,
    source: data.Source,
    *,
    updates: int | None = None,
    seconds: float | None = None,
    batch_size: int,
    rate: float,
    betas: tuple[float, float],
    at_once: int = 20,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Cost:
    """Trains both players with Adam until a budget of updates or of CPU seconds is spent.

    The learning rate falls linearly to 0 as the budget is spent, in steps of a call. CPU seconds
    are those of the process, as of `StepClock`, so nothing else may run in it.

    Args:
        gan: The model, not compiled yet.
        source: The data.
        updates: Updates of the generator, a multiple of `at_once`. Either this or `seconds`.
        seconds: CPU seconds of training, without the tracing. A run ends within a call of them.
        batch_size: Examples per update of the discriminator.
        rate: The learning rate of both players at the start.
        betas: `beta_1` and `beta_2` of Adam.
        at_once: Steps per call of TensorFlow.
        callbacks: More callbacks, which may change the model.

    Raises:
        ValueError: If not exactly one budget is given, or a budget is not positive.
    """
    if (updates is None) == (seconds is None):
        raise ValueError(
            "`updates` or `seconds` must be given, and not both. Received: "
            f"updates={updates!r}, seconds={seconds!r}"
        )
    if updates is None:
        checks.positive("seconds", seconds)
    elif checks.positive_int("updates", updates) % at_once:
        raise ValueError(f"`updates` must be a multiple of {at_once}. Received: {updates}")
    pair = [optimizers.FusedAdam(rate, beta_1=betas[0], beta_2=betas[1]) for _ in range(2)]
    gan.compile(*pair, steps_per_execution=at_once)
    budget = _Budget(rate, updates=updates, seconds=seconds)
    steps = updates or _ENDLESS * at_once
    every = [budget, *callbacks]
    gan.fit(source.batches(batch_size), steps_per_epoch=steps, callbacks=every, verbose=0)
    return budget.spent
