"""`tfgans data inspect`: reports what a data set holds, before a run is trained on it."""

from collections.abc import Sequence
from pathlib import Path

from tfgans.cli.command import Command
from tfgans.cli.options import data, output
from tfgans.cli.parser import Parser


def define(parser: Parser) -> None:
    """Declares the flags."""
    data.define_place(parser)
    group = parser.group("Output")
    group.path("out", None, "PNG file to write: a sheet of the first images", value="FILE")
    parser.check(
        ["out"],
        lambda values: values["out"] is None or Path(values["out"]).suffix == ".png",
        "--out must be a .png file",
    )


def inspect(parser: Parser, _: Sequence[str]) -> int:
    """Prints the report and draws a sheet of the images."""
    from tfgans import pictures

    values = parser.values
    if values.out is not None:
        output.check_file("out", values.out)
        data.check_outside(parser, values.out, "out")
    report = data.inspect(parser)
    if values.out is not None:
        if report.samples.ndim != 4:
            raise ValueError(f"--out is for a data set of images. Received: {values.dataset}")
        pictures.save_png(Path(values.out), report.samples)
    print(report)
    if values.out is not None:
        print(f"\n{values.out}")
    return 0


COMMAND = Command(
    name="data",
    summary="Reports the classes, sizes and faults of a data set, and suggests settings.",
    examples=(
        "inspect --dataset=folder:photos",
        "inspect --dataset=folder:photos --image_size=64 --out=sheet.png",
        "inspect --dataset=idx:downloads/mnist --split=test",
    ),
    define=define,
    run=inspect,
    action="inspect",
)
main = COMMAND.main
