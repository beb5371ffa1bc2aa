"""`tfgans experiment`: reruns the experiment of a paper, or runs one of the user."""

from collections.abc import Sequence
from pathlib import Path

from tfgans.cli.command import (
    Command,
    Exit,
    interrupting_signals,
    needs_extra,
    resume_command,
    typed_command,
)
from tfgans.cli.options import output
from tfgans.cli.parser import Parser

NAMES = (
    *("many_paths", "vanishing_gradients", "generalization", "equilibrium", "mix"),
    *("mix_images", "limited_data", "grow", "diversity", "kl_wgan", "dcd"),
    *("objectives_by_penalties", "real_images"),
)


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Experiment")
    group.string(
        "lab",
        None,
        f"which: {', '.join(NAMES)}; all, each in a folder of --out; or a Python file of your own "
        "with a LAB, which is executed (required)",
        value="NAME",
    )
    group.integer("seeds", 8, "runs of each cell, each with another seed", at_least=1)
    group.words(
        "only", "run the cells with these settings, as game=r3gan,game=wgan", value="NAME=VALUE,..."
    )
    group.number(
        "seconds",
        None,
        "CPU seconds of training, of labs that train for a time; default: the lab's",
        at_least=1,
    )
    group.boolean("quick", False, "run a smaller version for a first try; do not cite its results")
    group.boolean("report_only", False, "report on the runs that are there, and run nothing")
    group = parser.group("Execution")
    group.integer(
        "workers",
        None,
        "maximum number of concurrent runs; default: the number of CPUs; labs that compare CPU "
        "time take a run at a time",
        at_least=1,
    )
    group.choice(
        "engine",
        "processes",
        ("processes", "ray"),
        "ray uses the cluster at RAY_ADDRESS, or a local cluster",
    )
    parser.group("Output").path(
        "out", None, "folder of the results; the same command continues it (required)"
    )
    parser.require("lab", "out")
    parser.check(
        ["lab"],
        lambda values: values["lab"] in (None, "all", *NAMES) or values["lab"].endswith(".py"),
        f"--lab must be all, {', '.join(NAMES)}, or a file that ends in .py",
    )
    parser.check(
        ["lab", "only", "seconds"],
        lambda values: values["lab"] != "all" or not (values["only"] or values["seconds"]),
        "--only and --seconds are settings of a single lab: name it in place of all",
    )
    parser.check(
        ["report_only"],
        lambda values: (
            not (values["report_only"] and any(map(parser.is_changed, ("workers", "engine"))))
        ),
        "--workers and --engine do nothing with --report_only: leave them out",
    )


def experiment(parser: Parser, _: Sequence[str]) -> int:
    """Runs a lab, or all; if that ends early, says how to continue."""
    try:
        with interrupting_signals():
            return _run(parser)
    except KeyboardInterrupt as stop:
        command = resume_command("experiment", parser.words)
        raise Exit(f"interrupted. To continue: {command}", 128 + stop.args[0]) from stop


def _run(parser: Parser) -> int:
    from tfgans import files

    with needs_extra("labs"):
        from tfgans import labs
        from tfgans.labs import report
    values = parser.values
    output.check_folder("out", values.out)
    every = values.lab == "all"
    outcomes = [
        labs.run(
            labs.load(name),
            Path(values.out, name) if every else values.out,
            seeds=values.seeds,
            quick=values.quick,
            only=values.only or (),
            seconds=values.seconds,
            workers=values.workers,
            engine=values.engine,
            report_only=values.report_only,
            command=typed_command("experiment", parser.words),
            progress=True,
        )
        for name in (NAMES if every else [values.lab])
    ]
    verdicts = [verdict for outcome in outcomes for verdict in outcome.verdicts]
    if verdicts:
        table = report.verdict_table(verdicts)
        if every:
            files.write_text(Path(values.out, "verdicts.md"), table + "\n")
        print(f"{table}\n")
    print(values.out)
    failed = [
        f"{outcome.num_failed} in {outcome.folder}/log.txt"
        for outcome in outcomes
        if outcome.num_failed
    ]
    if failed:
        raise Exit(f"runs failed: {', '.join(failed)}. The same command tries them again")
    return 0


COMMAND = Command(
    name="experiment",
    summary="Runs an experiment, a paper's or yours: rows, figures, a report with verdicts.",
    examples=(
        "--lab=vanishing_gradients --quick --out=runs/labs/vanishing_gradients",
        "--lab=mix_images --seeds=5 --only=game=r3gan --seconds=120 --out=runs/labs/mix_images",
        "--lab=my_lab.py --quick --out=runs/mine",
    ),
    define=define,
    run=experiment,
)
main = COMMAND.main
