"""`tfgans card`: prints the model card of an export."""

import sys
from collections.abc import Sequence

from tfgans.cli.command import Command
from tfgans.cli.parser import Parser


def define(_: Parser) -> None:
    """Declares no flags."""


def card(_: Parser, words: Sequence[str]) -> int:
    """Prints the card as Markdown."""
    from tfgans.export.model_card import card_text, read_card, version_folder

    (path,) = words
    sys.stdout.write(card_text(read_card(version_folder(path))))
    return 0


COMMAND = Command(
    name="card",
    summary="Prints the model card of an export, as Markdown.",
    examples=("exported/digits", "exported/digits/1", "~/models/faces"),
    define=define,
    run=card,
    operand="EXPORT",
)
main = COMMAND.main
