"""Samples from a trained run, as a picture (.png) or as an array (.npy).

bin/sample.py --run_dir=runs/x --num=64 --seed=1 --out=samples.png
"""

from pathlib import Path

import cli

import numpy as np
import refine_flags
from absl import flags

import tfgans
from tfgans import files, pictures

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(refine_flags)
flags.DEFINE_string("run_dir", None, "folder of a finished run", required=True)
flags.DEFINE_string("out", None, "file to write: .png or .npy", required=True)
flags.DEFINE_integer("num", 64, "number of samples", lower_bound=1)
flags.DEFINE_integer("seed", 0, "the same seed gives the same samples")
flags.DEFINE_integer("component", None, "of a mixture; default: drawn by its weights", 0)
flags.DEFINE_integer("label", None, "of a conditional model, the class of all; default: drawn", 0)
flags.DEFINE_integer("show", 0, "how many to draw on the terminal, of images", lower_bound=0)


def main() -> None:
    """Samples and writes the file."""
    out = Path(FLAGS.out)
    if out.suffix not in (".png", ".npy"):
        raise ValueError(f"--out must end in .png or .npy. Received: {FLAGS.out}")
    gan = tfgans.runs.load_final(FLAGS.run_dir)
    samples = gan.sample(
        FLAGS.num,
        seed=FLAGS.seed,
        labels=FLAGS.label,
        component=FLAGS.component,
        refine=refine_flags.langevin(),
    )
    if FLAGS.show and samples.ndim != 4:
        raise ValueError(f"--show draws images. Received: samples of shape {samples.shape[1:]}")
    if out.suffix == ".png":
        pictures.save_png(out, samples)
    else:
        with files.atomic_write(out) as temporary:
            np.save(temporary, samples, allow_pickle=False)
    if FLAGS.show:
        print(pictures.text(samples[: FLAGS.show]))
    print(f"{out}: {len(samples)} samples of shape {samples.shape[1:]}")


if __name__ == "__main__":
    cli.run(main)
