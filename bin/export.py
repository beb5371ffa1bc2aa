"""Publishes the generator of a trained run as the next SavedModel version for TF Serving.

bin/export.py --run_dir=runs/x --out=exported/digits
"""

import cli

from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "folder of a finished run", required=True)
flags.DEFINE_string("out", None, "folder of versions, say exported/digits", required=True)


def main() -> None:
    """Exports and prints the folder of the new version."""
    print(tfgans.runs.load_final(FLAGS.run_dir).export(FLAGS.out))


if __name__ == "__main__":
    cli.run(main)
