"""`tfgans launch`: trains with several processes of this machine."""

import sys
from collections.abc import Sequence

from tfgans.cli.command import Command, Exit, resume_command
from tfgans.cli.parser import Parser


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Workers (all other flags are those of tfgans train)")
    group.integer("workers", 2, "number of processes", at_least=1)
    group.integer(
        "restarts", 0, "restarts of all processes after the loss of a process", at_least=0
    )


def launch(parser: Parser, train_flags: Sequence[str]) -> int:
    """Starts the workers and returns their exit code; if they end early, says how to continue."""
    from tfgans.cli import local_cluster

    values = parser.values
    _check_strategy(train_flags)
    code = local_cluster.launch(
        [sys.executable, "-m", "tfgans", "train", *train_flags, "--strategy=multi_worker"],
        num_workers=values.workers,
        restarts=values.restarts,
        when_restarted=["--resume"],
    )
    if code == local_cluster.TRY_AGAIN or code > 128:
        words = [*parser.words, *([] if "--resume" in parser.words else ["--resume"])]
        raise Exit(f"ended early. To continue: {resume_command('launch', words)}", code)
    return code


def _check_strategy(train_flags: Sequence[str]) -> None:
    """Raises ValueError for a strategy that would be ignored; "default" stands in flag files."""
    for index, word in enumerate(train_flags):
        name, equals, value = word.lstrip("-").partition("=")
        if name == "strategy" and word.startswith("-"):
            chosen = value if equals else next(iter(train_flags[index + 1 :]), "")
            if chosen not in ("default", "multi_worker"):
                raise ValueError(
                    "tfgans launch sets --strategy=multi_worker. Received: --strategy="
                    f"{chosen}. Leave it out"
                )


COMMAND = Command(
    name="launch",
    summary="Trains with several processes of this machine, as on several machines.",
    examples=(
        "--dataset=digits --run_dir=runs/digits",
        "--workers=4 --dataset=digits --batch_size=256 --run_dir=runs/digits",
        "--workers=2 --restarts=3 --dataset=digits --run_dir=runs/digits --steps=20000",
    ),
    define=define,
    run=launch,
    passes_on=True,
    tensorflow=lambda _: False,
)
main = COMMAND.main
