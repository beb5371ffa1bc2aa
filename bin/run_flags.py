"""Flags that say where and for how long a run trains, and what it writes meanwhile."""

from typing import Any

import cluster_flags
import doctor_flags
import evaluate_flags
from absl import flags

FLAGS = flags.FLAGS
for module in (evaluate_flags, cluster_flags, doctor_flags):
    flags.adopt_module_key_flags(module)
flags.DEFINE_string("run_dir", None, "folder of the run", required=True)
flags.DEFINE_integer("steps", 2000, "training steps of the whole run", lower_bound=1)
flags.DEFINE_integer("batch_size", 64, "examples in one update", lower_bound=1)
flags.DEFINE_integer("epoch_steps", 100, "training steps in a row of the log", lower_bound=1)
flags.DEFINE_integer("backup_every", 500, "training steps between backups", lower_bound=1)
flags.DEFINE_integer("grid_every", 500, "training steps between pictures", lower_bound=1)
flags.DEFINE_integer("evaluate_every", 0, "steps between evaluations; 0: none", lower_bound=0)
flags.DEFINE_bool("resume", True, "whether to go on with a run that is in --run_dir")
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


def plan_options() -> dict[str, Any]:
    """Returns what `tfgans.training.plan` and `tfgans.training.train` both take."""
    names = ("run_dir", "steps", "batch_size", "epoch_steps", "resume")
    return {name: FLAGS[name].value for name in names}


def train_options(source: Any) -> dict[str, Any]:
    """Returns what only `tfgans.training.train` takes."""
    return {
        "backup_every": FLAGS.backup_every,
        "grid_every": FLAGS.grid_every,
        "evaluator": evaluate_flags.evaluator(source) if FLAGS.evaluate_every else None,
        "evaluate_every": FLAGS.evaluate_every or None,
        **doctor_flags.options(),
    }
