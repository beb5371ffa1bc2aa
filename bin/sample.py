"""Samples from a trained run or from a server, as a picture (.png) or as an array (.npy).

bin/sample.py --run_dir=runs/x --num=64 --seed=1 --out=samples.png
bin/sample.py --server=http://localhost:8501 --name=digits --num=64 --seed=1 --out=samples.png
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
flags.DEFINE_string("run_dir", None, "folder of a finished run")
flags.DEFINE_string("server", None, "http://HOST:PORT or grpc://HOST:PORT, instead of a run")
flags.DEFINE_string("name", None, "of --server: the served model")
flags.DEFINE_integer("version", None, "of --server: its version; default: the newest", 0)
flags.DEFINE_float("timeout", 30.0, "of --server: seconds a request", 0.001)
flags.DEFINE_string("out", None, "file to write: .png or .npy", required=True)
flags.DEFINE_integer("num", 64, "number of samples", lower_bound=1)
flags.DEFINE_integer("seed", 0, "the same seed and --label give the same, from a run or a server")
flags.DEFINE_integer("component", None, "of a mixture; default: drawn by its weights", 0)
flags.DEFINE_integer("label", None, "class; default: as often as in a run's data, else alike", 0)
flags.DEFINE_integer("show", 0, "how many to draw on the terminal, of images", lower_bound=0)
flags.mark_flags_as_mutual_exclusive(["run_dir", "server"], required=True)
flags.register_multi_flags_validator(
    ["server", "name"],
    lambda given: (given["server"] is None) == (given["name"] is None),
    "--server and --name belong together",
)
flags.register_multi_flags_validator(
    ["run_dir", "version"],
    lambda given: given["run_dir"] is None or given["version"] is None,
    "--version is of --server",
)


def main() -> None:
    """Samples and writes the file."""
    out = Path(FLAGS.out)
    if out.suffix not in (".png", ".npy"):
        raise ValueError(f"--out must end in .png or .npy. Received: {FLAGS.out}")
    samples = _of_run() if FLAGS.server is None else _served()
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


def _of_run() -> np.ndarray:
    gan, labels = tfgans.training.load_final(FLAGS.run_dir), FLAGS.label
    if labels is None:
        labels = tfgans.training.draw_labels(FLAGS.run_dir, FLAGS.num, FLAGS.seed)
    chosen = {"labels": labels, "component": FLAGS.component}
    return gan.sample(FLAGS.num, seed=FLAGS.seed, refine=refine_flags.langevin(), **chosen)


def _served() -> np.ndarray:
    if FLAGS.refine:
        raise ValueError("--refine is of --run_dir: a server has the generator alone")
    where = {"model": FLAGS.name, "version": FLAGS.version, "timeout": FLAGS.timeout}
    with tfgans.serving.Client(FLAGS.server, **where) as client:
        chosen = {"labels": FLAGS.label, "component": FLAGS.component}
        return client.generate(FLAGS.num, FLAGS.seed, **chosen)


if __name__ == "__main__":
    cli.run(main)
