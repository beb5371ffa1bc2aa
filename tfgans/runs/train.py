"""One call from a compiled model and a source to a finished run directory."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras

from tfgans import callbacks, checks, files
from tfgans.data import Source
from tfgans.layers import Mixture
from tfgans.metrics import Evaluator
from tfgans.models import GAN
from tfgans.runs.directory import RunDirectory
from tfgans.runs.settings import check_sizes, describe


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


class Segment(NamedTuple):
    """One call of `fit`."""

    initial_epoch: int
    epochs: int
    steps_per_epoch: int


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
    settings: Mapping[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
    resume: bool = True,
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains up to `steps` training steps in a run directory, from wherever the run stands.

    Called again with the same arguments after a crash, a kill or Ctrl-C, it goes on from the last
    backup and ends with the same bits. With a larger `steps` it trains a finished run on.

    Args:
        gan: Compiled model.
        source: Where the real examples come from.
        run_dir: Folder of the run; `RunDirectory` lists what lands there.
        steps: Int, training steps of the whole run.
        batch_size: Int, examples in one update.
        epoch_steps: Int, training steps in a row of the log.
        backup_every: Int, training steps between backups.
        grid_every: Int, training steps between pictures.
        evaluator: `tfgans.metrics.Evaluator`, what is measured while the run goes on; the model
            with the best first metric is kept. Default: None.
        evaluate_every: Int, a multiple of `epoch_steps`: training steps between evaluations.
            Default: `epoch_steps`.
        settings: JSON values that decide the result, kept in `run.json`; a run directory with
            other settings is refused.
        notes: Text files for the run directory, by plain name: how it was started.
        resume: Whether to go on with a run that is in `run_dir`.
        extra_callbacks: More Keras callbacks.

    Raises:
        ValueError: If an argument is out of range, or `run_dir` holds another run.
        Interrupted: After SIGINT or SIGTERM; everything is saved.
        FloatingPointError: If a loss became NaN or infinite; the last good backup stays.
    """
    sizes = {"steps": steps, "batch_size": batch_size, "epoch_steps": epoch_steps}
    check_sizes(gan, source, **sizes)
    run = RunDirectory(run_dir)
    for name in notes or ():
        run.check_note(name)
    backup = callbacks.Backup(run.backups, every_steps=backup_every)
    grid = callbacks.SampleGrid(run.grids, every_steps=grid_every, log_dir=run.tensorboard)
    monitors: list[keras.callbacks.Callback] = []
    evaluation = _evaluation(evaluator, evaluate_every, epoch_steps, run)
    if any(isinstance(player, Mixture) for player in (gan.generator, gan.discriminator)):
        monitors.append(
            callbacks.MixtureMonitor(
                run.mixture_log, every_steps=epoch_steps, log_dir=run.tensorboard
            )
        )
    described = describe(gan, source, batch_size=batch_size, given=settings)
    with run.open(described, resume=resume):
        _restore(gan, backup, run, steps)
        for name, text in (notes or {}).items():
            files.write_text(run.path / name, text)
        run.drop_log_rows(gan.step // epoch_steps)
        plan = segments(gan.step, steps, epoch_steps)
        others = [*extra_callbacks, *monitors, grid, backup]
        _fit(gan, source, batch_size, plan, run, steps, others, measuring=evaluation)
        with files.atomic_write(run.final_model) as temporary:
            gan.save(temporary)


def _evaluation(
    evaluator: Evaluator | None, every_steps: int | None, epoch_steps: int, run: RunDirectory
) -> list[keras.callbacks.Callback]:
    if evaluator is None:
        return []
    every = epoch_steps if every_steps is None else checks.positive_int("evaluate_every", every_steps)
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


def _fit(
    gan: GAN,
    source: Source,
    batch_size: int,
    plan: Iterable[Segment],
    run: RunDirectory,
    steps: int,
    others: Sequence[keras.callbacks.Callback],
    *,
    measuring: Sequence[keras.callbacks.Callback],
) -> None:
    nan_guard, progress = callbacks.StopOnNaN(), callbacks.Progress(steps)
    log = keras.callbacks.CSVLogger(str(run.log), append=True)
    tensorboard = keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False)
    try:
        with callbacks.GracefulStop() as stop:
            # The guard comes first: it must see a step before the step is saved. The logs come
            # before the backup: what it holds must have been logged. The CSV file keeps the columns
            # of its first row, so what is not measured each epoch comes after it.
            watching = [nan_guard, log, *measuring, tensorboard, *others, progress, stop]
            for segment in plan:
                gan.fit(
                    source.batches(
                        batch_size,
                        start_step=gan.step * gan.discriminator_steps,
                        labels=gan.num_classes is not None,
                    ),
                    **segment._asdict(),
                    verbose=0,
                    callbacks=watching,
                )
                if nan_guard.message is not None:
                    raise FloatingPointError(nan_guard.message)
                if stop.signal is not None and gan.step < steps:
                    raise Interrupted(stop.signal, gan.step)
    finally:
        # `fit` does not end its callbacks when it raises.
        progress.close()
        if log.csv_file is not None:
            log.csv_file.close()


def segments(done: int, steps: int, epoch_steps: int) -> Iterator[Segment]:
    """Yields the calls of `fit` that lead from step `done` to `steps`.

    A run that stopped within an epoch finishes it first, then come the whole epochs, then what is
    left over: so epochs end at the same steps as without the stop. The log's row of the epoch with
    the stop is a mean over its steps after the stop only.
    """
    while done < steps:
        epoch, begun = divmod(done, epoch_steps)
        whole = (steps - done) // epoch_steps
        if begun or not whole:
            count, epochs = min(epoch_steps - begun, steps - done), 1
        else:
            count, epochs = epoch_steps, whole
        yield Segment(initial_epoch=epoch, epochs=epoch + epochs, steps_per_epoch=count)
        done += count * epochs
