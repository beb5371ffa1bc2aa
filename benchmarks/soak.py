"""Trains for a long time and checks that memory, descriptors and the time of a step do not grow.

benchmarks/soak.py --minutes=30 --out=soak.json

A mixture so small that half an hour holds more than 10^5 steps trains through
`tfgans.training.Run` with all that a run has: pictures, evaluations, TensorBoard, the mixture's
monitor, backups. Exit code 1 if a limit is passed.
"""

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import psutil
import soak_verdict
import tensorflow as tf
from absl import app, flags
from soak_verdict import Limits, Reading

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_float("minutes", 30, "how long to train", lower_bound=0.1)
flags.DEFINE_float("seconds_between", 10, "seconds between readings", lower_bound=0.1)
flags.DEFINE_float(
    "memory_mb_per_hour", Limits.memory_mb_per_hour, "limit of the memory's trend", lower_bound=0
)
flags.DEFINE_float("slower", Limits.slower, "share of its speed that the end may lose", 0, 1)
flags.DEFINE_string("out", None, "JSON file for all readings")

STEPS_PER_EXECUTION = 10
EPOCH_STEPS = 200
SHOWN = 15


class Watch(keras.callbacks.Callback):
    """Reads the state of the process at intervals, and ends training when the time is up."""

    def __init__(self, run_dir: Path, *, minutes: float, seconds_between: float) -> None:
        super().__init__()
        self.readings: list[Reading] = []
        self._run_dir = run_dir
        self._end = 60 * minutes
        self._between = seconds_between
        self._process = psutil.Process()
        self._started: float | None = None

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Reads the process at each interval; the clock starts after the tracing."""
        del batch, logs
        if self._started is None:
            self._started = time.monotonic()
        passed = time.monotonic() - self._started
        if passed >= self._between * len(self.readings):
            self.readings.append(self._read(passed))
        if passed >= self._end:
            self.model.stop_training = True

    def _read(self, passed: float) -> Reading:
        files = [path for path in self._run_dir.rglob("*") if path.is_file()]
        return Reading(
            seconds=passed,
            cpu_seconds=time.process_time(),
            step=self.model.step,
            memory_mb=self._process.memory_info().rss / 2**20,
            descriptors=self._process.num_fds(),
            threads=self._process.num_threads(),
            directory_mb=sum(path.stat().st_size for path in files) / 2**20,
        )


def train(run_dir: Path) -> Sequence[Reading]:
    """Trains until the time is up, and returns the readings."""
    source = tfgans.data.Ring(seed=0)
    generators = [
        tfgans.networks.mlp_generator((2,), latent_dim=2, width=16, depth=1, seed=seed)
        for seed in range(2)
    ]
    judge = tfgans.networks.mlp_discriminator((2,), width=16, depth=1, seed=2)
    mixture = tfgans.MixtureGenerator(generators)
    gan = tfgans.WGANGP(mixture, judge, discriminator_steps=1, ema=0.99)
    gan.compile(steps_per_execution=STEPS_PER_EXECUTION)
    watch = Watch(run_dir, minutes=FLAGS.minutes, seconds_between=FLAGS.seconds_between)
    tfgans.training.Run(
        run_dir,
        gan,
        source,
        # More than there is time for.
        steps=10**8,
        batch_size=32,
        steps_per_epoch=EPOCH_STEPS,
        backup_every=EPOCH_STEPS,
        grid_every=10 * EPOCH_STEPS,
        evaluator=tfgans.evaluation.Evaluator(source, num_samples=500),
        evaluate_every=5 * EPOCH_STEPS,
        extra_callbacks=[watch],
    ).train()
    return watch.readings


def print_table(readings: Sequence[Reading]) -> None:
    """Prints some of the readings, from the first to the last."""
    print(
        f"{'minute':>8}{'step':>10}{'steps/s':>9}{'MB':>9}{'files':>7}{'threads':>9}{'disk MB':>9}"
    )
    every = max(1, len(readings) // SHOWN)
    shown = [*readings[:-1:every], readings[-1]]
    for before, reading in zip([shown[0], *shown], shown, strict=False):
        seconds = reading.seconds - before.seconds
        speed = f"{(reading.step - before.step) / seconds:.0f}" if seconds else ""
        print(
            f"{reading.seconds / 60:8.1f}{reading.step:10}{speed:>9}{reading.memory_mb:9.1f}"
            f"{reading.descriptors:7}{reading.threads:9}{reading.directory_mb:9.1f}"
        )


def main(argv: list[str]) -> None:
    """Trains, prints the table and the verdict."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    print(f"tfgans {tfgans.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        readings = train(Path(folder, "run"))
    if FLAGS.out is not None:
        rows = [dataclasses.asdict(reading) for reading in readings]
        Path(FLAGS.out).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print_table(readings)
    limits = Limits(memory_mb_per_hour=FLAGS.memory_mb_per_hour, slower=FLAGS.slower)
    findings = soak_verdict.judge(readings, limits)
    for finding in findings:
        print(f"{finding.name:>12}  {'flat' if finding.passed else 'NOT FLAT'}: {finding.text}")
    sys.exit(not all(finding.passed for finding in findings))


if __name__ == "__main__":
    app.run(main)
