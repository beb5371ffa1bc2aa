"""Flags of a training run: its length, its folder and its output."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfgans.cli.options import data, devices, evaluation
from tfgans.cli.parser import Parser

DEFAULT_STEPS = 2000
# The file of the flags in the folder of a run.
FLAGS_FILE = "flags.txt"
# Flags of how long a run trains and of what it writes on the way: they may change.
_MAY_CHANGE = (
    *("steps", "minutes", "cpu_seconds", "doctor_every", "rollbacks", "held_out"),
    *("steps_per_epoch", "backup_every", "grid_every", "show_augmented", "evaluate_every"),
    *evaluation.FLAGS,
)
# Flags that do not make another run.
_NOT_DECIDING = frozenset(
    {
        *("run_dir", "resume", "dry_run", "steps_per_execution", "strategy", "num_replicas"),
        *("data_dir", "download", "cache", "cache_dir", *_MAY_CHANGE),
    }
)
# Flags in an error.
_NUM_LISTED = 5


def define(parser: Parser) -> None:
    """Declares the flags of training, evaluation during training, devices and output."""
    group = parser.group("Training")
    group.integer(
        "steps",
        None,
        f"training steps of the whole run; default: {DEFAULT_STEPS}, or no limit with "
        "--minutes or --cpu_seconds",
        at_least=1,
    )
    group.number(
        "minutes",
        None,
        "limit of the training time of the whole run, after which it ends as after its last step",
    )
    group.number(
        "cpu_seconds",
        None,
        "limit of the CPU time of the training steps of the whole run, summed over threads, "
        "without tracing, evaluations, pictures and backups",
    )
    group.integer("batch_size", 64, "examples in an update", at_least=1)
    group.integer(
        "seed", 0, "seed of the data order, the initial weights and the noise", at_least=0
    )
    group.boolean("resume", True, "continue a run that is in --run_dir")
    group.integer(
        "doctor_every",
        500,
        "steps between checks for known problems; 0: none; a cluster has no checks",
        at_least=0,
    )
    group.integer(
        "rollbacks",
        0,
        "times that a run with problems may return to its last good backup, with half the learning "
        "rate",
        at_least=0,
    )
    group.string(
        "held_out",
        None,
        "split of the dataset with which the checks see whether the discriminator overfits",
        value="SPLIT",
    )
    group = parser.group("Output")
    group.path("run_dir", None, "folder of the run (required)", value="FOLDER")
    group.integer("steps_per_epoch", 100, "training steps in a row of log.csv", at_least=1)
    group.integer("backup_every", 500, "training steps between backups", at_least=1)
    group.integer("grid_every", 500, "training steps between pictures of samples", at_least=1)
    group.boolean(
        "show_augmented", False, "also draw real images as the discriminator sees them, augmented"
    )
    group.integer("evaluate_every", 0, "training steps between evaluations; 0: none", at_least=0)
    group.boolean("dry_run", False, "build everything, print the plan and stop")
    evaluation.define(parser)
    devices.define(parser)
    parser.require("run_dir")
    for flag in ("minutes", "cpu_seconds"):
        parser.check(
            [flag],
            lambda values: all(limit is None or 0 < limit < math.inf for limit in values.values()),
            f"--{flag} must be a number above 0: the limit of the whole run",
        )
    parser.check(
        ["steps", "steps_per_epoch", "steps_per_execution"],
        lambda values: (
            not _break_executions(values["steps_per_execution"], values["steps"])
            and not _break_executions(values["steps_per_execution"], values["steps_per_epoch"])
        ),
        "--steps and --steps_per_epoch must be multiples of --steps_per_execution",
    )
    parser.check(
        ["steps_per_epoch", "evaluate_every"],
        lambda values: not values["evaluate_every"] % values["steps_per_epoch"],
        "--evaluate_every must be a multiple of --steps_per_epoch, the steps in a row of the log: "
        "pass the same number as both",
    )
    parser.check_companions(
        "evaluate_every",
        evaluation.FLAGS,
        f"--{', --'.join(evaluation.FLAGS)} need --evaluate_every",
    )
    parser.check_companions("doctor_every", ["rollbacks"], "--rollbacks needs --doctor_every")
    parser.check_companions("doctor_every", ["held_out"], "--held_out needs --doctor_every")


def _break_executions(steps_per_execution: int | str, steps: int | None) -> bool:
    return steps_per_execution != "auto" and bool((steps or 0) % int(steps_per_execution))


def options(parser: Parser, source: Any) -> dict[str, Any]:
    """Returns the keyword arguments of `tfgans.training.Run`."""
    values = parser.values
    limited = values.minutes is not None or values.cpu_seconds is not None
    return {
        "steps": values.steps or (None if limited else DEFAULT_STEPS),
        "minutes": values.minutes,
        "cpu_seconds": values.cpu_seconds,
        "batch_size": values.batch_size,
        "steps_per_epoch": values.steps_per_epoch,
        "backup_every": values.backup_every,
        "grid_every": values.grid_every,
        "evaluator": evaluation.evaluator(parser, source) if values.evaluate_every else None,
        "evaluate_every": values.evaluate_every or None,
        "adapt_every": values.adapt_every or None,
        "max_generators": values.max_generators,
        "doctor_every": values.doctor_every or None,
        "held_out": data.load_split(parser, "held_out") if values.held_out else None,
        "show_augmented": values.show_augmented,
        "rollbacks": values.rollbacks,
        "resume": values.resume,
    }


def refuse_ignored(parser: Parser) -> None:
    """Raises ValueError for flags that would do nothing, since the run is complete.

    They are compared with the flags of the run; a run that was made in Python has none.
    """
    values = parser.values
    limited = values.minutes is not None or values.cpu_seconds is not None
    # Without another limit `Run` refuses fewer steps than are done, and says how many are.
    names = [name for name in _MAY_CHANGE if name != "steps" or limited]
    differences = [
        f"{here} ({there} there)"
        for name, (there, here) in _differences(parser, names).items()
        if parser.is_set(name)
    ]
    if differences:
        raise ValueError(
            f"{values.run_dir} is finished, so these flags would do nothing: "
            f"{_listed(differences)}. Leave them out, raise --steps, --minutes or --cpu_seconds "
            "to train on, or choose another --run_dir; `tfgans evaluate` measures a finished run"
        )


def error_of_another_run(parser: Parser, error: ValueError) -> ValueError:
    """Returns the error of a folder with another run, with the flags that differ if there are any.

    Args:
        parser: The parsed flags.
        error: The error of the library, with the settings that differ.
    """
    names = [name for name in parser.values if name not in _NOT_DECIDING]
    differences = _differences(parser, names)
    kinds = {flag.partition(":")[0] for flag in differences.get("dataset", ())}
    if len(kinds) == len(differences) == 1 and "--dataset=hf" not in kinds:
        # Files may be moved: the library says what else is different about them.
        del differences["dataset"]
    if not differences:
        return error
    run_dir = parser.values.run_dir
    listed = [f"{there} there and {here} here" for there, here in differences.values()]
    return ValueError(
        f"{run_dir} holds another run: {_listed(listed)}. Use the flags of "
        f"{run_dir}/{FLAGS_FILE} to continue it, or choose another --run_dir"
    )


def _differences(parser: Parser, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    file = Path(parser.values.run_dir, FLAGS_FILE)
    if not file.is_file():
        return {}
    return parser.differences(file.read_text(encoding="utf-8", errors="replace"), *names)


def _listed(differences: Sequence[str]) -> str:
    rest = len(differences) - _NUM_LISTED
    more = [f"and {rest} more"] if rest > 0 else []
    return "; ".join([*differences[:_NUM_LISTED], *more])
