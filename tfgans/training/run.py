"""A training run: from a compiled model and its data to a finished run directory."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from signal import Signals
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from tfgans import callbacks, checks, class_names, files, optimizers
from tfgans.callbacks.callback import Logs
from tfgans.callbacks.epoch_log import EpochLog
from tfgans.callbacks.progress import duration
from tfgans.callbacks.source_checks import check_source
from tfgans.data import Source
from tfgans.data.capacity import available_memory
from tfgans.evaluation import Evaluator
from tfgans.gan import GAN
from tfgans.players import Player
from tfgans.training import memory
from tfgans.training.cluster import Cluster
from tfgans.training.directory import RunDirectory
from tfgans.training.early_end import EarlyEnd
from tfgans.training.segments import Segment, segments
from tfgans.training.settings import describe, hyperparameters
from tfgans.training.time_limit import TimeLimit


class Interrupted(Exception):  # noqa: N818 (nothing went wrong)
    """A signal ended the run early; everything is saved.

    Args:
        signal: The `signal.Signals` that was received.
        step: Training steps done.
    """

    def __init__(self, signal: Signals, step: int) -> None:
        super().__init__(f"{signal.name}: stopped at step {step}, everything is saved")
        self.signal = signal
        self.step = step


class Run:
    """A training run: a compiled model, its data, and the folder for its outputs.

    A run that was killed, or stopped by Ctrl-C, continues from its last backup when it is made
    again with the same arguments, and ends with the same bits. With more `steps`, `minutes` or
    `cpu_seconds` a finished run continues too.

    A model that was built in the scope of `make_strategy` trains on several devices or machines:
    all processes make the same run, in a folder that they share. The first process, the chief,
    writes, measures and draws; `extra_callbacks` are called there only. A run may continue with
    another number of replicas, to the same bits up to the order of summation.

    Backups hold the model, not the `extra_callbacks`. Keras's `EarlyStopping` and
    `ReduceLROnPlateau` count anew when a run continues, and `LearningRateScheduler` sets the rate
    of the present epoch again, so the run may end with other weights than an uninterrupted run.

    Args:
        run_dir: Folder of the run; `RunDirectory` lists its files.
        gan: Compiled model. To continue a run, build the model again: the settings of a trained
            model may have changed, such as a learning rate that a schedule sets.
        source: The real examples.
        batch_size: Int, examples in an update, of all replicas together.
        steps: Int, training steps of the whole run; a multiple of the model's
            `steps_per_execution`. Default: None, no limit; then `minutes` or `cpu_seconds` is
            needed.
        minutes: Float above 0, training time of the whole run. When it is over, the run ends at its
            present step as if that were the last of `steps`: with a backup, a picture, an
            evaluation and the final model. Schedules count steps, and do not change. Default: None,
            no limit.
        cpu_seconds: Float above 0, CPU seconds of the training steps of the whole run, after which
            it ends as after `minutes`: those of all threads of the process, without the tracing of
            TensorFlow, evaluations, pictures and backups, so that runs with equal `cpu_seconds` are
            comparable. In a cluster, the run ends when any process reaches the limit. Default:
            None, no limit.
        steps_per_epoch: Int, training steps in a row of the log, a multiple of
            `steps_per_execution`. Default: 100.
        backup_every: Int, training steps between backups. Default: 500.
        grid_every: Int, training steps between pictures. Default: 500.
        evaluator: `tfgans.evaluation.Evaluator`, what is measured during the run; the model with
            the best first metric is kept. Default: None.
        evaluate_every: Int, a multiple of `steps_per_epoch`: training steps between evaluations.
            Default: `steps_per_epoch`.
        adapt_every: Int, training steps between the readings of `tfgans.callbacks.AdaptComponents`,
            which drops generators of a mixture; `log.csv` then has their number. Default: None,
            the number stays.
        max_generators: Int, with `adapt_every`: the number up to which the best generator is split.
            Default: None, no component is split.
        doctor_every: Int, training steps between the checks of `tfgans.callbacks.Doctor`. Default:
            500. With None, and in a cluster, there are none: only broken numbers and dying
            components of a mixture are noticed.
        rollbacks: Int, times in the whole run that the doctor may return to the last good backup,
            with half the learning rates; a later call may allow more. Default: 0.
        held_out: `tfgans.data.Source` of examples that are not trained on, with which the doctor
            sees whether the discriminator overfits. Default: None.
        show_augmented: Bool, whether pictures also show real images as the model's augmentation
            changes them. Default: False.
        settings: Dict of JSON values, further settings that decide the result besides those of the
            model and the data. Default: None.
        notes: Text files for the run directory, by plain name. Default: None.
        resume: Whether to continue a run that is in `run_dir`. Default: True.
        extra_callbacks: More Keras callbacks. If a callback stops the training, as `EarlyStopping`
            does, the run ends at that step. A run may call `fit` several times, so
            `EarlyStopping(restore_best_weights=True)` and `CSVLogger(append=False)` are refused.

    Attributes:
        directory: `RunDirectory`.
        settings: Dict, what decides the result. A folder with a run of other settings is refused.

    Raises:
        ValueError: If an argument is out of range or does not fit the others.

    Example:

    ```python
    run = tfgans.training.Run("runs/x", gan, source, steps=2000, batch_size=64)
    print(run.plan())
    run.train()
    ```
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        gan: GAN,
        source: Source,
        *,
        batch_size: int,
        steps: int | None = None,
        minutes: float | None = None,
        cpu_seconds: float | None = None,
        steps_per_epoch: int = 100,
        backup_every: int = 500,
        grid_every: int = 500,
        evaluator: Evaluator | None = None,
        evaluate_every: int | None = None,
        adapt_every: int | None = None,
        max_generators: int | None = None,
        doctor_every: int | None = 500,
        rollbacks: int = 0,
        held_out: Source | None = None,
        show_augmented: bool = False,
        settings: Mapping[str, Any] | None = None,
        notes: Mapping[str, str] | None = None,
        resume: bool = True,
        extra_callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        checks.instance("gan", gan, GAN, "tfgans.R3GAN(generator, discriminator)")
        checks.instance("source", source, Source, "tfgans.data.from_array(images)")
        self.directory = RunDirectory(run_dir)
        self._gan = gan
        self._source = source
        self._batch_size = checks.positive_int("batch_size", batch_size)
        self._length = {"steps": steps, "minutes": minutes, "cpu_seconds": cpu_seconds}
        self._steps_per_epoch = checks.positive_int("steps_per_epoch", steps_per_epoch)
        self._resume = checks.boolean("resume", resume)
        self._notes = dict(notes or {})
        self._extra_callbacks = tuple(extra_callbacks)
        _check_extra_callbacks(self._extra_callbacks)
        self._cluster = Cluster(gan.distribute_strategy)
        self._steps = self._checked_steps(steps)
        self._check_data()
        for name, text in self._notes.items():
            self.directory.check_note(name)
            checks.instance("notes", text, str, "{'note.txt': 'A text.'}")
        self._backup = callbacks.Backup(
            self.directory.backups, every_steps=checks.positive_int("backup_every", backup_every)
        )
        self._grid = callbacks.SampleGrid(
            self.directory.grids,
            every_steps=checks.positive_int("grid_every", grid_every),
            log_dir=self.directory.tensorboard,
            last_step=self._steps or 0,  # Without `steps` the time limit sets it at the end.
            class_names=source.class_names,
            augmented=source if checks.boolean("show_augmented", show_augmented) else None,
        )
        if show_augmented and gan.augmentation is None:
            raise ValueError(
                "`show_augmented` draws images after the augmentation. Received: a model without. "
                "Choose an augmentation, or leave it out"
            )
        self._evaluation = self._make_evaluation(evaluator, evaluate_every)
        self._guard = self._make_guard(doctor_every, rollbacks, held_out)
        # A doctor warns of dying components too.
        self._monitor = self._make_monitor(warn=not isinstance(self._guard, callbacks.Doctor))
        self._adaptation = self._make_adaptation(adapt_every, max_generators)
        self._limit = self._make_limit()
        self._stop = callbacks.GracefulStop(
            total=self._cluster.sum_over_workers if self._cluster.num_workers > 1 else None
        )
        self._early_end = EarlyEnd(self._stops, when_reached=self._end_early)
        adaptation = {"adapt_every": adapt_every, "max_generators": max_generators}
        # They decide when a run goes back, and to which step. `rollbacks` itself may change, also
        # from 0: then the run has no such settings.
        diagnosis = {"doctor_every": doctor_every, "backup_every": backup_every}
        goes_back = bool(rollbacks)
        if self.directory.exists:
            goes_back = diagnosis.keys() <= self.directory.settings().keys()
        self.settings = describe(
            gan,
            source,
            batch_size=batch_size,
            more={
                **(settings or {}),
                **({} if adapt_every is None else adaptation),
                **(diagnosis if goes_back else {}),
            },
        )

    @property
    def begins(self) -> bool:
        """Whether this process is the chief and `train` starts a new run, not a resumed one."""
        return self._cluster.is_chief and not self.directory.exists

    @property
    def is_complete(self) -> bool:
        """Whether the run in the folder has ended, and `train` would add no step to it."""
        if not self.directory.exists or not self.directory.is_finished:
            return False
        step, limit = self._newest_step(), self._make_limit()
        limit.restore(step)
        return limit.reached or self._is_last(step) or self._ended_by_callback()

    def plan(self) -> str:
        """Returns a table of the data, the networks, the memory and the steps of the run.

        Raises:
            ValueError: If `train` would refuse the folder, or the memory does not suffice by the
                estimate of `memory.estimate`. Nothing is written.
        """
        self.directory.check(self.settings, resume=self._resume)
        done = self._newest_step()
        self._check_backups()
        self._check_continuation(done)
        gan, source = self._gan, self._source
        examples = "endless" if source.num_examples is None else f"{source.num_examples} examples"
        updates = f"{gan.discriminator_steps} discriminator update"
        updates += "s" * (gan.discriminator_steps > 1) + " and a generator update"
        length = [
            f"{value:.15g} {name.replace('cpu_', 'CPU ')}"
            for name, value in self._length.items()
            if value is not None
        ]
        rows = {
            "data": f"{source.name}, {examples} of shape {source.data_shape}",
            "model": f"{type(gan).__name__}, objective {type(gan.objective).__name__}, penalty "
            + ("none" if gan.penalty is None else type(gan.penalty).__name__),
            "augmentation": "none" if gan.augmentation is None else repr(gan.augmentation),
            "regularizers": ", ".join(map(repr, gan.regularizers)) or "none",
            "generator": _network(gan.players["generator"]),
            "discriminator": _network(gan.players["discriminator"]),
            "evaluation": self._evaluation_costs(),
            "memory": self._memory(),
            "length": f"{' or '.join(length)}; {done} steps are done",
            "step": f"{updates}, {self._batch_size} examples each",
            "run directory": os.fspath(self.directory.path),
        }
        return "\n".join(f"{name:>14}  {text}" for name, text in rows.items())

    def train(self) -> None:
        """Trains to the end of the run, from wherever it stands.

        Call it in the main thread, which receives the signals.

        Raises:
            ValueError: If the folder holds another run, or more steps than `steps`.
            Interrupted: After SIGINT, SIGTERM or SIGHUP; everything is saved.
            WorkerLost: If another process of the cluster has ended early.
            FloatingPointError: If a loss became NaN or infinite; the last good backup stays.
        """
        cluster, run, gan = self._cluster, self.directory, self._gan
        opened = (
            run.open(
                self.settings,
                resume=self._resume,
                data=self._source.load_options,
                class_names=self._source.class_names,
            )
            if cluster.is_chief
            else contextlib.nullcontext()
        )
        with cluster.translate_worker_errors(), opened:
            if cluster.is_chief:
                self._check_backups()
                self._save_initial()
                self._restore()
                # A finished run keeps the length and notes that it was trained with.
                if not run.is_finished:
                    run.write_length({**self._length, "steps_per_epoch": self._steps_per_epoch})
                    self._write_hyperparameters()
                    for name, text in self._notes.items():
                        files.write_text(run.path / name, text)
            self._restore_others()
            self._fit()
            if cluster.is_chief:
                self._backup.remove_old(gan)
                with files.atomic_write(run.final_model) as temporary:
                    gan.save(temporary)
                run.write_finished(True)
            cluster.wait()

    def _checked_steps(self, steps: int | None) -> int | None:
        gan = self._gan
        if not gan.compiled:
            raise ValueError("Compile the model before training. Received: no optimizers")
        for player in gan.players.values():
            if optimizers.inner_optimizer(player.optimizer).use_ema:
                raise ValueError(
                    "A run calls `fit` several times, and each call would end with the averages of "
                    "the optimizer in the networks. Received: an optimizer with use_ema=True. Use "
                    "`ema=0.999` of the model"
                )
        for name in ("minutes", "cpu_seconds"):
            if self._length[name] is not None:
                checks.positive(name, self._length[name])
        if all(value is None for value in self._length.values()):
            raise ValueError(
                "A run needs `steps`, `minutes` or `cpu_seconds`. Received: none of them"
            )
        if steps is not None:
            checks.positive_int("steps", steps)
        per_call = gan.steps_per_execution
        if (steps or 0) % per_call or self._steps_per_epoch % per_call:
            raise ValueError(
                "`steps` and `steps_per_epoch` must be multiples of `steps_per_execution` = "
                f"{per_call}. Received: steps={steps}, steps_per_epoch={self._steps_per_epoch}"
            )
        return steps

    def _check_data(self) -> None:
        if len(self._source.data_shape) not in (1, 3):
            raise ValueError(
                "A run draws its samples, so examples must be images [height, width, channels] or "
                f"vectors [dim]. Received: {self._source.data_shape}"
            )
        self._gan.check_training(self._source, self._batch_size)

    def _make_evaluation(
        self, evaluator: Evaluator | None, every_steps: int | None
    ) -> callbacks.Evaluation | None:
        if evaluator is None:
            if every_steps is not None:
                raise ValueError(f"`evaluate_every` needs `evaluator`. Received: {every_steps}")
            return None
        checks.instance("evaluator", evaluator, Evaluator, "tfgans.evaluation.Evaluator(source)")
        check_source("evaluator", evaluator.source, self._gan)
        steps_per_epoch = self._steps_per_epoch
        every = checks.positive_int(
            "evaluate_every", steps_per_epoch if every_steps is None else every_steps
        )
        if every % steps_per_epoch:
            raise ValueError(
                f"`evaluate_every` must be a multiple of `steps_per_epoch` = {steps_per_epoch}. "
                f"Received: {every_steps}"
            )
        decides = any(higher is not None for higher in evaluator.directions.values())
        evaluation = callbacks.Evaluation(
            evaluator,
            every_epochs=every // steps_per_epoch,
            path=self.directory.evaluation_log,
            # Of some numbers neither more nor less is better.
            best_model=self.directory.best_model if decides else None,
            progress=sys.stderr.isatty(),  # A file gets the lines of `Progress`.
        )
        evaluation.last_step = self._steps  # Without `steps` the time limit sets it at the end.
        return evaluation

    def _make_monitor(self, *, warn: bool) -> callbacks.MixtureMonitor | None:
        if not any(player.is_mixture for player in self._gan.players.values()):
            return None
        return callbacks.MixtureMonitor(
            self.directory.mixture_log,
            every_steps=self._steps_per_epoch,
            warn=warn,
            log_dir=self.directory.tensorboard,
        )

    def _make_adaptation(
        self, adapt_every: int | None, max_generators: int | None
    ) -> callbacks.AdaptComponents | None:
        if adapt_every is None:
            if max_generators is not None:
                raise ValueError(
                    f"`max_generators` needs `adapt_every`. Received: {max_generators}"
                )
            return None
        adaptation = callbacks.AdaptComponents(
            self.directory.components_log,
            every_steps=checks.positive_int("adapt_every", adapt_every),
            max_components=max_generators,
        )
        adaptation.check(self._gan)
        return adaptation

    def _make_guard(
        self, doctor_every: int | None, rollbacks: int, held_out: Source | None
    ) -> callbacks.Doctor | callbacks.StopOnNaN:
        workers = self._cluster.num_workers
        if held_out is not None:
            checks.instance("held_out", held_out, Source, "tfgans.data.load('digits')")
        if rollbacks and workers > 1:
            raise ValueError(
                "`rollbacks` are for a single machine: in a cluster there is no doctor. "
                f"Received: rollbacks={rollbacks} and {workers} workers. Leave them out"
            )
        if held_out is not None and (workers > 1 or doctor_every is None):
            raise ValueError(
                "`held_out` is for the doctor, and there is none without `doctor_every` or in a "
                f"cluster. Received: {held_out.name!r}. Leave it out"
            )
        if held_out is not None:
            check_source("held_out", held_out, self._gan)
            if self._gan.num_classes is not None:
                names = self._source.class_names
                class_names.check_order(held_out.name, held_out.class_names, names)
        if workers > 1 or (doctor_every is None and not rollbacks):
            # A doctor would look, and stop, at the chief alone.
            return callbacks.StopOnNaN()
        if doctor_every is None:
            raise ValueError(f"`rollbacks` need `doctor_every`. Received: rollbacks={rollbacks}")
        if rollbacks:
            for optimizer in (self._gan.generator_optimizer, self._gan.discriminator_optimizer):
                optimizers.check_constant_rate(optimizer)
        if rollbacks and self._backup.every_steps % doctor_every:
            raise ValueError(
                "With `rollbacks` the doctor must check each state that is backed up: "
                f"`doctor_every` must divide `backup_every` = {self._backup.every_steps}. "
                f"Received: {doctor_every}"
            )
        return callbacks.Doctor(
            self._source,
            path=self.directory.doctor_log,
            every_steps=checks.positive_int("doctor_every", doctor_every),
            backup=self._backup,
            rollbacks=rollbacks,
            held_out=held_out,
            log_dir=self.directory.tensorboard,
        )

    def _make_limit(self) -> TimeLimit:
        limits = {name: self._length[name] for name in ("minutes", "cpu_seconds")}
        limited = any(limit is not None for limit in limits.values())
        return TimeLimit(
            self.directory.time,
            backup_every=self._backup.every_steps,
            writes=self._cluster.is_chief,
            when_reached=self._end_at_this_step,
            total=self._cluster.sum_over_workers
            if limited and self._cluster.num_workers > 1
            else None,
            **limits,
        )

    def _end_at_this_step(self) -> None:
        self._grid.last_step = self._gan.step
        if self._evaluation is not None:
            self._evaluation.last_step = self._gan.step

    def _stops(self) -> bool:
        """Returns whether a callback of the run has stopped the training."""
        rolled_back = isinstance(self._guard, callbacks.Doctor) and self._guard.rolled_back
        failed = self._guard.message is not None
        return self._limit.reached or self._stop.signal is not None or rolled_back or failed

    def _end_early(self, epoch: int, logs: Logs) -> None:
        """Ends the run at this step, because a callback of the user has stopped the training."""
        if self._cluster.num_workers > 1:
            raise ValueError(
                "A callback stopped the training of the chief, of which the other workers know "
                "nothing. Leave it out, or set the length of the run"
            )
        step = self._gan.step
        self._end_at_this_step()
        evaluation = self._evaluation
        if evaluation is not None and (
            evaluation.record is None or evaluation.record.fake["step"] != step
        ):
            evaluation.on_epoch_end(epoch, logs)

    @property
    def _is_over(self) -> bool:
        return self._limit.reached or self._early_end.reached or self._is_last(self._gan.step)

    def _is_last(self, step: int) -> bool:
        return self._steps is not None and step >= self._steps

    def _newest_step(self) -> int:
        """Returns the step from which training begins, if the newest backup is whole."""
        saved = self._backup.newest_step()
        return self._gan.step if saved is None else saved

    def _memory(self) -> str:
        needed = memory.estimate(self._gan, self._source, batch_size=self._batch_size)
        available = available_memory()
        if needed.total > available:
            raise ValueError(
                f"The run needs about {memory.size_text(needed.total)} of memory, and "
                f"{memory.size_text(available)} are available. Use a smaller batch, smaller "
                "networks, or more micro-batches (`accumulate_steps`)"
            )
        return (
            f"about {memory.size_text(needed.total)}: {memory.size_text(needed.weights)} for "
            f"weights and optimizers, {memory.size_text(needed.update)} for an update, the rest "
            "for batches and TensorFlow"
        )

    def _evaluation_costs(self) -> str:
        """Returns the metrics and about how long each evaluation takes on this machine."""
        if self._evaluation is None:
            return "none"
        evaluator = self._evaluation.evaluator
        costs = evaluator.costs(self._gan)
        return (
            f"{', '.join(metric.name for metric in evaluator.metrics)}; features of "
            f"{evaluator.extractor.name}; every "
            f"{self._evaluation.every_epochs * self._steps_per_epoch} steps. The first takes about "
            f"{duration(sum(costs.values()))}: "
            + ", ".join(f"{name} {duration(seconds)}" for name, seconds in costs.items())
        )

    def _check_continuation(self, done: int) -> None:
        """Raises ValueError unless the run can continue at a step."""
        path, gan = self.directory.path, self._gan
        if self._steps is not None and done > self._steps:
            raise ValueError(
                f"{path} has done {done} steps already. Received: steps={self._steps}. Ask for "
                "more to continue, or choose another run directory to train less"
            )
        if self._evaluation is not None:
            self._evaluation.check(gan, step=done)
        if done % gan.steps_per_execution:
            raise ValueError(
                f"{path} is at step {done}, which is not a multiple of `steps_per_execution` = "
                f"{gan.steps_per_execution}. Continue with steps_per_execution=1"
            )
        log = self.directory.log
        if not done or not log.exists():
            return
        before = (self.directory.description()["length"] or {}).get("steps_per_epoch")
        if before not in (None, self._steps_per_epoch):
            raise ValueError(
                f"A row of {log} is the mean over `steps_per_epoch` steps, which must not change. "
                f"Received: {self._steps_per_epoch} here and {before} there"
            )

    def _save_initial(self) -> None:
        if not self.directory.initial_model.exists():
            with files.atomic_write(self.directory.initial_model) as temporary:
                self._gan.save(temporary)

    def _check_backups(self) -> None:
        run = self.directory
        if run.is_finished and not any(run.backups.glob("*")):
            raise ValueError(
                f"{run.path} holds a finished run without backups, from which it could continue. "
                "Choose another run directory, or remove this directory to start over"
            )

    def _write_hyperparameters(self) -> None:
        """Gives TensorBoard's tab HParams a row for the run."""
        writer = tf.summary.create_file_writer(os.fspath(self.directory.tensorboard))
        with contextlib.closing(writer), writer.as_default():
            hparams.hparams(hyperparameters(self.settings), self.directory.path.name)

    def _restore(self) -> None:
        gan, run = self._gan, self.directory
        restored = self._backup.restore(gan)
        self._check_continuation(gan.step)
        self._limit.restore(gan.step)
        self._early_end.reached = self._ended_by_callback()
        if run.is_finished and self._is_over:
            sys.stderr.write(f"{run.path} is finished: it stays at step {gan.step}\n")
        elif restored is not None:
            goal = "" if self._steps is None else f" of {self._steps}"
            sys.stderr.write(f"Continuing {run.path} at step {gan.step}{goal}\n")
        if not self._is_over:
            # That of a shorter run must not pass for the final model of this run.
            run.write_finished(False)
            run.final_model.unlink(missing_ok=True)

    def _ended_by_callback(self) -> bool:
        """Returns whether a callback ended the run, which counts while the length is the same."""
        length = {**self._length, "steps_per_epoch": self._steps_per_epoch}
        same = self.directory.is_finished and self.directory.description()["length"] == length
        return same and bool(self._extra_callbacks)

    def _restore_others(self) -> None:
        """Brings all workers to the chief's step; it has set aside damaged backups by now."""
        cluster, gan = self._cluster, self._gan
        cluster.wait()
        if not cluster.is_chief:
            self._backup.restore(gan, rename_damaged=False)
            self._limit.restore(gan.step)
        if cluster.sum_over_workers(gan.step) != gan.step * cluster.num_workers:
            raise ValueError(
                "All workers must share the run directory, where the chief writes the backups that "
                f"they begin from. Received: step {gan.step} in {self._backup.directory} here, and "
                "another step on another worker. Choose a folder that all machines see"
            )

    def _fit(self) -> None:
        gan, run, cluster, guard = self._gan, self.directory, self._cluster, self._guard
        progress = callbacks.Progress(self._steps, seconds_left=self._limit.seconds_left)
        log = EpochLog(run.log)
        tensorboard = keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False)
        try:
            with self._stop as stop:
                watching: list[keras.callbacks.Callback] = [self._limit, guard, stop]
                if cluster.is_chief:
                    watching = self._watching(log, tensorboard, progress)
                for segment in self._segments():
                    gan.fit(
                        self._source,
                        batch_size=self._batch_size,
                        **segment._asdict(),
                        verbose=0,
                        callbacks=watching,
                    )
                    if guard.message is not None:
                        raise FloatingPointError(guard.message)
                    if stop.signal is not None and not self._is_over:
                        raise Interrupted(stop.signal, gan.step)
        finally:
            # `fit` does not end its callbacks when it raises.
            progress.close()
            if log.csv_file is not None:
                log.csv_file.close()
            tensorboard.on_train_end()

    def _watching(
        self,
        log: keras.callbacks.Callback,
        tensorboard: keras.callbacks.Callback,
        progress: keras.callbacks.Callback,
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks of the chief in their order.

        The time limit comes first: it measures the steps, without the other callbacks. The guard
        must see a step before the step is saved. The logs come before the backup: what it holds
        must have been logged. The CSV file keeps the columns of its first row, so the number of
        generators comes before it, and what is not measured each epoch after it; TensorBoard takes
        any names, so it comes after what measures.
        """
        evaluation = [] if self._evaluation is None else [self._evaluation]
        monitor = [] if self._monitor is None else [self._monitor]
        adaptation = [] if self._adaptation is None else [self._adaptation]
        # These may stop the training; what measures and writes after them then ends with it.
        measuring = [*evaluation, *self._extra_callbacks, self._early_end]
        writing = [*monitor, self._grid, self._backup]
        return [
            *(self._limit, self._guard, *adaptation, log, *measuring),
            *(tensorboard, *writing, progress, self._stop),
        ]

    def _segments(self) -> Iterator[Segment]:
        """Yields the calls of `fit` to the end of the run, anew from where a rollback leads."""
        guard, begins = self._guard, True
        while begins and not self._is_over:
            begins = False
            if self._cluster.is_chief:
                self.directory.drop_log_rows(self._gan.step // self._steps_per_epoch)
            for segment in segments(self._gan.step, self._steps, self._steps_per_epoch):
                yield segment
                begins = isinstance(guard, callbacks.Doctor) and guard.rolled_back
                if begins or self._is_over:
                    break


def _check_extra_callbacks(extra_callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Raises ValueError for a callback that would undo work whenever a call of `fit` ends."""
    for callback in extra_callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.restore_best_weights:
            raise ValueError(
                "A run calls `fit` several times, and each call would end with the weights of an "
                "earlier step. Received: `EarlyStopping(restore_best_weights=True)`. Leave "
                "`restore_best_weights` out; `evaluator` keeps the best model"
            )
        if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
            raise ValueError(
                "A run calls `fit` several times, and each call would begin the file anew. "
                "Received: `CSVLogger(append=False)`. Pass `append=True`"
            )


def _network(player: Player) -> str:
    text = f"{player.network.name}, {player.network.count_params():,} parameters"
    if player.is_mixture:
        text += f", {player.num_components} components, routing {player.routing}"
    return text
