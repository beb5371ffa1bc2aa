"""Evaluation of samples during training, and the best model."""

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfgans import checks, files
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.source_checks import check_source
from tfgans.callbacks.step_table import StepTable
from tfgans.evaluation import Evaluator, MetricValue, NotFiniteError, Record
from tfgans.gan import GAN

_HEADER = "step,metric,value,low,high"


class EvaluationRow(NamedTuple):
    """A number of an evaluation during training.

    Attributes:
        step: Int, the training step.
        metric: String, the name of the number in a record.
        value: Float.
        low: Float, the lower end of the 95 % interval; NaN without an interval.
        high: Float, the upper end; NaN without an interval.
    """

    step: int
    metric: str
    value: float
    low: float
    high: float


def read_evaluations(path: Path) -> list[EvaluationRow]:
    """Returns the numbers in the file of `Evaluation(path=...)`, in the order of the steps.

    Args:
        path: The file. Without it there are no numbers yet.

    Raises:
        ValueError: If the file is another table, or damaged.
    """
    return StepTable(path, _HEADER, writer="Evaluation").parsed(_to_evaluation)


class Evaluation(Callback):
    """Evaluates the model every n epochs and adds the numbers to the logs of the epoch.

    List it before the callbacks that read the numbers: `ModelCheckpoint`, `EarlyStopping`,
    `TensorBoard`. As with Keras's `validation_freq`, the logs of other epochs lack the numbers. The
    real examples are read once. All evaluations draw the same latents, so that two evaluations of a
    run differ by the model alone.

    Args:
        evaluator: `tfgans.evaluation.Evaluator`: the metrics and the real examples.
        every_epochs: Int of at least 1, epochs between evaluations. Default: 1.
        path: CSV file with a row for each number of each evaluation: `step,metric,value,low,high`,
            the last two the 95 % interval. Resumed training replaces the rows after its step. The
            settings of the evaluations are in `path`.json. Default: None.
        best_model: File, ending in .keras, for the model with the best `monitor` so far, also if a
            `Doctor` rolled back the steps that led to it. Its step and number are in
            `best_model`.json. With `path`, a resumed run goes on from the best number so far.
            Default: None.
        monitor: String, the number that decides. Default: None, the first of the record of which
            more, or less, is better.
        mode: "min" or "max", which values of it are better. Default: "auto", the direction of the
            metric.
        progress: Bool, whether evaluations show a bar on stderr. Default: False.

    Attributes:
        last_step: Int, a step at which an evaluation runs, even if none is due, when training ends
            there. Default: None.
        record: The last `tfgans.evaluation.Record`; None before the first.
        best: Float, the best `monitor` so far; None before the first.

    Raises:
        ValueError: If an argument is out of range, or the records of the evaluator have no number
            named `monitor`; when training begins, if the real examples have another shape than
            those of the model, or the file is another table or of other settings.

    Example:

    ```python
    source = tfgans.data.load("digits")
    gan = tfgans.R3GAN(
        tfgans.networks.mlp_generator((8, 8, 1), latent_dim=8),
        tfgans.networks.mlp_discriminator((8, 8, 1)),
    )
    gan.compile()
    evaluator = tfgans.evaluation.Evaluator(
        source, tfgans.evaluation.DigitsClassifier(), metrics=["frechet_distance"]
    )
    evaluation = tfgans.callbacks.Evaluation(evaluator, every_epochs=2)
    gan.fit(source, batch_size=64, epochs=4, steps_per_epoch=5, callbacks=[evaluation])
    print(evaluation.record.table())
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
        progress: bool = False,
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
        self.mode = checks.choice("mode", mode, ("auto", "min", "max"))
        directions = evaluator.directions
        if monitor is None:
            monitor = next((name for name, up in directions.items() if up is not None), None)
        else:
            checks.choice("monitor", monitor, directions)
            if mode == "auto":
                evaluator.higher_is_better(monitor)
        if monitor is None and best_model is not None:
            raise ValueError(
                "`monitor` and `mode` must be set to keep the best model: of none of the numbers "
                f"{', '.join(directions)} more, or less, is better. Received: None"
            )
        self.monitor = monitor
        self.progress = checks.boolean("progress", progress)
        self.last_step: int | None = None
        self.record: Record | None = None
        self.best: float | None = None
        self._first_step = 0
        self._first_rollbacks = 0
        self._table = None if path is None else StepTable(path, _HEADER, writer=type(self).__name__)

    def on_train_begin(self, logs: Any = None) -> None:
        """Drops the rows after the step of the model, and reads the best number so far."""
        check_source("evaluator", self.evaluator.source, self.model)
        if self._table is None:
            return
        self.check(self.model, step=self.model.step)
        self._table.begin(self.model.step + 1)
        protocol = json.dumps(self.evaluator.protocol(self.model), indent=2)
        files.write_text(_note(self._table.path), f"{protocol}\n")
        self.best = None
        if self.best_model is not None and self.model.rollbacks:
            self._remember(self.best_model)
        for row in read_evaluations(self._table.path):
            if row.metric == self.monitor:
                self._is_best(row.value)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores where the epoch begins."""
        self._first_step, self._first_rollbacks = self.model.step, self.model.rollbacks

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates every `every_epochs` epochs, and at `last_step`."""
        if self.model.step != self.last_step and not self._is_due(epoch):
            return
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            warnings.warn(
                f"Step {self.model.step} is not evaluated: its weights are not finite", stacklevel=2
            )
            return
        try:
            self.record = self.evaluator.evaluate(self.model, progress=self.progress)
        except NotFiniteError as error:
            warnings.warn(f"Step {self.model.step} is not evaluated: {error}", stacklevel=2)
            return
        numbers = self.record.metrics
        if logs is not None:
            logs.update({name: number.value for name, number in numbers.items()})
        if self._table is not None:
            step = self.model.step
            self._table.append([_row(step, name, number) for name, number in numbers.items()])
        if self.monitor is None:
            return
        if self._is_best(numbers[self.monitor].value) and self.best_model is not None:
            with files.atomic_write(self.best_model) as temporary:
                self.model.save(temporary)
            note = {"step": self.model.step, "metric": self.monitor, "value": self.best}
            files.write_text(_note(self.best_model), json.dumps(note) + "\n")

    def _is_due(self, epoch: int) -> bool:
        # If a signal cut the epoch short, a resumed run finishes and evaluates it. If the length of
        # the data is not known, an epoch is complete whenever it ends.
        is_whole = self.params.get("steps") in (None, self.model.step - self._first_step)
        # After a rollback, the model is not that of the epoch.
        is_whole = is_whole and self.model.rollbacks == self._first_rollbacks
        return (epoch + 1) % self.every_epochs == 0 and is_whole

    def _remember(self, best_model: Path) -> None:
        """Reads the number of the kept model: a rollback may have removed its row."""
        path = _note(best_model)
        if not (path.exists() and best_model.exists()):
            return
        note = _object_in(path, remedy="Remove it to start again")
        if note.get("metric") == self.monitor and isinstance(note.get("value"), float):
            self.best = note["value"]

    def check(self, model: GAN, *, step: int) -> None:
        """Raises ValueError if the table holds evaluations of other settings; changes nothing.

        Args:
            model: The model that will be evaluated.
            step: Int, where training continues: rows of later steps will be dropped.
        """
        if self._table is None or not any(int(row[0]) <= step for row in self._table.rows()):
            return
        path = self._table.path
        file = _note(path)
        if not file.exists():
            return
        other = _object_in(file, remedy="Remove it and the table to start a new table")
        protocol = self.evaluator.protocol(model)
        different = sorted(key for key in protocol if other.get(key) != protocol[key])
        if different:
            raise ValueError(
                f"{path} holds evaluations of other settings ({', '.join(different)} differ). "
                "Evaluate with the same settings, or remove the file to start a new table"
            )

    def _is_best(self, value: float) -> bool:
        higher = self.mode == "max" or (
            self.mode == "auto" and self.evaluator.higher_is_better(self.monitor or "")
        )
        better = self.best is None or (value > self.best if higher else value < self.best)
        if better:
            self.best = value
        return better


def _to_evaluation(cells: Sequence[str]) -> EvaluationRow:
    step, metric, value, low, high = cells
    return EvaluationRow(int(step), metric, float(value), float(low or "nan"), float(high or "nan"))


def _note(path: Path) -> Path:
    """Returns the JSON file about a table or a model, beside it."""
    return path.with_name(f"{path.name}.json")


def _object_in(file: Path, *, remedy: str) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return values
        reason = f"it holds {values!r:.50}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise ValueError(f"{file} is damaged: {reason}. {remedy}")


def _row(step: int, name: str, number: MetricValue) -> str:
    low, high = number.interval or ("", "")
    return f"{step},{name},{number.value!r},{low},{high}\n"
