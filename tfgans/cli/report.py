"""`tfgans report`: what a run has done so far, in tables, curves and an animation."""

from collections.abc import Sequence

from tfgans.cli.command import Command, needs_extra, tell
from tfgans.cli.options import output
from tfgans.cli.parser import Parser


def define(parser: Parser) -> None:
    """Declares the flags."""
    parser.group("Output").path(
        "out", None, "folder of report.md and report.html, with figures", value="FOLDER"
    )


def report(parser: Parser, places: Sequence[str]) -> int:
    """Prints the report as Markdown; with --out, writes it with its figures."""
    with needs_extra("labs"):
        from tfgans import comparison
    out = parser.values.out
    if out is not None:
        output.check_folder("out", out)
    run, *others = comparison.find_runs(places)
    if others:
        raise ValueError(
            f"expected a single run, say {run.path}; `tfgans compare` shows several. Received: "
            f"{places[0]}, with {1 + len(others)} runs"
        )
    print(comparison.run_text(run))
    if out is not None:
        comparison.write_report(run, out)
        tell("report", f"{out}/report.html")
    return 0


COMMAND = Command(
    name="report",
    summary="Reports on a run, also while it trains: curves, samples, findings, settings.",
    examples=(
        "runs/digits",
        "runs/digits --out=reports/digits",
        "runs/table/model=wgan_gp,seed=0 --out=wgan",
    ),
    define=define,
    run=report,
    operand="RUN",
)
main = COMMAND.main
