"""The console command `tfgans`: finds the command that is asked for and runs it."""

import difflib
import importlib
import sys
from collections.abc import Sequence

from tfgans.cli.command import Command

# The commands in the order of the help; each is the module of this package of the same name.
COMMANDS = (
    "data",
    "train",
    "sweep",
    "sample",
    "evaluate",
    "compare",
    "report",
    "export",
    "card",
    "verify",
    "serve",
    "equilibrium",
    "experiment",
    "launch",
)


def load(name: str) -> Command:
    """Returns the command of a name."""
    command: Command = importlib.import_module(f"tfgans.cli.{name}").COMMAND
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `tfgans COMMAND --flag=value ...`; returns the exit code.

    Args:
        arguments: The words after `tfgans`. Default: those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["help"] and words[1:]:
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0 if words else 2
    if words[0] == "--version":
        from tfgans import __version__

        sys.stdout.write(f"tfgans {__version__}\n")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Commands: {', '.join(COMMANDS)}"
        sys.stderr.write(f"tfgans: error: unknown command {name!a}. {hint}\n")
        return 2
    return load(name).main(rest)


def overview() -> str:
    """Returns what there is to do, as text."""
    commands = [load(name) for name in COMMANDS]
    return "\n".join(
        [
            "Trains, samples, evaluates and serves generative adversarial networks (GANs).",
            "",
            "Usage: tfgans COMMAND --flag=value ...",
            "",
            "Commands",
            *(f"  {command.name:13}{command.summary}" for command in commands),
            "",
            "Examples",
            "  tfgans train --dataset=digits --run_dir=runs/digits --minutes=10",
            "  tfgans sample --run_dir=runs/digits --out=samples.png",
            "  tfgans export --run_dir=runs/digits --out=exported/digits",
            "",
            "tfgans COMMAND --help explains the flags of a command; tfgans --version the version.",
            "",
        ]
    )
