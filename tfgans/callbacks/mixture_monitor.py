"""How a mixture's weights develop, and which of its components are dying."""

import os
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, files
from tfgans.callbacks import symptoms
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.every import Every
from tfgans.callbacks.step_table import StepTable
from tfgans.players import Player

_HEADER = "step,player,component,weight,share,entropy"


class _Reading(NamedTuple):
    """One player's weights at a step; `shares` is None where there is no sampling."""

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

    It watches `model.generator` and `model.discriminator`, those of the two that are mixtures, not
    the average. The CSV file has a row a component:

    | column | what |
    |---|---|
    | `step` | training steps done |
    | `player` | `generator` or `discriminator` |
    | `component` | its number, from 0 |
    | `weight` | its probability |
    | `share` | of `num` seeded samples, the share that it makes; empty for the discriminator |
    | `entropy` | of the player's weights, in nats: log k where all are equal, 0 where one is left |

    Samples come from `model.sample`, so with `ema` the shares are those of the averaged mixture.
    Training that goes on with a file replaces its rows from the step where it begins; rows of
    earlier steps stay. Each step is written at once: a kill loses nothing that was due before it.

    Whenever rows are written, a component of a mixture of k whose weight has fallen under
    1 / (20 k) gives a `UserWarning`: once each time it falls, not while it stays there. With a
    large `every_steps` it therefore comes late. Pictures of each component are `SampleGrid`'s.

    Args:
        path: The CSV file; its folder is made if missing.
        every_steps: Int, training steps between rows. Default: 100.
        num: Int, samples that are counted for `share`. Default: 256.
        seed: Int, which samples. Default: 0.
        warn: Bool, whether to warn of components that die. A `Doctor` does too. Default: True.
        log_dir: Folder of TensorBoard events, where weights and entropies are shown too, as
            `mixture/generator/weight_0`, `mixture/generator/entropy` and so on. Default: None.

    Raises:
        ValueError: If an argument is out of range; when training begins, if the model has no
            mixture or the file is another table.

    Example:

    ```python
    monitor = tfgans.callbacks.MixtureMonitor("runs/x/mixture.csv", log_dir="runs/x/tensorboard")
    gan.fit(data, steps_per_epoch=1000, callbacks=[monitor, backup])
    ```
    """

    _left_out = ("_events",)
    _events: Any = None

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
        self.every_steps = checks.positive_int("every_steps", every_steps)
        self._every = Every(self.every_steps)
        self._written: int | None = None
        self._starved: set[str] = set()

    def on_train_begin(self, logs: Any = None) -> None:
        """Drops rows that are about to be written again and writes the first ones."""
        if not self._mixtures():
            raise ValueError(
                "`MixtureMonitor` needs a mixture to watch: `generator` or `discriminator` must be "
                f"one. Received: {type(self.model.generator).__name__} and "
                f"{type(self.model.discriminator).__name__}. Use say "
                "`tfgans.MixtureGenerator.from_builder(builder, 4)`, or leave the callback out"
            )
        step = self.model.step
        before = self._table.begin(step + 1)
        self._every.begin(step)
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        # Training that goes on leaves no more rows than one that was never stopped.
        if not before or int(before[-1][0]) == step:
            self._table.begin(step)
            self._write()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes rows when they are due."""
        if self._every.due(self.model.step):
            self._write()

    def on_train_end(self, logs: Any = None) -> None:
        """Writes the last rows, if that step is not written yet."""
        if self._written != self.model.step:
            self._write()
        if self._events is not None:
            self._events.close()

    def _mixtures(self) -> dict[str, Player]:
        return {name: player for name, player in self.model.players.items() if player.is_mixture}

    def _write(self) -> None:
        step, mixtures = self.model.step, self._mixtures()
        readings = [self._read(player, mixture) for player, mixture in mixtures.items()]
        self._table.append([row for reading in readings for row in _rows(step, reading)])
        if self._events is not None:
            with self._events.as_default(step):
                _show(readings)
            self._events.flush()
        self._written = step
        if self.warn:
            self._warn(step, mixtures, readings)

    def _read(self, name: str, player: Player) -> _Reading:
        weights = np.asarray(player.probabilities)
        if name != "generator":
            return _Reading(name, weights, None)
        drawn = self.model.sample_components(self.num, self.seed)
        return _Reading(name, weights, np.bincount(drawn, minlength=len(weights)) / self.num)

    def _warn(self, step: int, mixtures: dict[str, Player], readings: Sequence[_Reading]) -> None:
        found = [
            finding
            for player, weights, _ in readings
            for finding in symptoms.dead_components(
                player,
                weights.tolist(),
                advice=symptoms.advice_on_weights(player, mixtures[player].mixture_settings),
            )
        ]
        before, self._starved = self._starved, {finding.symptom for finding in found}
        for finding in found:
            if finding.symptom not in before:
                warnings.warn(finding.say(step), stacklevel=2)


def _rows(step: int, reading: _Reading) -> list[str]:
    shares = reading.shares
    return [
        f"{step},{reading.player},{component},{weight:.6g},"
        f"{'' if shares is None else format(shares[component], '.6g')},{reading.entropy:.6g}\n"
        for component, weight in enumerate(reading.weights)
    ]


def _show(readings: Sequence[_Reading]) -> None:
    """Writes TensorBoard's scalars at the step of the writer that is in use."""
    for reading in readings:
        tf.summary.scalar(f"mixture/{reading.player}/entropy", reading.entropy)
        for component, weight in enumerate(reading.weights):
            tf.summary.scalar(f"mixture/{reading.player}/weight_{component}", weight)
        for component, share in enumerate([] if reading.shares is None else reading.shares):
            tf.summary.scalar(f"mixture/{reading.player}/share_{component}", share)
