"""`tfgans evaluate`: measures generated examples against real ones."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgans.cli.command import Command, tell
from tfgans.cli.options import data, evaluation, output, runs
from tfgans.cli.parser import Parser

if TYPE_CHECKING:
    import numpy as np

    from tfgans.data import Source
    from tfgans.evaluation import Record


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("What to measure")
    runs.define(group)
    group.path("saved_model", None, "a version of a SavedModel, of any library", value="FOLDER")
    group.integer(
        "num_classes", None, "classes of another library's conditional SavedModel", at_least=1
    )
    group.words(
        "value_range",
        "lowest,highest value of a SavedModel's images; default: -1,1",
        value="LOW,HIGH",
    )
    group.path("samples", None, "folder of images, or a .npy or .npz file")
    group.string(
        "samples_split",
        None,
        "another split of the data, whose examples stand in for samples: about what a perfect "
        "generator would score",
        value="NAME",
    )
    data.define(parser, remembers=True)
    evaluation.define(parser)
    parser.group("Evaluation").integer(
        "seed", 0, "seed of the generated examples and of the random parts of metrics", at_least=0
    )
    parser.group("Output").path(
        "out", None, "folder of the results; default: RUN_DIR/evaluation", value="FOLDER"
    )
    parser.require_exactly_one("run_dir", "saved_model", "samples", "samples_split")
    parser.check_companions(
        "saved_model",
        ["num_classes", "value_range"],
        "--num_classes and --value_range need --saved_model",
    )
    parser.check(
        ["value_range"],
        lambda values: values["value_range"] is None or _is_range(values["value_range"]),
        "--value_range must be two numbers, the lower first, such as 0,1",
    )
    parser.check_companions("run_dir", ["checkpoint"], "--checkpoint needs --run_dir")


def _is_range(words: Sequence[str]) -> bool:
    try:
        low, high = map(float, words)
    except ValueError:
        return False
    return low < high


def evaluate(parser: Parser, _: Sequence[str]) -> int:
    """Prints a table and writes evaluation.json and neighbors.png."""
    from tfgans.freed_memory import keep_freed_memory

    keep_freed_memory()  # Before the first threads of TensorFlow.
    import tfgans
    from tfgans import class_names, pictures

    values = parser.values
    if values["flip"].present:
        raise ValueError(
            "--flip mirrors images in training only: an evaluation has no use for it. Leave it out"
        )
    path = _record_path(parser)
    notes: dict[str, Any] = {}
    generated: Any
    if values.run_dir is not None:
        generated = runs.load_gan(parser)
        source = data.load_run_source(parser, values.run_dir)
        if generated.num_classes is not None:
            trained_on = tfgans.training.RunDirectory(values.run_dir).class_names()
            class_names.check_order(source.name, source.class_names, trained_on)
    else:
        source = data.load_source(parser)
    if values.saved_model is not None:
        generated = tfgans.export.SavedGenerator(
            values.saved_model,
            num_classes=values.num_classes,
            value_range=[float(limit) for limit in values.value_range or (-1, 1)],
        )
    elif values.samples is not None:
        generated, notes = load_samples(parser, source)
    elif values.samples_split is not None:
        generated = data.load_split(parser, "samples_split")
    evaluator = evaluation.evaluator(parser, source)
    record = evaluator.evaluate(generated, notes=notes, progress=sys.stderr.isatty())
    try:
        record = add_to_record(path, record)
    finally:
        # Also if the folder cannot be written: an evaluation may have taken hours.
        print(record.table())
    if len(source.data_shape) == 3:
        picture = tfgans.evaluation.neighbors_picture(*evaluator.neighbors())
        pictures.write_png(path.with_name("neighbors.png"), picture)
    print(f"\n{path}")
    return 0


def load_samples(parser: Parser, like: "Source") -> tuple["np.ndarray", dict[str, Any]]:
    """Returns the array that `--samples` names, and what the record says about its origin.

    Of a folder it has the images, brought to the shape of `like` in the way that `like` was loaded.
    """
    import numpy as np

    from tfgans.data.npz import DAMAGED

    path = Path(parser.values.samples)
    notes = {"path": str(path), "samples_resizing": "none"}
    if path.suffix not in (".npy", ".npz"):
        folder: Any = data.load_folder(parser, str(path), like)
        if len(like.data_shape) == 3:
            options = folder.load_options
            ways = {
                "crop": "center crop",
                "pad": f"padding ({options['background']})",
                "stretch": "stretching",
            }
            notes["samples_resizing"] = f"{ways[options['fit']]}, bicubic, to {like.data_shape[:2]}"
        return folder.array, notes
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, notes
            if len(loaded.files) != 1:
                raise ValueError(f"it has {len(loaded.files)} arrays instead of a single array")
            return loaded[loaded.files[0]], notes
    except (ValueError, *DAMAGED) as error:
        raise ValueError(f"{path} is not an array of numbers: {error}") from error


def add_to_record(path: Path, record: "Record") -> "Record":
    """Writes a record to a file and returns it, with the metrics that the file had before.

    A record of another model, or measured in another way, moves to a new name if it has metrics
    that the new record lacks.
    """
    from tfgans import files
    from tfgans.evaluation import Record

    path.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(path.parent):  # Two evaluations of a run may end at once.
        files.remove_temporaries(path.parent)
        if path.exists():
            before = Record.load(path)
            try:
                record = before.merge(record)
            except ValueError as error:
                if before.metrics.keys() - record.metrics.keys():
                    stems = (path.with_stem(f"{path.stem}-{number}") for number in range(1, 10_000))
                    kept = next(other for other in stems if not other.exists())
                    # Copied: a kill must not leave the run without a record.
                    files.write_text(kept, path.read_text(encoding="utf-8"))
                    tell("evaluate", f"{path} is now {kept.name}. {error}")
        record.save(path)
    return record


def _record_path(parser: Parser) -> Path:
    """Returns the file of the record; checks the folder, and the record that is there."""
    from tfgans.evaluation import Record

    values = parser.values
    if values.out is None and values.run_dir is None:
        raise ValueError("--out is needed: the folder of the results")
    out = Path(values.out or Path(values.run_dir) / "evaluation")
    output.check_folder("run_dir" if values.out is None else "out", out)
    path = out / "evaluation.json"
    if path.exists():
        try:
            Record.load(path)
        except ValueError as error:
            raise ValueError(f"{error}. Move it away, or pass another folder as --out") from error
    return path


COMMAND = Command(
    name="evaluate",
    summary="Measures a run, a SavedModel, images or held-out data against real examples.",
    examples=(
        "--run_dir=runs/digits --checkpoint=best --metrics=frechet_distance,precision_recall",
        "--samples=made.npy --dataset=digits --split=test --out=scores",
        "--samples_split=test --dataset=fashion_mnist --extractor=classifier --out=runs/floor",
    ),
    define=define,
    run=evaluate,
)
main = COMMAND.main
