"""Detects symptoms of failing training, and optionally rolls back with lower learning rates."""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from numpy.typing import ArrayLike

from tfgans import checks, data, files, optimizers
from tfgans.callbacks import symptoms
from tfgans.callbacks.backup import Backup
from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.diagnosis import Diagnosis
from tfgans.callbacks.readings import Probe, Reading
from tfgans.callbacks.step_interval import StepInterval
from tfgans.callbacks.step_table import StepTable
from tfgans.callbacks.symptoms import Finding, Limits

_FINDINGS = "step,rollbacks,symptom,value,limit,action"
_READINGS = ",".join(Reading._fields)


class Doctor(Callback):
    """Checks the training every N steps, warns of symptoms, and may roll it back.

    At the beginning and every N steps it measures the model on the same real examples, latents and
    labels, and compares with the earlier measurements. It checks the logs after every call of
    TensorFlow (see `GAN.compile`).

    | symptom | begins where |
    |---|---|
    | `not finite` | a log, the samples or the logits are NaN or infinite |
    | `discriminator has won` | its accuracy is at least `accuracy_limit`, and the gradient of the \
generator's loss under `gradient_drop` of its largest so far |
    | `collapse` | the mean distance between two samples is under `diversity_drop` times its \
maximum so far, capped at the mean distance between two real examples |
    | `exploding penalty` | the penalty is over `penalty_growth` times the median of its earlier \
values (or 1, if that is larger) |
    | `discriminator overfits` | with `held_out`: training examples have a higher logit than \
held-out examples in `memorization_limit` of all pairs; without: over five checks the mean sign \
of its logits on real examples and its accuracy are at least `sign_limit` |
    | `dead component` | a component of a mixture of k has a weight under 1 / (20 k) |
    | `collapsed component` | the mean distance between two samples of a generator in a mixture is \
under a quarter of its maximum so far, capped at the mean distance between two real examples |

    Objectives without a decision threshold (Wasserstein, relativistic, KL-WGAN) have no accuracy
    and do not saturate, so `discriminator has won` is never reported for them. Diversity, the
    distance between samples, shows that samples become alike, but not that modes are missing:
    measure those with an `Evaluation`. For conditional models, it is measured within classes, if
    the examples have at least `num` pairs of the same class.

    **Warnings.** Each finding is reported as a `UserWarning` (`RuntimeWarning` if numbers are not
    finite) when it begins, and again only if it goes away and returns. Numbers that are not finite
    stop the training, so `StopOnNaN` is not needed.

    **Rollbacks.** With `backup` and `rollbacks`, findings other than those of components and
    overfitting roll the training back. A rollback loads the
    newest whole backup up to the last check without such a finding, multiplies both learning rates
    by `learning_rate_factor`, increases `model.rollbacks`, saves the result as the newest backup,
    sets `rolled_back` and stops `fit`. Call `fit` again with the data from `model.step` on, as
    `tfgans.training.Run` does. A plain `fit` ends early. After the last rollback, or without a good
    backup, the callback only warns, and stops at numbers that are not finite.

    **Resuming.** With `path`, a killed run ends with the same bits and tables as an uninterrupted
    run, since all decisions depend on the backups and the readings. List this callback before
    `Backup`, which must not save a state with a finding, and call `fit` outside of a strategy's
    scope.

    Args:
        source: `tfgans.data.Source` of the real examples, or an array [num, ...] of them.
        path: CSV file with a row per finding: `step,rollbacks,symptom,value,limit,action`.
            `NAME-readings.csv` beside it has a row per check. A resumed run replaces the rows after
            its first step. Required with `rollbacks`. Default: None.
        every_steps: Int of at least 1, training steps between checks. A check costs about as much
            as three steps (WGAN-GP on small images, CPU). Default: 100.
        num: Int of at least 2, number of real and of generated examples. Default: 64.
        seed: Int, decides the latents. Default: 0.
        backup: `tfgans.callbacks.Backup` of the same `fit`, to roll back to. Default: None.
        rollbacks: Int of at least 0, the maximum number of rollbacks in the whole run. Default: 0.
        learning_rate_factor: Float in (0, 1). Default: 0.5.
        accuracy_limit: Float in (0, 1]. Default: 0.99, at most one error with the default `num`.
        gradient_drop: Float in (0, 1]. Default: 0.01. In 400 steps on the ring and on digits, the
            lowest value of healthy games was 0.04; if a discriminator wins, it soon falls under
            0.001.
        diversity_drop: Float in (0, 1]. Default: 0.1. The lowest value of nine such games was 0.27.
        penalty_growth: Float above 1. Default: 100. The largest penalty of such games was 0.4.
        held_out: `tfgans.data.Source` of examples that are not trained on. Default: None.
        memorization_limit: Float in (0, 1]. Default: 0.75; for two sets of 64 examples from the
            same distribution, the share has a standard error of 0.05.
        sign_limit: Float in (0, 1]. Default: 0.95.
        log_dir: Folder of TensorBoard events, which then show `doctor/accuracy`,
            `doctor/gradient_norm`, `doctor/diversity`, `doctor/penalty`, `doctor/real_sign` and
            `doctor/memorization`. Default: None.

    Attributes:
        rolled_back: Bool, whether the last `fit` ended with a rollback.
        message: None, or the text with which numbers that are not finite stopped the training.

    Raises:
        ValueError: If an argument is out of range. When training begins, if the examples have
            another shape than those of the model, or a file is another table; with `rollbacks`, if
            a learning rate is a schedule, or `backup` is not among the callbacks.

    Example:

    ```python
    backup = tfgans.callbacks.Backup("runs/x/backups")
    doctor = tfgans.callbacks.Doctor(source, path="runs/x/doctor.csv", backup=backup, rollbacks=2)
    gan.fit(source, batch_size=64, steps_per_epoch=10_000, callbacks=[doctor, backup])
    ```
    """

    _transient = ("_probe", "_events")
    _probe: Probe | None = None
    _events: tf.summary.SummaryWriter | None = None

    def __init__(
        self,
        source: data.Source | ArrayLike,
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
        held_out: data.Source | None = None,
        memorization_limit: float = 0.75,
        sign_limit: float = 0.95,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.source = source if isinstance(source, data.Source) else data.from_array(source)
        if held_out is not None:
            example = "tfgans.data.load('digits', split='test')"
            checks.instance("held_out", held_out, data.Source, example)
        self.held_out = held_out
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
            memorization_limit=memorization_limit,
            sign_limit=sign_limit,
        )
        self._interval = StepInterval(every_steps)
        self.every_steps = self._interval.steps
        self._findings: StepTable | None = None
        self._readings: StepTable | None = None
        if self.path is not None:
            beside = self.path.with_name(f"{self.path.stem}-readings.csv")
            self._findings = StepTable(self.path, _FINDINGS, writer=type(self).__name__)
            self._readings = StepTable(beside, _READINGS, writer=type(self).__name__)
        self._diagnosis = Diagnosis(self._limits, {})

    def on_train_begin(self, logs: Logs = None) -> None:
        """Continues the tables, and makes a first check if there is none."""
        self.rolled_back, self.message = False, None
        if self.rollbacks:
            for optimizer in (self.model.generator_optimizer, self.model.discriminator_optimizer):
                optimizers.check_constant_rate(optimizer)
            if self.backup is not None and self.backup.model is not self.model:
                raise ValueError(
                    "`backup` makes the backups to roll back to, so it must be among the callbacks "
                    "of the same `fit`: `gan.fit(..., callbacks=[doctor, backup])`"
                )
        self._interval.begin(self.model.step)
        self._probe = self._begin_diagnosis()
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        if not self._diagnosis.readings:
            self._check(self._probe)
        if self.backup is not None and self.rollbacks:
            self.backup.keep_good(self._diagnosis.healthy_step)
            if self.backup.newest_step() is None:
                # For a rollback before the first backup is due.
                self.backup.save(self.model)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Checks the logs of this step, and the model when a check is due."""
        if self.rolled_back or self.message is not None:
            return
        due = self._interval.due(self.model.step)
        broken = symptoms.not_finite(logs or {})
        if broken is not None:
            self._act([broken])
        elif due and self._probe is not None:
            self._check(self._probe)

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the file of TensorBoard."""
        if self._events is not None:
            self._events.close()

    def _begin_diagnosis(self) -> Probe:
        """Restores the diagnosis from the readings up to the present step, and returns a probe."""
        model, probe = self.model, self._probe
        before = self._diagnosis.readings
        if probe is None or probe.gan is not model:
            probe = Probe(model, self.source, num=self.num, seed=self.seed, held_out=self.held_out)
            before = []
        if self._readings is not None and self._findings is not None:
            # Drops the readings of steps that a rollback has undone.
            # At step 0 a training begins anew: rows of step 0 are of another.
            first = model.step + 1 if model.step or model.rollbacks else 0
            self._readings.begin(first)
            before = self._readings.parsed(Reading.from_cells)
            self._findings.begin(first, rollbacks=model.rollbacks)
        advice = {
            name: symptoms.advice_on_weights(name, player.mixture_settings)
            for name, player in model.players.items()
            if player.is_mixture
        }
        advice["overfitting"] = symptoms.advice_on_overfitting(
            augmented=model.augmentation is not None,
            images=len(model.data_shape) == 3,
            has_threshold=model.objective.decision_threshold is not None,
        )
        self._diagnosis = Diagnosis(self._limits, advice)
        for reading in before:
            if reading.step <= model.step:
                self._diagnosis.add(reading)
        return probe

    def _check(self, probe: Probe) -> None:
        """Measures the model, writes the reading, and acts on the symptoms that begin with it."""
        reading = probe.read()
        broken = symptoms.not_finite(reading.scalars)
        if broken is not None:
            self._act([broken])
            return
        begun = self._diagnosis.add(reading)
        if self._readings is not None:
            self._readings.append([reading.to_row()])
        if self._events is not None:
            with self._events.as_default(reading.step):
                for name, value in reading.scalars.items():
                    tf.summary.scalar(f"doctor/{name}", value)
            self._events.flush()
        if self.backup is not None and self.rollbacks:
            self.backup.keep_good(self._diagnosis.healthy_step)
        if begun:
            self._act(begun)

    def _act(self, findings: Sequence[Finding]) -> None:
        """Writes and warns of new findings, and rolls back or stops the training."""
        step = self.model.step
        curable = any(finding.rollback_may_cure for finding in findings)
        target = self._rollback_target() if curable else None
        actions = [_action(finding, target) for finding in findings]
        if self._findings is not None:
            # Before the rollback is saved, so a run that is killed between the two repeats it.
            self._findings.append(
                [
                    f"{step},{self.model.rollbacks},{finding.symptom},{finding.value:.6g},"
                    f"{finding.limit:.6g},{action}\n"
                    for finding, action in zip(findings, actions, strict=True)
                ]
            )
        for finding, action in zip(findings, actions, strict=True):
            self._warn(finding, action)
        broken = [finding for finding in findings if finding.symptom == symptoms.NOT_FINITE]
        if self.backup is not None and target is not None:
            self._roll_back(self.backup, target[1])
        elif broken:
            self.message = f"{broken[0].message(step)}; the backups from before are untouched"
            self.model.stop_training = True

    def _rollback_target(self) -> tuple[int, Path] | None:
        if self.backup is None or self.model.rollbacks >= self.rollbacks:
            return None
        return self.backup.last_good(self.model)

    def _warn(self, finding: Finding, action: str) -> None:
        message = finding.message(self.model.step)
        if action != "warned":
            message += f"; {action}"
        if action.startswith("rolled"):
            message += (
                f" with {self.learning_rate_factor:g} of the learning rates "
                f"({self.model.rollbacks + 1} of {self.rollbacks})"
            )
        category = RuntimeWarning if finding.symptom == symptoms.NOT_FINITE else UserWarning
        warnings.warn(message, category, stacklevel=2)

    def _roll_back(self, backup: Backup, path: Path) -> None:
        """Rolls back; if the run is killed before the new backup is whole, it does so again."""
        count = self.model.rollbacks + 1
        backup.load(self.model, path)
        # A backup from before an earlier rollback has neither its count nor its rates.
        while self.model.rollbacks < count:
            self.model.optimizer.scale(self.learning_rate_factor)
            self.model.count_rollback()
        backup.save(self.model)
        self.rolled_back = True
        self.model.stop_training = True

    def _settings(self) -> dict[str, object]:
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
                "`rollbacks` need `backup`, to load, and `path`, the readings from which a "
                f"resumed run decides as before. Received: rollbacks={self.rollbacks}, "
                f"backup={self.backup}, path={'set' if has_path else None}"
            )


def _action(finding: Finding, target: tuple[int, Path] | None) -> str:
    """Returns what follows from a finding, for the table and the warning."""
    if not finding.rollback_may_cure:
        return "warned"
    if target is not None:
        return f"rolled back to step {target[0]}"
    return "stopped" if finding.symptom == symptoms.NOT_FINITE else "warned"
