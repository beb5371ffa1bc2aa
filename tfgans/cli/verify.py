"""`tfgans verify`: checks the files of an export, and that it returns the recorded results."""

from collections.abc import Sequence

from tfgans.cli.command import Command
from tfgans.cli.parser import Parser


def define(_: Parser) -> None:
    """Declares no flags."""


def verify(_: Parser, words: Sequence[str]) -> int:
    """Compares the checksums, and repeats the calls of the export's own check."""
    from tfgans.export.model_card import checksums, read_card, version_folder
    from tfgans.export.self_check import repeat_check

    (path,) = words
    folder = version_folder(path)
    expected, received = read_card(folder)["checksums"], checksums(folder)
    names = sorted(expected.keys() | received.keys())
    different = [name for name in names if expected.get(name) != received.get(name)]
    if different:
        raise ValueError(
            f"{folder} is not as it was exported: changed, missing or new files: "
            f"{', '.join(different)}"
        )
    print(f"{folder}: {len(expected)} files as they were exported", flush=True)
    print(f"{folder}: {repeat_check(folder)} calls return the recorded results")
    return 0


COMMAND = Command(
    name="verify",
    summary="Verifies the checksums of an export, and that its signatures still return the "
    "recorded results.",
    examples=("exported/digits", "exported/digits/1", "~/models/faces"),
    define=define,
    run=verify,
    operand="EXPORT",
)
main = COMMAND.main
