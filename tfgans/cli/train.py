"""`tfgans train`: trains a GAN in a run directory."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfgans.cli.command import Command, Exit, resume_command
from tfgans.cli.options import data, devices, model, output, run
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.data import Source
    from tfgans.gan import GAN
    from tfgans.training import Run


def define(parser: Parser) -> None:
    """Declares the flags."""
    # The order of the help.
    for title in ("Data", "Method", "Networks", "Optimization", "Training", "Output", "Evaluation"):
        parser.group(title)
    data.define(parser)
    model.define(parser)
    run.define(parser)


def build(parser: Parser) -> "tuple[GAN, Source]":
    """Returns the compiled model that the flags describe, and the data.

    Raises:
        ValueError: If a flag does not apply, or the data cannot be loaded.
    """
    model.check(parser)
    with devices.scope(parser):
        data.check_outside(parser, parser.values.run_dir)
        source = data.load_source(parser)
        return model.build(parser, source), source


def train(parser: Parser, _: Sequence[str]) -> int:
    """Trains; if that ends early, says how to continue."""
    from tfgans.freed_memory import keep_freed_memory

    keep_freed_memory()  # Before the first threads of TensorFlow.
    from tfgans import training
    from tfgans.cli.local_cluster import TRY_AGAIN

    try:
        return _train(parser)
    except training.WorkerLost as lost:
        raise Exit(f"error: {lost}", TRY_AGAIN) from lost


def _train(parser: Parser) -> int:
    from tfgans import training
    from tfgans.training.directory import AnotherRun

    values = parser.values
    # In a cluster only the chief writes; `Run` reports its errors.
    if not values.dry_run and values.strategy != "multi_worker":
        output.check_folder("run_dir", values.run_dir)
    gan, source = build(parser)
    options = run.options(parser, source)
    with errors_in_flags({"AdaptComponents": "adapt_every"}):
        job = training.Run(
            values.run_dir,
            gan,
            source,
            settings={"pretrained": values.pretrained} if values.pretrained else None,
            notes={run.FLAGS_FILE: parser.flag_file("dry_run")},
            **options,
        )
    try:
        if values.resume and job.is_complete:
            job.directory.check(job.settings, resume=True)
            run.refuse_ignored(parser)
        return _run(parser, job, gan)
    except AnotherRun as error:
        raise run.error_of_another_run(parser, error) from error


def _run(parser: Parser, job: "Run", gan: "GAN") -> int:
    from tfgans import training

    values = parser.values
    files = data.describe_files(parser) if values.dry_run or job.begins else None
    if values.dry_run:
        print(*([] if files is None else [files, ""]), job.plan(), sep="\n")
        return 0
    if files is not None:
        sys.stderr.write(f"{files}\n")
    try:
        job.train()
    except training.Interrupted as stop:
        code = 128 + stop.signal
        # The command that started all workers starts them again.
        if values.strategy == "multi_worker":
            raise Exit(str(stop), code) from stop
        words = [*parser.words, *([] if values.resume else ["--resume"])]
        raise Exit(f"{stop}. To continue: {resume_command('train', words)}", code) from stop
    print(f"{values.run_dir}: {gan.step} steps, model in {values.run_dir}/final.keras")
    return 0


COMMAND = Command(
    name="train",
    summary="Trains a GAN in a run directory; the same command again continues it.",
    examples=(
        "--dataset=digits --run_dir=runs/digits --minutes=10",
        "--dataset=folder:photos --image_size=32 --run_dir=runs/photos --steps=20000",
        "--dataset=digits --num_generators=4 --evaluate_every=500 --run_dir=runs/mix",
    ),
    define=define,
    run=train,
)
main = COMMAND.main
