"""Trains a GAN in a run directory; the same command again goes on where it stopped.

bin/train.py --dataset=digits --model=wgan_gp --run_dir=runs/x --steps=2000 --batch_size=64
"""

import shlex
import sys

import cli

import data_flags
import doctor_flags
import evaluate_flags
import model_flags
from absl import flags

import tfgans

FLAGS = flags.FLAGS
for module in (data_flags, model_flags, evaluate_flags, doctor_flags):
    flags.adopt_module_key_flags(module)
flags.DEFINE_string("run_dir", None, "folder of the run", required=True)
flags.DEFINE_integer("steps", 2000, "training steps of the whole run", lower_bound=1)
flags.DEFINE_integer("batch_size", 64, "examples in one update", lower_bound=1)
flags.DEFINE_integer("epoch_steps", 100, "training steps in a row of the log", lower_bound=1)
flags.DEFINE_integer("backup_every", 500, "training steps between backups", lower_bound=1)
flags.DEFINE_integer("grid_every", 500, "training steps between pictures", lower_bound=1)
flags.DEFINE_integer("evaluate_every", 0, "steps between evaluations; 0: none", lower_bound=0)
flags.DEFINE_bool("resume", True, "whether to go on with a run that is in --run_dir")
flags.DEFINE_bool("dry_run", False, "whether to print the plan and do nothing")
flags.register_multi_flags_validator(
    ["steps", "epoch_steps", "steps_per_execution", "evaluate_every"],
    lambda given: (
        not any(value % given["steps_per_execution"] for value in given.values())
        and not given["evaluate_every"] % given["epoch_steps"]
    ),
    "--steps, --epoch_steps: multiples of --steps_per_execution; --evaluate_every of --epoch_steps",
)
flags.register_multi_flags_validator(
    ["evaluate_every", *evaluate_flags.NAMES],
    lambda given: given.pop("evaluate_every") or all(one is None for one in given.values()),
    f"--{', --'.join(evaluate_flags.NAMES)} are of evaluations: give --evaluate_every",
)


def main() -> None:
    """Builds what the flags describe, and trains it or prints the plan."""
    model_flags.check()
    source = data_flags.load_source()
    gan = model_flags.build_gan(source)
    options = {
        "run_dir": FLAGS.run_dir,
        "steps": FLAGS.steps,
        "batch_size": FLAGS.batch_size,
        "epoch_steps": FLAGS.epoch_steps,
        "settings": {one: FLAGS[one].value for one in data_flags.DECISIVE + model_flags.DECISIVE},
        "resume": FLAGS.resume,
    }
    if FLAGS.dry_run:
        print(tfgans.runs.plan(gan, source, **options))
        return
    try:
        tfgans.runs.train(
            gan,
            source,
            **options,
            backup_every=FLAGS.backup_every,
            grid_every=FLAGS.grid_every,
            evaluator=evaluate_flags.evaluator(source) if FLAGS.evaluate_every else None,
            evaluate_every=FLAGS.evaluate_every or None,
            **doctor_flags.options(),
            notes={"flags.txt": cli.flagfile("dry_run")},
        )
    except tfgans.runs.Interrupted as stop:
        cli.end(f"{stop}. To go on: {shlex.join([sys.executable, *sys.argv])}", 128 + stop.signal)
    print(f"{FLAGS.run_dir}: {gan.step} steps, model in {FLAGS.run_dir}/final.keras")


if __name__ == "__main__":
    cli.run(main)
