"""Measures the examples per second of two worker processes against a single one, a core each.

benchmarks/scaling.py --rounds=3

The same global batch in both: a DCGAN of 32x32x3 images as a WGAN-GP. Each measurement starts a
new cluster, since a process cannot leave a cluster.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 3, "alternated rounds", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "examples in one update, of all workers", lower_bound=2)
flags.DEFINE_integer("steps", 8, "timed training steps", lower_bound=2)
flags.DEFINE_string(
    "cost_file", None, "for workers: the file to which the chief writes the cost of a step"
)


def work() -> None:
    """Trains as one worker of the cluster in TF_CONFIG."""
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    # TensorFlow has threads beyond those that its settings limit.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[index]})
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    import tfgans

    strategy = tfgans.training.make_strategy("multi_worker")
    import numpy as np
    import timing

    shape = (32, 32, 3)
    with strategy.scope():
        gan = tfgans.WGANGP(
            tfgans.networks.dcgan_generator(shape, latent_dim=64, width=16, normalization="none"),
            tfgans.networks.dcgan_discriminator(shape, width=16),
        )
        gan.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (256, *shape)).astype("float32")
    clock = timing.StepClock()
    steps = FLAGS.steps + 1
    gan.fit(
        images, batch_size=FLAGS.batch_size, steps_per_epoch=steps, verbose=0, callbacks=[clock]
    )
    if index == 0:
        Path(FLAGS.cost_file).write_text(str(clock.cost().wall), encoding="utf-8")


def examples_a_second(num_workers: int) -> float:
    """Returns the real examples that a cluster trains on in a second, in critic updates."""
    with tempfile.TemporaryDirectory() as folder:
        cost = Path(folder, "cost")
        values = FLAGS.flag_values_dict()
        options = [f"--{name}={values[name]}" for name in ("batch_size", "steps")]
        # A separate process, since the launcher writes to the output of its caller.
        code = "import sys; from tfgans.cli import local_cluster; "
        code += f"sys.exit(local_cluster.launch(sys.argv[1:], num_workers={num_workers}))"
        command = [sys.executable, __file__, f"--cost_file={cost}", *options]
        run = [sys.executable, "-c", code, *command]
        subprocess.run(
            run, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        return FLAGS.batch_size / float(cost.read_text(encoding="utf-8"))


def main(_: list[str]) -> None:
    """Measures in alternation and prints the ratio."""
    if FLAGS.cost_file is not None:
        work()
        return
    import timing

    rates: dict[int, list[float]] = {1: [], 2: []}
    for index in range(FLAGS.rounds):
        for num_workers in (1, 2) if index % 2 == 0 else (2, 1):
            rates[num_workers].append(examples_a_second(num_workers))
    for num_workers, measured in rates.items():
        print(f"{num_workers} worker(s): {timing.Spread.of(measured)} examples a second")
    ratios = [pair / single for single, pair in zip(rates[1], rates[2], strict=True)]
    print(f"2 workers against 1: {timing.Spread.of(ratios)}, of 2 at most ({FLAGS.rounds} rounds)")


if __name__ == "__main__":
    app.run(main)
