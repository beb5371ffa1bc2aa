"""Flags that name a run and the state of it to use."""

import sys
from typing import TYPE_CHECKING

from tfgans.cli.parser import Group, Parser

if TYPE_CHECKING:
    from tfgans.gan import GAN

CHECKPOINTS = ("last", "best", "final")


def define(group: Group) -> None:
    """Declares the flags."""
    group.path("run_dir", None, "folder of a run", value="FOLDER")
    group.choice(
        "checkpoint",
        None,
        CHECKPOINTS,
        "which model of the run: its last backup, the best of its evaluations, or the model at "
        "its end; default: final if the run has ended, else last",
    )


def load_gan(parser: Parser) -> "GAN":
    """Returns the model that the flags name; says so if it is that of an unfinished run."""
    from tfgans import training

    values = parser.values
    checkpoint = values.checkpoint
    if checkpoint is None:
        checkpoint = training.RunDirectory(values.run_dir).newest_checkpoint()
        if checkpoint == "last":
            gan = training.load_checkpoint(values.run_dir, "last")
            sys.stderr.write(f"{values.run_dir} has not ended: using its step {gan.step}\n")
            return gan
    return training.load_checkpoint(values.run_dir, checkpoint)
