"""Notices what goes wrong in a training, says what to change, and may go back and try slower."""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgans import checks, data, files, optimizers
from tfgans.callbacks import symptoms
from tfgans.callbacks.backup import Backup
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.chart import Chart
from tfgans.callbacks.every import Every
from tfgans.callbacks.readings import Probe, Reading
from tfgans.callbacks.step_table import StepTable
from tfgans.callbacks.symptoms import Finding, Limits

_FINDINGS = "step,rollbacks,symptom,value,limit,action"
_READINGS = ",".join(Reading._fields)


class Doctor(Callback):
    """Examines the model every N steps, warns of what is wrong, and may roll the training back.

    At the beginning and every N steps it looks at the same real examples, latents and labels, and
    compares with what it saw before. The logs it reads at every step. It finds:

    | symptom | begins where |
    |---|---|
    | `not finite` | a log, the samples or the logits are NaN or infinite |
    | `discriminator has won` | its accuracy is at least `accuracy_limit`, and the gradient of the \
generator's loss under `gradient_drop` of its largest so far |
    | `collapse` | the mean distance of two samples is under `diversity_drop` of its largest so \
far (of that of two real examples, where it was larger) |
    | `exploding penalty` | the penalty is over `penalty_growth` times the median of its earlier \
values (or 1, if that is larger) |
    | `dead component` | a component of a mixture of k has a weight under 1 / (20 k) |

    Where logits have no level (Wasserstein, relativistic, KL-WGAN) there is no accuracy, and no
    discriminator wins: these losses do not saturate, and a critic may be right. Diversity sees
    samples that become alike, not modes that are missing: measure those with an `Evaluation`. Of
    conditional models it is that within a class.

    A finding is one `UserWarning` (`RuntimeWarning` of numbers that broke) when it begins, and
    again only after it was gone. Broken numbers stop the training, as with `StopOnNaN`, whose place
    it takes.

    With `backup` and `rollbacks` it goes back instead, for all symptoms but a dead component, which
    is the mixture's choice and which a lower learning rate does not undo: it loads the newest whole
    backup of a step up to the last check without such a finding, multiplies both learning rates by
    `learning_rate_factor`, counts that in `model.rollbacks`, saves it as the newest backup and
    stops `fit`, with `rolled_back` set. Call `fit` again with the data from `model.step` on,
    as `tfgans.training.Run` does. In a plain `fit` training ends early. When `rollbacks` are used
    up, or there is no good backup, it only warns, and stops at broken numbers.

    With `path` a killed run ends with the bits and the tables of an undisturbed one, wherever the
    kill came: all that decides is in the backups and in the readings. List it before `Backup`,
    which is not to save what has just been found sick, and outside a strategy's scope.

    Args:
        source: `tfgans.data.Source` of the real examples, or an array [num, ...] of them.
        path: CSV file with a row a finding: `step,rollbacks,symptom,value,limit,action`. Beside
            it `NAME-readings.csv` has a row a check. Training that goes on with them replaces the
            rows after its step. Needed with `rollbacks`. Default: None.
        every_steps: Int, training steps between checks, each of which costs about as much as three
            steps (WGAN-GP on small images, CPU). Default: 100.
        num: Int, examples of either kind that are looked at. Default: 64.
        seed: Int, which latents. Default: 0.
        backup: `tfgans.callbacks.Backup` of the same `fit`, to go back to. Default: None.
        rollbacks: Int of at least 0, how often in the whole run. Default: 0.
        learning_rate_factor: Float in (0, 1). Default: 0.5.
        accuracy_limit: Float in (0, 1]. Default: 0.99, one error in the default `num`.
        gradient_drop: Float in (0, 1]. Default: 0.01. In 400 steps on the ring and on digits games
            with a threshold went down to 0.04; one that a discriminator wins is soon under 0.001.
        diversity_drop: Float in (0, 1]. Default: 0.1. Nine games went down to 0.27 there.
        penalty_growth: Float above 1. Default: 100. No game with a penalty passed 0.4 there.
        log_dir: Folder of TensorBoard events, where readings are shown as `doctor/accuracy`,
            `doctor/gradient_norm`, `doctor/diversity` and `doctor/penalty`. Default: None.

    Attributes:
        rolled_back: Bool, whether the last `fit` ended because the model was rolled back.
        message: None, or the sentence with which broken numbers stopped the training.

    Raises:
        ValueError: If an argument is out of range; when training begins, if a file is another
            table, or `rollbacks` meets a learning rate that is a schedule.

    Example:

    ```python
    backup = tfgans.callbacks.Backup("runs/x/backups")
    doctor = tfgans.callbacks.Doctor(source, path="runs/x/doctor.csv", backup=backup, rollbacks=2)
    gan.fit(source.batches(64), steps_per_epoch=10_000, callbacks=[doctor, backup])
    ```
    """

    _left_out = ("_probe", "_events")
    _probe: Any = None
    _events: Any = None

    def __init__(
        self,
        source: Any,
        *,
        path: str | os.PathLike[str] | None = None,
        every_steps: int = 100,
        num: int = 64,
        seed: int = 0,
        backup: Backup | None = None,
        rollbacks: int = 0,
        learning_rate_factor: float = 0.5,
        accuracy_limit: float = 0.99,
        gradient_drop: float = 0.01,
        diversity_drop: float = 0.1,
        penalty_growth: float = 100.0,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.source = source if isinstance(source, data.Source) else data.from_array(source)
        self.num = checks.int_at_least("num", num, 2)
        self.seed = checks.integer("seed", seed)
        self.rollbacks = checks.int_at_least("rollbacks", rollbacks, 0)
        self.learning_rate_factor = checks.positive("learning_rate_factor", learning_rate_factor)
        self.backup = backup
        self._check_rollbacks(has_path=path is not None)
        self.path = path if path is None else files.path(path)
        self.log_dir = log_dir if log_dir is None else files.path(log_dir)
        self.rolled_back = False
        self.message: str | None = None
        self._limits = Limits(
            accuracy_limit=accuracy_limit,
            gradient_drop=gradient_drop,
            diversity_drop=diversity_drop,
            penalty_growth=penalty_growth,
        )
        self.every_steps = checks.positive_int("every_steps", every_steps)
        self._every = Every(self.every_steps)
        self._findings = None if path is None else self._table(files.path(path), _FINDINGS)
        self._readings = None if path is None else self._table(readings_path(path), _READINGS)
        self._chart = Chart(self._limits, {})

    def on_train_begin(self, logs: Any = None) -> None:
        """Goes on with the tables, and makes a first check if there was none."""
        self.rolled_back, self.message = False, None
        if self.rollbacks:
            for optimizer in (self.model.generator_optimizer, self.model.discriminator_optimizer):
                optimizers.check_constant_rate(optimizer)
        self._every.begin(self.model.step)
        self._begin_chart()
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        if not self._chart.readings:
            self._check()
        if self.backup is not None and self.rollbacks:
            self.backup.keep_good(self._chart.healthy_step)
            if self.backup.newest_step() is None:
                # What breaks before the first backup is due has somewhere to go back to.
                self.backup.save(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the logs of this step, and at the model when a check is due."""
        if self.rolled_back or self.message is not None:
            return
        due = self._every.due(self.model.step)
        broken = symptoms.not_finite(logs or {})
        if broken is not None:
            self._act([broken])
        elif due:
            self._check()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes TensorBoard's file."""
        if self._events is not None:
            self._events.close()

    def _begin_chart(self) -> None:
        """Takes up the readings up to the present step, and those only."""
        model = self.model
        before = self._chart.readings
        if self._probe is None or self._probe.gan is not model:
            self._probe = Probe(model, self.source, num=self.num, seed=self.seed)
            before = []
        if self._readings is not None and self._findings is not None:
            # One history: a rollback leaves no readings of what was after the step gone back to.
            before = [Reading.from_cells(row) for row in self._readings.begin(model.step + 1)]
            self._findings.begin(model.step + 1, rollbacks=model.rollbacks)
        advice = {
            name: symptoms.advice_on_weights(name, player.mixture_settings)
            for name, player in model.players.items()
            if player.is_mixture
        }
        self._chart = Chart(self._limits, advice)
        self._chart.add_all(one for one in before if one.step <= model.step)

    def _check(self) -> None:
        reading = self._probe.read()
        broken = symptoms.not_finite(reading.scalars)
        if broken is not None:
            self._act([broken])
            return
        begun = self._chart.add(reading)
        if self._readings is not None:
            self._readings.append([reading.to_row()])
        if self._events is not None:
            with self._events.as_default(reading.step):
                for name, value in reading.scalars.items():
                    tf.summary.scalar(f"doctor/{name}", value)
            self._events.flush()
        if self.backup is not None and self.rollbacks:
            self.backup.keep_good(self._chart.healthy_step)
        if begun:
            self._act(begun)

    def _act(self, findings: Sequence[Finding]) -> None:
        """Writes and says what begins, and does what follows from it."""
        step = self.model.step
        target = self._target() if any(one.cured_by_going_back for one in findings) else None
        broken = [one for one in findings if one.symptom == symptoms.NOT_FINITE]
        action = "stopped" if broken else "warned"
        if target is not None:
            action = f"rolled back to step {target[0]}"
        if self._findings is not None:
            # Before the rollback is saved: a run killed between the two finds it again.
            rows = [_row(step, self.model.rollbacks, one, action) for one in findings]
            self._findings.append(rows)
        for finding in findings:
            self._warn(finding, action)
        if self.backup is not None and target is not None:
            self._roll_back(self.backup, target[1])
        elif broken:
            self.message = f"{broken[0].say(step)}; the backups from before are untouched"
            self.model.stop_training = True

    def _target(self) -> tuple[int, Path] | None:
        if self.backup is None or self.model.rollbacks >= self.rollbacks:
            return None
        return self.backup.last_good(self.model)

    def _warn(self, finding: Finding, action: str) -> None:
        sentence = finding.say(self.model.step)
        if finding.cured_by_going_back and action != "warned":
            sentence += f"; {action}"
        if finding.cured_by_going_back and action.startswith("rolled"):
            sentence += (
                f" with {self.learning_rate_factor:g} of the learning rates "
                f"({self.model.rollbacks + 1} of {self.rollbacks})"
            )
        category = RuntimeWarning if finding.symptom == symptoms.NOT_FINITE else UserWarning
        warnings.warn(sentence, category, stacklevel=2)

    def _roll_back(self, backup: Backup, path: Path) -> None:
        """Goes back; a kill before the new backup is whole is a kill before the rollback."""
        count = self.model.rollbacks + 1
        backup.load(self.model, path)
        # One saved before an earlier rollback knows nothing of it: neither the count nor the rates.
        while self.model.rollbacks < count:
            self.model.lower_learning_rates(self.learning_rate_factor)
        backup.save(self.model)
        self.rolled_back = True
        self.model.stop_training = True

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), **dataclasses.asdict(self._limits)}

    def _check_rollbacks(self, *, has_path: bool) -> None:
        if self.learning_rate_factor >= 1:
            raise ValueError(
                f"`learning_rate_factor` must be below 1. Received: {self.learning_rate_factor!r}"
            )
        if self.backup is not None:
            example = 'tfgans.callbacks.Backup("runs/x/backups")'
            checks.instance("backup", self.backup, Backup, example)
        if self.rollbacks and (self.backup is None or not has_path):
            raise ValueError(
                "`rollbacks` need `backup`, to go back to, and `path`, the log from which a "
                f"resumed run decides as before. Received: rollbacks={self.rollbacks}, "
                f"backup={self.backup}, path={'given' if has_path else None}"
            )

    def _table(self, path: Path, header: str) -> StepTable:
        return StepTable(path, header, writer=type(self).__name__)


def readings_path(path: str | os.PathLike[str]) -> Path:
    """Returns the file of the readings beside that of the findings."""
    path = Path(path)
    return path.with_name(f"{path.stem}-readings.csv")


def _row(step: int, rollbacks: int, finding: Finding, action: str) -> str:
    done = action if finding.cured_by_going_back else "warned"
    return f"{step},{rollbacks},{finding.symptom},{finding.value:.6g},{finding.limit:.6g},{done}\n"
