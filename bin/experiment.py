"""Reruns a paper's experiment: rows, figures, and a report with a verdict on each claim.

bin/experiment.py --lab=vanishing_gradients --out=runs/labs/vanishing_gradients --seeds=8
bin/experiment.py --lab=all --quick --out=runs/labs
"""

import shlex
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import cli

from absl import flags

from tfgans import files

try:
    from tfgans import labs
    from tfgans.labs import report
except ImportError as error:
    cli.fail(f"{error}. The labs need more packages: pip install -e '.[labs]'")

FLAGS = flags.FLAGS
flags.DEFINE_enum("lab", None, [*labs.NAMES, "all"], "which; all: each in a folder of --out")
flags.DEFINE_string("out", None, "folder of the results; the same command goes on in it")
flags.DEFINE_integer("seeds", 8, "runs of each cell, from seeds 0, 1, ...", lower_bound=1)
flags.DEFINE_bool("quick", False, "whether to run a smaller form: for trying, not for quoting")
flags.DEFINE_integer("workers", None, "runs at a time; default: one a CPU", lower_bound=1)
flags.DEFINE_enum(
    "engine", "processes", ["processes", "ray"], "ray: the cluster at RAY_ADDRESS, or a local one"
)
flags.mark_flags_as_required(["lab", "out"])


def main() -> None:
    """Runs one lab, or all; says how to go on where that ended early."""
    command = shlex.join(["bin/experiment.py", *sys.argv[1:]])
    # The processes of the runs must end with this one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        run(command)
    except KeyboardInterrupt as stop:
        cli.end(f"interrupted. To go on: {command}", 128 + stop.args[0])


def _interrupt(number: int, _: Any) -> NoReturn:
    raise KeyboardInterrupt(number)


def run(command: str) -> None:
    """Runs what is asked for, and prints the verdicts."""
    every = FLAGS.lab == "all"
    outcomes = [
        labs.run(
            labs.load(name),
            Path(FLAGS.out, name) if every else FLAGS.out,
            seeds=FLAGS.seeds,
            quick=FLAGS.quick,
            workers=FLAGS.workers,
            engine=FLAGS.engine,
            command=command,
            progress=True,
        )
        for name in (labs.NAMES if every else [FLAGS.lab])
    ]
    table = report.verdict_table([one for outcome in outcomes for one in outcome.verdicts])
    if every:
        files.write_text(Path(FLAGS.out, "verdicts.md"), table + "\n")
    print(f"{table}\n\n{FLAGS.out}")
    failed = [f"{one.num_failed} in {one.folder}/log.txt" for one in outcomes if one.num_failed]
    if failed:
        cli.fail(f"runs failed: {', '.join(failed)}. The same command tries them again")


if __name__ == "__main__":
    cli.run(main)
