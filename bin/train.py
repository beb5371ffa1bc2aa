"""Trains a GAN in a run directory; the same command again goes on where it stopped.

bin/train.py --dataset=digits --model=wgan_gp --run_dir=runs/x --steps=2000 --batch_size=64
"""

import shlex
import sys

import cli

import cluster_flags
import data_flags
import model_flags
import run_flags
from absl import flags

import tfgans
from tfgans.training.local_cluster import TRY_AGAIN

FLAGS = flags.FLAGS
for module in (data_flags, model_flags, run_flags):
    flags.adopt_module_key_flags(module)
flags.DEFINE_bool("dry_run", False, "whether to print the plan and do nothing")


def main() -> None:
    """Trains; says how to go on where that ended early."""
    model_flags.check()
    try:
        build_and_train()
    except tfgans.training.Interrupted as stop:
        cli.end(f"{stop}. To go on: {shlex.join([sys.executable, *sys.argv])}", 128 + stop.signal)
    except tfgans.training.WorkerLost as lost:
        cli.end(f"error: {lost}", TRY_AGAIN)


def build_and_train() -> None:
    """Builds what the flags describe, and trains it or prints the plan."""
    with cluster_flags.scope():
        source = data_flags.load_source()
        gan = model_flags.build_gan(source)
    settings = {name: FLAGS[name].value for name in data_flags.DECISIVE + model_flags.DECISIVE}
    options = {**run_flags.plan_options(), "settings": settings}
    if FLAGS.dry_run:
        print(tfgans.training.plan(gan, source, **options))
        return
    notes = {"flags.txt": cli.flagfile("dry_run")}
    tfgans.training.train(gan, source, **options, **run_flags.train_options(source), notes=notes)
    print(f"{FLAGS.run_dir}: {gan.step} steps, model in {FLAGS.run_dir}/final.keras")


if __name__ == "__main__":
    cli.run(main)
