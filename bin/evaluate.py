"""Measures a run, a SavedModel, or a folder of images against real examples.

bin/evaluate.py --run_dir=runs/x
bin/evaluate.py --saved_model=exported/digits/1 --dataset=digits --out=scores
bin/evaluate.py --samples=images --dataset=folder:real --extractor=inception:FILE.pb --out=scores
"""

from pathlib import Path
from typing import Any

import cli

import data_flags
import evaluate_flags
import samples
from absl import flags

import tfgans
from tfgans import files, pictures

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(data_flags)
flags.adopt_module_key_flags(evaluate_flags)
flags.DEFINE_string("run_dir", None, "folder of a finished run; its data are the default")
flags.DEFINE_bool("best", False, "of --run_dir: its best model instead of its last")
flags.DEFINE_string("saved_model", None, "folder of a SavedModel version, of any library")
flags.DEFINE_integer("num_classes", None, "of another library's labelled SavedModel", lower_bound=1)
flags.DEFINE_list("value_range", None, "low,high of a SavedModel's images; default: -1,1")
flags.DEFINE_string("samples", None, "folder of images, or a .npy or .npz file")
flags.DEFINE_string("out", None, "folder of the results; default: RUN_DIR/evaluation")
flags.mark_flags_as_mutual_exclusive(["run_dir", "saved_model", "samples"], required=True)
flags.register_multi_flags_validator(
    ["saved_model", "num_classes", "value_range"],
    lambda given: given.pop("saved_model") or all(one is None for one in given.values()),
    "--num_classes and --value_range are of --saved_model",
)
flags.register_multi_flags_validator(
    ["run_dir", "best"], lambda given: given["run_dir"] or not given["best"], "--best is of a run"
)


def main() -> None:
    """Prints a table and writes evaluation.json and neighbours.png."""
    out = _out()
    notes: dict[str, Any] = {}
    if FLAGS.run_dir is not None:
        gan: Any = tfgans.training.load_final(FLAGS.run_dir, best=FLAGS.best)
        source = data_flags.load_source_of(tfgans.training.RunDirectory(FLAGS.run_dir).settings())
    else:
        source = data_flags.load_source()
    if FLAGS.saved_model is not None:
        gan = tfgans.export.SavedGenerator(
            FLAGS.saved_model,
            num_classes=FLAGS.num_classes,
            value_range=[float(one) for one in FLAGS.value_range or (-1, 1)],
        )
    elif FLAGS.samples is not None:
        gan, notes = samples.load(FLAGS.samples, like=source)
    evaluator = evaluate_flags.evaluator(source)
    path = out / "evaluation.json"
    record = evaluator.evaluate(gan, notes=notes, path=path, progress=True)
    print(record.table())
    if len(source.data_shape) == 3:
        picture = tfgans.evaluation.neighbours_picture(*evaluator.neighbours())
        pictures.write_png(out / "neighbours.png", picture)
    print(f"\n{path}")


def _out() -> Path:
    if FLAGS.out is None and FLAGS.run_dir is None:
        raise ValueError("--out is needed: the folder of the results")
    out = Path(FLAGS.out or Path(FLAGS.run_dir) / "evaluation")
    files.check_folder(out)  # Before hours of work.
    return out


if __name__ == "__main__":
    cli.run(main)
