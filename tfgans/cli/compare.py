"""`tfgans compare`: a table of runs, with tests between groups and curves."""

from collections.abc import Sequence

from tfgans.cli.command import Command, needs_extra, tell, typed_command
from tfgans.cli.options import output
from tfgans.cli.parser import Parser


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Comparison")
    group.words(
        "metrics", "metrics in the table, such as frechet_distance,recall; default: all recorded"
    )
    group.path(
        "baseline",
        None,
        "a run of the group that the others are tested against; default: the first run",
        value="RUN",
    )
    group.path(
        "reference",
        None,
        "a record to show below the groups, such as that of `tfgans evaluate --samples_split=test`",
        value="FILE",
    )
    group.choice(
        "test",
        "sign",
        ("sign", "rank"),
        "two-sided test between groups: of pairs with the same seed, or of ranks without pairs",
    )
    parser.group("Output").path(
        "out", None, "folder of report.md, report.html and runs.csv", value="FOLDER"
    )


def compare(parser: Parser, places: Sequence[str]) -> int:
    """Prints the tables as Markdown; with --out, writes the report."""
    from tfgans import files
    from tfgans.evaluation import Record

    with needs_extra("labs"):
        from tfgans import comparison
    values = parser.values
    if values.out is not None:
        output.check_folder("out", values.out)
    runs, absent = comparison.search_runs(places)
    reference = None
    if values.reference is not None:
        if not files.path(values.reference).exists():
            raise ValueError(
                f"--reference must be a record. Received: {values.reference}, which does not "
                "exist. `tfgans evaluate --samples_split=test --out=FOLDER` writes "
                "FOLDER/evaluation.json"
            )
        reference = Record.load(values.reference)
    baseline = None
    if values.baseline is not None:
        chosen = comparison.find_runs([values.baseline])
        if len(chosen) > 1:
            raise ValueError(
                f"--baseline must be a single run, say {chosen[0].name}. Received: "
                f"{values.baseline}, with {len(chosen)} runs"
            )
        baseline = next((run for run in runs if run.path.samefile(chosen[0].path)), None)
        if baseline is None:
            raise ValueError(f"--baseline must be among the runs. Received: {values.baseline}")
    result = comparison.Comparison(
        runs,
        metrics=values.metrics,
        baseline=baseline,
        absent=absent,
        reference=reference,
        test=values.test,
    )
    print(comparison.comparison_text(result))
    if values.out is not None:
        comparison.write_comparison(result, values.out, typed_command("compare", parser.words))
        tell("compare", f"{values.out}/report.html")
    return 0


COMMAND = Command(
    name="compare",
    summary="Compares runs: a table by settings, over seeds, with tests, curves and samples.",
    examples=(
        "runs/table",
        "'runs/r3gan-*' runs/wgan_gp --out=reports/table",
        "runs/table --metrics=recall --test=rank --baseline=runs/table/model=wgan,seed=0",
    ),
    define=define,
    run=compare,
    operand="RUN...",
)
main = COMMAND.main
