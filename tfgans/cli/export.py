"""`tfgans export`: publishes a generator for TF Serving, or writes an ONNX or LiteRT file."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgans.cli.command import Command
from tfgans.cli.options import output, runs
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.gan import GAN


FORMATS = ("tf_saved_model", "onnx", "litert")


def define(parser: Parser) -> None:
    """Declares the flags."""
    runs.define(parser.group("Run"))
    group = parser.group("Output")
    group.path(
        "out",
        None,
        "folder of the model's versions, or a file .onnx or .tflite (required)",
        value="PATH",
    )
    group.choice(
        "format",
        "tf_saved_model",
        FORMATS,
        "a SavedModel version, or a single file for ONNX Runtime or LiteRT",
    )
    group.integer(
        "component", None, "the only component of a mixture to export; default: all", at_least=0
    )
    group.string("license", None, "license of the model, for the model card")
    group.path(
        "evaluation",
        None,
        "record for the model card; default: RUN_DIR/evaluation/evaluation.json",
        value="FILE",
    )
    group.integer(
        "keep",
        None,
        "number of newest versions to keep; use 2 or more while a server runs; default: all",
        at_least=1,
    )
    group.boolean("verify", True, "run the export in a new process before it is published")
    parser.require("run_dir", "out")
    parser.check(
        ["format", "keep", "evaluation", "license"],
        lambda values: (
            values["format"] == "tf_saved_model"
            or all(values[name] is None for name in ("keep", "evaluation", "license"))
        ),
        "--keep, --evaluation and --license need --format=tf_saved_model",
    )
    parser.check(
        ["format", "verify"],
        lambda values: values["format"] == "tf_saved_model" or values["verify"],
        "--noverify needs --format=tf_saved_model: other files are always checked",
    )
    parser.check(
        ["evaluation", "component"],
        lambda values: values["evaluation"] is None or values["component"] is None,
        "--evaluation is of the whole mixture: leave out --component",
    )


def export(parser: Parser, _: Sequence[str]) -> int:
    """Exports and prints the folder of the new version."""
    from tfgans import training

    values = parser.values
    if values.format == "tf_saved_model":
        output.check_folder("out", values.out)
    else:
        output.check_file("out", values.out)
    gan = runs.load_gan(parser)
    run = training.RunDirectory(values.run_dir)
    if values.format != "tf_saved_model":
        with errors_in_flags({"path": "out"}):
            print(gan.export(values.out, values.format, component=values.component))
        return 0
    card = {
        "run": run.description(),
        # The record is of the whole mixture.
        "evaluation": None if values.component is not None else _evaluation(parser, gan),
        **({} if values.license is None else {"license": values.license}),
    }
    with errors_in_flags({"path": "out"}):
        version = gan.export(
            values.out,
            component=values.component,
            class_names=None if gan.num_classes is None else run.class_names(),
            card=card,
            keep=values.keep,
            verify=values.verify,
        )
    print(version)
    return 0


def _evaluation(parser: Parser, gan: "GAN") -> dict[str, Any] | None:
    import tfgans

    values = parser.values
    path = Path(values.evaluation or Path(values.run_dir, "evaluation", "evaluation.json"))
    if values.evaluation is None and not path.exists():
        return None
    if not path.exists():
        raise ValueError(f"--evaluation must be a record of tfgans evaluate. There is no {path}")
    record = tfgans.evaluation.Record.load(path)
    if record.fake.get("checksum") == tfgans.evaluation.model_checksum(gan, refined=False):
        return record.to_dict()
    message = f"{path} is of another model, or of refined samples: it does not describe this export"
    if values.evaluation is not None:
        raise ValueError(message)
    warnings.warn(f"{message}. The model card has no evaluation", stacklevel=1)
    return None


COMMAND = Command(
    name="export",
    summary="Publishes the generator of a run for TF Serving, or as an ONNX or LiteRT file.",
    examples=(
        "--run_dir=runs/digits --out=exported/digits",
        "--run_dir=runs/digits --checkpoint=best --out=exported/digits --keep=3",
        "--run_dir=runs/digits --format=onnx --out=exported/digits.onnx",
    ),
    define=define,
    run=export,
)
main = COMMAND.main
