"""Times training steps under settings of the process: the memory that is kept, and oneDNN.

benchmarks/process_settings.py --rounds=3 --threads=1 --network=dcgan --model=non_saturating

Each measurement is a new process, since these settings are those of a whole process. The kinds
take turns. Page faults say how often the system had to map memory for a step.
"""

import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags

from tfgans.freed_memory import keep_freed_memory

# Whether the process keeps freed memory, and its value of TF_ENABLE_ONEDNN_OPTS.
KINDS = {"returned": (False, "0"), "kept": (True, "0"), "kept, oneDNN": (True, "1")}
MODELS = {"non_saturating": "NonSaturatingGAN", "wgan_gp": "WGANGP", "r3gan": "R3GAN"}
SHAPE = (28, 28, 1)

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 3, "processes of each kind", lower_bound=1)
flags.DEFINE_integer("steps", 40, "training steps that are timed in a process", lower_bound=1)
flags.DEFINE_integer("threads", 0, "threads of TensorFlow; 0: its default", lower_bound=0)
flags.DEFINE_enum("network", "dcgan", ["dcgan", "r3gan", "mlp"], "kind of both networks")
flags.DEFINE_integer("width", 32, "of both networks", lower_bound=1)
flags.DEFINE_enum("model", "non_saturating", list(MODELS), "training method")
flags.DEFINE_enum("measure", None, list(KINDS), "only measure this process, as JSON")


def measure(*, keep: bool) -> dict[str, float]:
    """Returns the cost of a step in this process, and the peak of its memory."""
    if keep and not keep_freed_memory():
        raise RuntimeError("the allocator cannot be set: another C library, or MALLOC_* is set")
    import numpy as np
    import tensorflow as tf

    import tfgans

    tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
    tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
    generator, discriminator = (
        getattr(tfgans.networks, f"{FLAGS.network}_{role}")
        for role in ("generator", "discriminator")
    )
    gan = getattr(tfgans, MODELS[FLAGS.model])(
        generator(SHAPE, width=FLAGS.width, seed=0),
        discriminator(SHAPE, width=FLAGS.width, seed=0),
    )
    gan.compile(steps_per_execution=1)
    images = np.random.default_rng(0).uniform(-1, 1, (2048, *SHAPE)).astype(np.float32)
    gan.fit(images, batch_size=64, steps_per_epoch=5, verbose=0)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    gan.fit(images, batch_size=64, steps_per_epoch=FLAGS.steps, verbose=0)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "ms by the clock": 1e3 * wall / FLAGS.steps,
        "ms of CPU time": 1e3 * cpu / FLAGS.steps,
        "page faults": (after.ru_minflt - before.ru_minflt) / FLAGS.steps,
        "peak MiB": after.ru_maxrss / 2**10,
    }


def main(argv: list[str]) -> None:
    """Measures each kind in turn, and prints medians and ranges."""
    if FLAGS.measure is not None:
        print(json.dumps(measure(keep=KINDS[FLAGS.measure][0])))
        return
    import timing

    print(
        f"{timing.environment()}, threads {FLAGS.threads or 'default'}, {FLAGS.network} of width "
        f"{FLAGS.width}, {FLAGS.model}"
    )
    costs_of: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    names = ("rounds", "steps", "threads", "network", "width", "model")
    words = [f"--{name}={FLAGS[name].value}" for name in names]
    for _ in range(FLAGS.rounds):
        for kind, costs in costs_of.items():
            done = subprocess.run(
                [sys.executable, argv[0], f"--measure={kind}", *words],
                env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": KINDS[kind][1]},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            costs.append(json.loads(done.stdout.splitlines()[-1]))
    for name in costs_of["returned"][0]:
        print(f"  {name}")
        for kind, costs in costs_of.items():
            print(f"    {kind:14}{timing.Spread.of([cost[name] for cost in costs])}")


if __name__ == "__main__":
    app.run(main)
