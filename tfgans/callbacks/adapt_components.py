"""Drops the components of a mixture that die, and splits the best component, during training."""

import itertools
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

from tfgans import checks, files
from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.step_interval import StepInterval
from tfgans.callbacks.step_table import StepTable
from tfgans.gan import GAN

_HEADER = "step,component,weight,low_readings,action"
_DROPPED, _SPLIT = "dropped", "split"


class _Row(NamedTuple):
    """A component at a reading."""

    step: int
    low_readings: int
    action: str


class AdaptComponents(Callback):
    """Changes the number of generators of a mixture by their weights.

    Every N steps it reads the weights. After `patience` readings since the beginning or the last
    change it changes at most one component:

    * A component of k whose weight was under 1 / (4 k) in each of the last `patience` readings is
      dropped (`GAN.drop_component`), the one of the smallest weight first, as long as more than
      `min_components` are left.
    * Else, with fewer than `max_components`, the component of the largest weight is split
      (`GAN.split_component`): its perturbed copy gets half of its weight.

    A dropped component has no further cost. Each change makes TensorFlow trace the training step
    again, which takes a few seconds. Once the weights have settled, a weight is under 1 / (4 k)
    only if the loss of its component is more than 3 `entropy_weight` above the mean of the mixture:
    with a large `entropy_weight`, no component is dropped.

    **Resuming.** With `path`, a killed run ends with the same bits as an uninterrupted run: the
    change is a function of the seed and the step, and the readings so far are in the table. List
    this callback before `Backup`, whose files hold the components, and before `CSVLogger`, whose
    rows then have a column `num_generators`.

    Args:
        path: CSV file with a row for each component at each reading:
            `step,component,weight,low_readings,action`, before the change that `action` names
            ("dropped", "split" or empty). Its folder is made if missing. A resumed run replaces the
            rows after its first step. Default: None, no table; then each `fit` counts its readings
            from 0.
        every_steps: Int of at least 1, training steps between readings. Default: 100.
        patience: Int of at least 1, readings. Default: 5.
        min_components: Int of at least 1. Default: 1.
        max_components: Int of at least `min_components`, up to which components are split. Default:
            None, no component is split.
        noise: Float of at least 0, of the copy; see `GAN.split_component`. Default: 0.1.

    Raises:
        ValueError: If an argument is out of range. When training begins, if the generator is no
            mixture of components of one architecture, its weights do not learn, it has fewer than
            `min_components` or more than `max_components`, the model trains on several replicas, or
            the file is another table.

    Example:

    ```python
    adapt = tfgans.callbacks.AdaptComponents("runs/x/components.csv", max_components=8)
    gan.fit(data, steps_per_epoch=1000, callbacks=[adapt, backup])
    ```
    """

    every_steps: int
    # Other callbacks must not count on the number of weights.
    changes_num_components = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        every_steps: int = 100,
        patience: int = 5,
        min_components: int = 1,
        max_components: int | None = None,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.path = path if path is None else files.path(path)
        self._interval = StepInterval(every_steps)
        self.every_steps = self._interval.steps
        self.patience = checks.positive_int("patience", patience)
        self.min_components = checks.positive_int("min_components", min_components)
        self.max_components = max_components
        if max_components is not None:
            checks.int_at_least("max_components", max_components, min_components)
        self.noise = checks.non_negative("noise", noise)
        self._table = None
        if path is not None:
            self._table = StepTable(path, _HEADER, writer=type(self).__name__)
        # Readings since the last change, and for each component those in a row that were low.
        self._readings = 0
        self._low: list[int] = []

    def check(self, gan: GAN) -> None:
        """Raises ValueError if the callback does not fit the model; see the class."""
        gan.check_resizable(self.max_components)
        if not gan.generator.trainable:
            raise ValueError(
                "`AdaptComponents` decides by weights that learn. Received: a "
                f"{type(gan).__name__} whose generator does not train"
            )
        player = gan.players["generator"]
        settings, count = player.mixture_settings, player.num_components
        learns = settings["weight_update"] == "softmax" or settings["weight_learning_rate"] > 0
        if not learns:
            raise ValueError(
                "`AdaptComponents` decides by the weights of a mixture, which must learn. "
                "Received: weight_learning_rate=0. Use say 0.01"
            )
        most = count if self.max_components is None else self.max_components
        if not self.min_components <= count <= most:
            raise ValueError(
                "The generator must have from `min_components` to `max_components` components. "
                f"Received: {count}, min_components={self.min_components} and "
                f"max_components={self.max_components}"
            )

    def on_train_begin(self, logs: Logs = None) -> None:
        """Checks the model, and continues from the rows of the table."""
        self.check(self.model)
        player = self.model.players["generator"]
        step = self.model.step
        self._interval.begin(step)
        self._readings, self._low = 0, [0] * player.num_components
        if self._table is not None:
            self._table.begin(step + 1)
            self._continue(self._table.parsed(_to_reading))

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Reads the weights when they are due, and changes the components."""
        if self._interval.due(self.model.step):
            self._read()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds the number of generators to the logs."""
        if logs is not None:
            logs["num_generators"] = self.model.players["generator"].num_components

    def _continue(self, rows: Sequence[_Row]) -> None:
        """Counts the readings that the table has since the last change."""
        for _, reading in itertools.groupby(rows, key=lambda row: row.step):
            components = list(reading)
            changed = any(row.action for row in components)
            self._readings = 0 if changed else self._readings + 1
            self._low = [0 if changed else row.low_readings for row in components]
        if not self._readings:
            self._low = [0] * self.model.players["generator"].num_components

    def _read(self) -> None:
        gan = self.model
        weights = gan.players["generator"].probabilities.tolist()
        limit = 1 / (4 * len(weights))
        self._readings += 1
        self._low = [
            low + 1 if weight < limit else 0 for weight, low in zip(weights, self._low, strict=True)
        ]
        component, action = self._choice(weights)
        if self._table is not None:
            actions = [action if index == component else "" for index in range(len(weights))]
            columns = zip(weights, self._low, actions, strict=True)
            self._table.append(
                [
                    f"{gan.step},{index},{weight:.6g},{low},{text}\n"
                    for index, (weight, low, text) in enumerate(columns)
                ]
            )
        if component is None:
            return
        if action == _DROPPED:
            gan.drop_component(component)
        else:
            gan.split_component(component, noise=self.noise)
        self._readings, self._low = 0, [0] * gan.players["generator"].num_components

    def _choice(self, weights: Sequence[float]) -> tuple[int | None, str]:
        """Returns the component to change, or None, and the action."""
        if self._readings < self.patience or not all(map(math.isfinite, weights)):
            return None, ""
        by_weight = sorted(range(len(weights)), key=weights.__getitem__)
        dying = [index for index in by_weight if self._low[index] >= self.patience]
        if dying and len(weights) > self.min_components:
            return dying[0], _DROPPED
        if self.max_components is not None and len(weights) < self.max_components:
            return max(by_weight, key=weights.__getitem__), _SPLIT
        return None, ""


def _to_reading(cells: Sequence[str]) -> _Row:
    step, _, _, low_readings, action = cells
    return _Row(int(step), int(low_readings), action)
