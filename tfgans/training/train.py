"""One call from a compiled model and a source to a finished run directory."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tfgans import callbacks, checks, files
from tfgans.data import Source
from tfgans.evaluation import Evaluator
from tfgans.gan import GAN
from tfgans.training.cluster import Cluster
from tfgans.training.directory import RunDirectory
from tfgans.training.segments import Segment, segments
from tfgans.training.settings import check_sizes, describe


class Interrupted(Exception):  # noqa: N818 (nothing went wrong)
    """A signal ended the run early; everything is saved.

    Args:
        signal: The `signal.Signals` that was received.
        step: Training steps done.
    """

    def __init__(self, signal: Any, step: int) -> None:
        super().__init__(f"{signal.name}: stopped at step {step}, everything is saved")
        self.signal = signal
        self.step = step


Guard = callbacks.Doctor | callbacks.StopOnNaN


def train(
    gan: GAN,
    source: Source,
    *,
    run_dir: str | os.PathLike[str],
    steps: int,
    batch_size: int,
    epoch_steps: int = 100,
    backup_every: int = 500,
    grid_every: int = 500,
    evaluator: Evaluator | None = None,
    evaluate_every: int | None = None,
    doctor_every: int | None = 500,
    rollbacks: int = 0,
    settings: Mapping[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
    resume: bool = True,
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains up to `steps` training steps in a run directory, from wherever the run stands.

    Called again with the same arguments after a crash, a kill or Ctrl-C, it goes on from the last
    backup and ends with the same bits. With a larger `steps` it trains a finished run on.

    A model that was built in the scope of `make_strategy` trains on several devices or machines:
    all processes call this with the same arguments and a `run_dir` that they share. The first of
    them, the chief, writes, measures and draws; `extra_callbacks` are called there only. A run may
    go on with another number of replicas, to the same bits up to the order of summation.

    Args:
        gan: Compiled model.
        source: Where the real examples come from.
        run_dir: Folder of the run; `RunDirectory` lists what lands there.
        steps: Int, training steps of the whole run.
        batch_size: Int, examples in one update, of all replicas together.
        epoch_steps: Int, training steps in a row of the log.
        backup_every: Int, training steps between backups.
        grid_every: Int, training steps between pictures.
        evaluator: `tfgans.evaluation.Evaluator`, what is measured while the run goes on; the model
            with the best first metric is kept. Default: None.
        evaluate_every: Int, a multiple of `epoch_steps`: training steps between evaluations.
            Default: `epoch_steps`.
        doctor_every: Int, training steps between the checks of `tfgans.callbacks.Doctor`. Default:
            500. With None, and in a cluster, there are none: only broken numbers are noticed.
        rollbacks: Int, how often in the whole run the doctor may go back to the last good backup,
            at half the learning rates; a later call may allow more. Default: 0.
        settings: JSON values that decide the result, kept in `run.json`; a run directory with
            other settings is refused.
        notes: Text files for the run directory, by plain name: how it was started.
        resume: Whether to go on with a run that is in `run_dir`.
        extra_callbacks: More Keras callbacks.

    Raises:
        ValueError: If an argument is out of range, or `run_dir` holds another run.
        Interrupted: After SIGINT or SIGTERM; everything is saved.
        WorkerLost: If another process of the cluster has ended before its time.
        FloatingPointError: If a loss became NaN or infinite; the last good backup stays.
    """
    sizes = {"steps": steps, "batch_size": batch_size, "epoch_steps": epoch_steps}
    check_sizes(gan, source, **sizes)
    run = RunDirectory(run_dir)
    for name in notes or ():
        run.check_note(name)
    backup = callbacks.Backup(run.backups, every_steps=backup_every)
    grid = callbacks.SampleGrid(
        run.grids, every_steps=grid_every, log_dir=run.tensorboard, last_step=steps
    )
    monitors: list[keras.callbacks.Callback] = []
    evaluation = _evaluation(evaluator, evaluate_every, epoch_steps, run)
    if any(player.is_mixture for player in gan.players.values()):
        monitors.append(
            callbacks.MixtureMonitor(
                run.mixture_log,
                every_steps=epoch_steps,
                warn=doctor_every is None,
                log_dir=run.tensorboard,
            )
        )
    described = describe(gan, source, batch_size=batch_size, given=settings)
    cluster = Cluster(gan.distribute_strategy)
    guard = _guard(source, run, backup, doctor_every, rollbacks, cluster)
    opened = run.open(described, resume=resume) if cluster.is_chief else contextlib.nullcontext()
    with cluster.naming_the_lost(), opened:
        if cluster.is_chief:
            _restore(gan, backup, run, steps)
            for name, text in (notes or {}).items():
                files.write_text(run.path / name, text)
        _restore_others(gan, backup, cluster)
        plan = _plan(gan, guard, run, steps, epoch_steps, cluster)
        measuring, others = [*evaluation, *extra_callbacks], [*monitors, grid, backup]
        _fit(gan, source, batch_size, plan, run, steps, measuring, others, guard, cluster)
        if cluster.is_chief:
            backup.remove_old(gan)
            with files.atomic_write(run.final_model) as temporary:
                gan.save(temporary)
        cluster.wait()


