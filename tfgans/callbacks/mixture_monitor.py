"""Logs the weights of mixtures during training."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, files
from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.step_interval import StepInterval
from tfgans.callbacks.step_table import StepTable
from tfgans.players import Player

_HEADER = "step,player,component,weight,share,entropy"


class _WeightReading(NamedTuple):
    """The weights of a player at a step; `shares` is None for the discriminator."""

    player: str
    weights: np.ndarray
    shares: np.ndarray | None

    @property
    def entropy(self) -> float:
        """Returns the entropy of the weights in nats."""
        weights = self.weights.astype(np.float64)
        weights /= weights.sum()
        # 0 log 0 is 0; NaN stays NaN.
        return 0.0 - float(np.sum(weights * np.log(np.where(weights == 0, 1, weights))))


class MixtureMonitor(Callback):
    """Writes the weights of mixtures at the beginning, every N steps and at the end.

    It watches `model.generator` and `model.discriminator`, where they are mixtures, and not their
    average. The CSV file has a row per component:

    | column | value |
    |---|---|
    | `step` | training steps done |
    | `player` | `generator` or `discriminator` |
    | `component` | its number, from 0 |
    | `weight` | its probability |
    | `share` | its share of `num` seeded samples, empty for the discriminator |
    | `entropy` | of the player's weights in nats: log k if all are equal, 0 if one is left |

    Samples come from `model.sample`, so with `ema` the shares are those of the averaged mixture. A
    resumed run replaces the rows from its first step on. Rows are written at once, so a kill loses
    none.

    A `UserWarning` is issued when the weight of a component falls below 1 / (20 k) in a mixture of
    k components, once each time it does. Weights are read every `every_steps` steps, so a large
    value delays the warning. `SampleGrid` shows the samples of each component.

    Args:
        path: The CSV file. Its folder is made if missing.
        every_steps: Int of at least 1, training steps between rows. Default: 100.
        num: Int of at least 1, samples to count for `share`. Default: 256.
        seed: Int, decides the samples. Default: 0.
        warn: Bool, whether to warn of dying components. A `Doctor` warns too. Default: True.
        log_dir: Folder of TensorBoard events, which then show `mixture/generator/weight_0`,
            `mixture/generator/share_0`, `mixture/generator/entropy` and so on. Default: None.

    Raises:
        ValueError: If an argument is out of range. When training begins, if the model has no
            mixture or the file is another table.

    Example:

    ```python
    monitor = tfgans.callbacks.MixtureMonitor("runs/x/mixture.csv", log_dir="runs/x/tensorboard")
    gan.fit(data, steps_per_epoch=1000, callbacks=[monitor, backup])
    ```
    """

    _transient = ("_events",)
    _events: tf.summary.SummaryWriter | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every_steps: int = 100,
        num: int = 256,
        seed: int = 0,
        warn: bool = True,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.path = files.path(path)
        self._table = StepTable(path, _HEADER, writer=type(self).__name__)
        self.num = checks.positive_int("num", num)
        self.seed = checks.integer("seed", seed)
        self.warn = checks.boolean("warn", warn)
        self.log_dir = log_dir if log_dir is None else files.path(log_dir)
        self._interval = StepInterval(every_steps)
        self.every_steps = self._interval.steps
        self._written: int | None = None
        self._dead: set[str] = set()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Drops the rows that will be written again, and writes the first rows."""
        if not self._mixtures():
            raise ValueError(
                "`MixtureMonitor` needs a mixture: `generator` or `discriminator` must be "
                f"a mixture. Received: {type(self.model.generator).__name__} and "
                f"{type(self.model.discriminator).__name__}. Use say "
                "`tfgans.MixtureGenerator.from_builder(builder, 4)`, or leave the callback out"
            )
        step = self.model.step
        before = self._table.begin(step + 1)
        self._interval.begin(step)
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        # After a kill the rows are those of an uninterrupted run; a run that was stopped keeps the
        # rows of the step at which it stopped.
        if not before or int(before[-1][0]) == step:
            self._write(begins=True)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Writes rows when they are due."""
        if self._interval.due(self.model.step):
            self._write()

    def on_train_end(self, logs: Logs = None) -> None:
        """Writes the rows of the last step, unless they are written."""
        if self._written != self.model.step:
            self._write()
        if self._events is not None:
            self._events.close()

    def _mixtures(self) -> dict[str, Player]:
        return {name: player for name, player in self.model.players.items() if player.is_mixture}

    def _write(self, *, begins: bool = False) -> None:
        """Writes the rows of the present step; if the training begins, in place of those before."""
        step, mixtures = self.model.step, self._mixtures()
        readings = [self._read(name, player) for name, player in mixtures.items()]
        rows = [row for reading in readings for row in _rows(step, reading)]
        if begins:
            self._table.begin(step, rows=rows)
        else:
            self._table.append(rows)
        if self._events is not None:
            with self._events.as_default(step):
                _write_scalars(readings)
            self._events.flush()
        self._written = step
        if self.warn:
            self._warn(step, mixtures, readings)

    def _read(self, name: str, player: Player) -> _WeightReading:
        weights = np.asarray(player.probabilities)
        if name != "generator":
            return _WeightReading(name, weights, None)
        drawn = self.model.sample_components(self.num, self.seed)
        return _WeightReading(name, weights, np.bincount(drawn, minlength=len(weights)) / self.num)

    def _warn(
        self, step: int, mixtures: Mapping[str, Player], readings: Sequence[_WeightReading]
    ) -> None:
        findings = [
            finding
            for player, weights, _ in readings
            for finding in symptoms.dead_components(
                player,
                weights.tolist(),
                advice=symptoms.advice_on_weights(player, mixtures[player].mixture_settings),
            )
        ]
        before, self._dead = self._dead, {finding.symptom for finding in findings}
        for finding in findings:
            if finding.symptom not in before:
                warnings.warn(finding.message(step), stacklevel=2)


def _rows(step: int, reading: _WeightReading) -> list[str]:
    shares = reading.shares
    return [
        f"{step},{reading.player},{component},{weight:.6g},"
        f"{'' if shares is None else format(shares[component], '.6g')},{reading.entropy:.6g}\n"
        for component, weight in enumerate(reading.weights)
    ]


def _write_scalars(readings: Sequence[_WeightReading]) -> None:
    """Writes TensorBoard's scalars at the step of the default writer."""
    for reading in readings:
        tf.summary.scalar(f"mixture/{reading.player}/entropy", reading.entropy)
        for component, weight in enumerate(reading.weights):
            tf.summary.scalar(f"mixture/{reading.player}/weight_{component}", weight)
        for component, share in enumerate([] if reading.shares is None else reading.shares):
            tf.summary.scalar(f"mixture/{reading.player}/share_{component}", share)
