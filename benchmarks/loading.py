"""Measures how fast images of a folder become batches, against plain `tf.data`, in alternation.

benchmarks/loading.py --rounds=5

JPEG files of 64x64 pixels. `tf.data` decodes them in every epoch, with `tf.io.decode_jpeg`, `batch`
and `prefetch`; `tfgans.data.load` decodes them once into memory, as it does by default where they
fit, or once into a file on disk, or also in every epoch, without a cache.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import timing
from absl import app, flags
from PIL import Image

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "alternated rounds", lower_bound=1)
flags.DEFINE_integer("images", 5000, "JPEG files", lower_bound=64)
flags.DEFINE_integer("batch_size", 64, "examples in a batch", lower_bound=1)
flags.DEFINE_integer("batches", 80, "timed batches", lower_bound=1)
SIDE = 64


def write_images(folder: Path, num: int) -> None:
    """Writes JPEG files as of photographs: noise that was smoothed."""
    rng = np.random.default_rng(0)
    for index in range(num):
        small = Image.fromarray(rng.integers(0, 256, (SIDE // 4, SIDE // 4, 3), np.uint8))
        image = small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        image.save(folder / f"{index}.jpg", quality=90)


def plain(folder: Path) -> tf.data.Dataset:
    """Returns the dataset that a user of `tf.data` would write."""
    paths = sorted(map(str, folder.glob("*.jpg")))

    def decode(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.ensure_shape(image, [SIDE, SIDE, 3]), tf.float32) / 127.5 - 1.0

    dataset = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=0).repeat()
    dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(FLAGS.batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def runner(dataset: tf.data.Dataset) -> Callable[[], timing.Cost]:
    """Returns a function that times the first batches of an endless dataset.

    Each call begins anew: batches that a running dataset prefetches count in the time of others.
    """

    def run() -> timing.Cost:
        batches: Iterator[tf.Tensor] = iter(dataset)
        return timing.time_calls(lambda: next(batches), FLAGS.batches)

    return run


def main(_: list[str]) -> None:
    """Measures in alternation and prints the ratios of speed."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "images")
        folder.mkdir()
        write_images(folder, FLAGS.images)

        def load(cache: str) -> tf.data.Dataset:
            name, cache_dir = f"folder:{folder}", Path(root, "cache")
            source = tfgans.data.load(name, image_size=SIDE, cache=cache, cache_dir=cache_dir)
            if cache == "disk":
                source.checksum()  # Decodes all.
            return source.batches(FLAGS.batch_size)

        print(timing.environment())
        datasets = {cache: load(cache) for cache in ("memory", "disk", "none")}
        datasets["tf.data"] = plain(folder)
        runners = {name: runner(dataset) for name, dataset in datasets.items()}
        costs = timing.alternate(runners, FLAGS.rounds)
        for name, measured in costs.items():
            times = [1e6 * cost.cpu / FLAGS.batch_size for cost in measured]
            print(f"{name}: {timing.Spread.of(times)} microseconds of CPU time an image")
        for ours, other in (("memory", "tf.data"), ("none", "tf.data"), ("disk", "memory")):
            for clock in timing.CLOCKS:
                ratio = timing.speed_ratio(costs[ours], costs[other], clock)
                print(f"{ours} against {other}, {clock}: {ratio} ({FLAGS.rounds} rounds)")
        print(timing.load())


if __name__ == "__main__":
    app.run(main)
