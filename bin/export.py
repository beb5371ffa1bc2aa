"""Publishes the generator of a trained run as the next SavedModel version for TF Serving.

bin/export.py --run_dir=runs/x --out=exported/digits
"""

import warnings
from pathlib import Path
from typing import Any

import cli

from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "folder of a finished run", required=True)
flags.DEFINE_string("out", None, "folder of versions, say exported/digits", required=True)
flags.DEFINE_bool("best", False, "the model that evaluations found best instead of the last")
flags.DEFINE_string(
    "evaluation", None, "record for the model card; default: RUN_DIR/evaluation/evaluation.json"
)
flags.DEFINE_integer(
    "keep", None, "newest versions that stay, 2 or more beside a server; default: all", 1
)
flags.DEFINE_bool("verify", True, "run the export in a new process before it is published")


def main() -> None:
    """Exports and prints the folder of the new version."""
    gan = tfgans.training.load_final(FLAGS.run_dir, best=FLAGS.best)
    record = tfgans.training.RunDirectory(FLAGS.run_dir).record()
    card = {"run": record, "evaluation": _evaluation(gan)}
    print(gan.export(FLAGS.out, card=card, keep=FLAGS.keep, verify=FLAGS.verify))


def _evaluation(gan: tfgans.GAN) -> dict[str, Any] | None:
    path = Path(FLAGS.evaluation or Path(FLAGS.run_dir, "evaluation", "evaluation.json"))
    if FLAGS.evaluation is None and not path.exists():
        return None
    if not path.exists():
        raise ValueError(f"--evaluation must be a record of bin/evaluate.py. There is no {path}")
    record = tfgans.evaluation.Record.load(path)
    if record.fake.get("checksum") == tfgans.evaluation.model_checksum(gan, refined=False):
        return record.to_dict()
    other = f"{path} is of another model, or of refined samples: it does not tell of this export"
    if FLAGS.evaluation is not None:
        raise ValueError(other)
    warnings.warn(f"{other}. The model card goes without", stacklevel=1)
    return None


if __name__ == "__main__":
    cli.run(main)
