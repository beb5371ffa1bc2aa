"""Measuring samples while the generator learns, and keeping the best model."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import checks, evaluation, files
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.step_table import StepTable
from tfgans.evaluation import Evaluator

_HEADER = "step,metric,value,low,high"


class Evaluation(Callback):
    """Evaluates the model every n epochs; the numbers join the logs of the epoch.

    List it before the callbacks that shall see the numbers: `ModelCheckpoint`, `EarlyStopping`,
    `TensorBoard`. As with Keras' `validation_freq`, epochs without an evaluation have none. The
    real examples are looked at once. The same seed draws the same latents each time, so that two
    evaluations of a run differ by the model alone.

    Args:
        evaluator: `tfgans.evaluation.Evaluator`: what is measured, and against what.
        every_epochs: Int, epochs between evaluations. Default: 1.
        path: CSV file with a row a metric at each evaluation: `step,metric,value,low,high`, the
            last two the 95 % interval. Training that goes on with it replaces the rows after its
            step. Beside it lies `path`.json, what decided the numbers. Default: None.
        best_model: File, ending in .keras, where the model with the best `monitor` so far is kept,
            also one from steps that a `Doctor` went back from. Beside it lies `best_model`.json:
            its step, and what it was best in. With `path` a resumed run remembers what was best.
            Default: None.
        monitor: String, the metric that decides. Default: the first of the record.
        mode: "min" or "max", which of it is best. Default: "auto", as it is known of the metric.

    Attributes:
        last_step: Int, a step that is evaluated when training ends at it, due or not. None, the
            default, is none.
        record: The last record, a dict; None before the first.
        best: Float, the best `monitor` so far; None before the first.

    Raises:
        ValueError: If an argument is out of range; when training begins, if the file is another
            table or of other settings; at the first evaluation, if `monitor` is not among the
            metrics.

    Example:

    ```python
    evaluator = tfgans.evaluation.Evaluator(source, tfgans.evaluation.DigitsClassifier())
    evaluation = tfgans.callbacks.Evaluation(evaluator, every_epochs=5)
    gan.fit(source.batches(64), epochs=20, steps_per_epoch=100, callbacks=[evaluation])
    ```
    """

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        every_epochs: int = 1,
        path: str | os.PathLike[str] | None = None,
        best_model: str | os.PathLike[str] | None = None,
        monitor: str | None = None,
        mode: str = "auto",
    ) -> None:
        super().__init__()
        checks.instance(
            "evaluator", evaluator, Evaluator, "tfgans.evaluation.Evaluator(source, extractor)"
        )
        if best_model is not None and Path(best_model).suffix != ".keras":
            raise ValueError(f"`best_model` must end in .keras. Received: {best_model}")
        self.evaluator = evaluator
        self.every_epochs = checks.positive_int("every_epochs", every_epochs)
        self.path = path if path is None else files.path(path)
        self.best_model = best_model if best_model is None else files.path(best_model)
        self.monitor = monitor
        self.mode = checks.choice("mode", mode, ("auto", "min", "max"))
        self.last_step: int | None = None
        self.record: dict[str, Any] | None = None
        self.best: float | None = None
        self._whole_epoch = False
        self._first_step = 0
        self._table = None if path is None else StepTable(path, _HEADER, writer=type(self).__name__)

    def on_train_begin(self, logs: Any = None) -> None:
        """Drops rows that are about to be written again, and looks up what was best."""
        if self._table is None:
            return
        self.best = None
        if self.best_model is not None and self.model.rollbacks:
            self._remember(self.best_model)
        rows = self._table.begin(self.model.step + 1)
        self._refuse_another(self._table.path, before=bool(rows))
        for _, metric, value, *_ in rows:
            if metric == (self.monitor or metric):
                # Without a monitor the first metric of the table is it.
                self.monitor = metric
                self._is_best(_number(value, self._table.path))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch begins."""
        self._first_step = self.model.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes whether the epoch is at its end."""
        steps = self.params.get("steps")
        # Of data of unknown length an epoch is whole whenever it ends; and after a rollback the
        # model is no longer that of the epoch.
        done = self.model.step - self._first_step
        self._whole_epoch = done == batch + 1 and (steps is None or done == steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates when it is due."""
        # An epoch that a signal cut short is evaluated when a resumed run has finished it.
        due = (epoch + 1) % self.every_epochs == 0 and self._whole_epoch
        if not due and self.model.step != self.last_step:
            return
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            warnings.warn(
                f"Step {self.model.step} is not evaluated: its weights are not finite", stacklevel=2
            )
            return
        self.record = self.evaluator.evaluate(self.model)
        found = self.record["metrics"]
        self.monitor = next(iter(found)) if self.monitor is None else self.monitor
        if self.monitor not in found:
            raise ValueError(
                f"`monitor` must be one of {', '.join(found)}. Received: {self.monitor!r}"
            )
        if logs is not None:
            logs.update({name: one["value"] for name, one in found.items()})
        if self._table is not None:
            self._table.append([_row(self.model.step, name, one) for name, one in found.items()])
        if self._is_best(found[self.monitor]["value"]) and self.best_model is not None:
            with files.atomic_write(self.best_model) as temporary:
                self.model.save(temporary)
            note = {"step": self.model.step, "metric": self.monitor, "value": self.best}
            files.write_text(_note(self.best_model), json.dumps(note) + "\n")

    def _remember(self, best_model: str | os.PathLike[str]) -> None:
        """Takes up what the kept model was best in: its row may be gone by a rollback."""
        path = _note(best_model)
        if not (path.exists() and Path(best_model).exists()):
            return
        found = _object_in(path, remedy="Remove it to begin anew")
        if isinstance(found.get("metric"), str) and isinstance(found.get("value"), float):
            self.monitor = self.monitor or found["metric"]
            if self.monitor == found["metric"]:
                self.best = found["value"]

    def _refuse_another(self, path: Path, *, before: bool) -> None:
        """Raises ValueError if the table holds evaluations that do not compare with these."""
        file = path.with_name(f"{path.name}.json")
        protocol = self.evaluator.protocol(self.model)
        if before and file.exists():
            other = _object_in(file, remedy="Remove it and the table beside it to begin a new one")
            different = sorted(key for key in protocol if other.get(key) != protocol[key])
            if different:
                raise ValueError(
                    f"{path} holds evaluations of other settings ({', '.join(different)} differ). "
                    "Evaluate as before, or remove the file to begin a new table"
                )
        files.write_text(file, json.dumps(protocol, indent=2) + "\n")

    def _is_best(self, value: float) -> bool:
        higher = self.mode == "max" or (
            self.mode == "auto" and evaluation.higher_is_better(self.monitor or "")
        )
        better = self.best is None or (value > self.best if higher else value < self.best)
        if better:
            self.best = value
        return better


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: a value is {cell!r}. Mend the row, or remove the file to begin a "
            "new table"
        ) from error


def _note(best_model: str | os.PathLike[str]) -> Path:
    path = Path(best_model)
    return path.with_name(f"{path.name}.json")


def _object_in(file: Path, *, remedy: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        reason = f"it holds {found!r:.50}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise ValueError(f"{file} is damaged: {reason}. {remedy}")


def _row(step: int, name: str, found: dict[str, Any]) -> str:
    low, high = found["interval"] or ("", "")
    return f"{step},{name},{found['value']!r},{low},{high}\n"