def _evaluation(
    evaluator: Evaluator | None, every_steps: int | None, epoch_steps: int, run: RunDirectory
) -> list[keras.callbacks.Callback]:
    if evaluator is None:
        return []
    every = (
        epoch_steps if every_steps is None else checks.positive_int("evaluate_every", every_steps)
    )
    if every % epoch_steps:
        raise ValueError(
            f"`evaluate_every` must be a multiple of `epoch_steps` = {epoch_steps}. Received: "
            f"{every_steps}"
        )
    return [
        callbacks.Evaluation(
            evaluator,
            every_epochs=every // epoch_steps,
            path=run.evaluation_log,
            best_model=run.best_model,
        )
    ]


def _guard(
    source: Source,
    run: RunDirectory,
    backup: callbacks.Backup,
    doctor_every: int | None,
    rollbacks: int,
    cluster: Cluster,
) -> Guard:
    if rollbacks and cluster.num_workers > 1:
        raise ValueError(
            "`rollbacks` are for one machine: in a cluster there is no doctor. "
            f"Received: rollbacks={rollbacks} and {cluster.num_workers} workers. Leave them out"
        )
    if cluster.num_workers > 1 or (doctor_every is None and not rollbacks):
        # A doctor would look, and stop, at the chief alone.
        return callbacks.StopOnNaN()
    if doctor_every is None:
        raise ValueError(
            f"`rollbacks` are the doctor's: give `doctor_every`. Received: rollbacks={rollbacks}"
        )
    if rollbacks and backup.every_steps % doctor_every:
        raise ValueError(
            "With `rollbacks` the doctor must look at each state that is backed up: `doctor_every` "
            f"must divide `backup_every` = {backup.every_steps}. Received: {doctor_every}"
        )
    return callbacks.Doctor(
        source,
        path=run.doctor_log,
        every_steps=checks.positive_int("doctor_every", doctor_every),
        backup=backup,
        rollbacks=rollbacks,
        log_dir=run.tensorboard,
    )


def _restore(gan: GAN, backup: callbacks.Backup, run: RunDirectory, steps: int) -> None:
    found = backup.restore(gan)
    if gan.step > steps:
        raise ValueError(
            f"{run.path} has done {gan.step} steps already. Received: steps={steps}. Ask for more "
            "to train on, or choose another run directory to train less"
        )
    if gan.step % gan.steps_per_execution:
        raise ValueError(
            f"{run.path} stands at step {gan.step}, which is no multiple of "
            f"`steps_per_execution` = {gan.steps_per_execution}. Go on with 1"
        )
    if found is not None:
        sys.stderr.write(f"Going on with {run.path} at step {gan.step} of {steps}\n")
    if gan.step < steps:
        # Of a shorter run; nobody shall take it for the one that is now being trained.
        run.final_model.unlink(missing_ok=True)


def _restore_others(gan: GAN, backup: callbacks.Backup, cluster: Cluster) -> None:
    """Brings all workers to where the chief stands, which has set aside damaged backups by now."""
    cluster.wait()
    if not cluster.is_chief:
        backup.restore(gan, mend=False)
    if cluster.total(gan.step) != gan.step * cluster.num_workers:
        raise ValueError(
            "All workers must share the run directory, where the chief writes the backups that "
            f"they begin from. Received: this one found step {gan.step} in {backup.directory}, "
            "another one not. Choose a folder that all machines see"
        )


def _fit(
    gan: GAN,
    source: Source,
    batch_size: int,
    plan: Iterable[Segment],
    run: RunDirectory,
    steps: int,
    measuring: Sequence[keras.callbacks.Callback],
    others: Sequence[keras.callbacks.Callback],
    guard: Guard,
    cluster: Cluster,
) -> None:
    progress = callbacks.Progress(steps)
    log = keras.callbacks.CSVLogger(str(run.log), append=True)
    tensorboard = keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False)
    try:
        total = cluster.total if cluster.num_workers > 1 else None
        with callbacks.GracefulStop(total=total) as stop:
            # The guard comes first: it must see a step before the step is saved. The logs come
            # before the backup: what it holds must have been logged. The CSV file keeps the columns
            # of its first row, so what is not measured each epoch comes after it; TensorBoard takes
            # any names, so it comes after what measures.
            watching = [guard, log, *measuring, tensorboard, *others, progress, stop]
            if not cluster.is_chief:
                watching = [guard, stop]
            for segment in plan:
                gan.fit(
                    source,
                    batch_size=batch_size,
                    **segment._asdict(),
                    verbose=0,
                    callbacks=watching,
                )
                if guard.message is not None:
                    raise FloatingPointError(guard.message)
                if stop.signal is not None and gan.step < steps:
                    raise Interrupted(stop.signal, gan.step)
    finally:
        # `fit` does not end its callbacks when it raises.
        progress.close()
        if log.csv_file is not None:
            log.csv_file.close()
        tensorboard.on_train_end()


def _plan(
    gan: GAN, guard: Guard, run: RunDirectory, steps: int, epoch_steps: int, cluster: Cluster
) -> Iterator[Segment]:
    """Yields the calls of `fit` up to step `steps`, anew from where a rollback leads."""
    begins = True
    while begins:
        begins = False
        if cluster.is_chief:
            run.drop_log_rows(gan.step // epoch_steps)
        for segment in segments(gan.step, steps, epoch_steps):
            yield segment
            begins = isinstance(guard, callbacks.Doctor) and guard.rolled_back
            if begins:
                break
