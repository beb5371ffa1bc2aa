"""Times what `import tfgans` adds to `import tensorflow`, in fresh processes, in alternation.

benchmarks/import_time.py --rounds=7

TensorFlow imports Keras only when it is first used. tfgans always uses it, so what `import keras`
adds is measured beside it, and the difference is our own share.
"""

import os
import subprocess
import sys

import timing
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 7, "fresh processes of each import", lower_bound=1)

GOAL_SECONDS = 0.3
MODULES = ("tfgans", "keras")
CODE = """
import time
import tensorflow
wall, cpu = time.perf_counter(), time.process_time()
import {module}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def import_cost(module: str) -> timing.Cost:
    """Returns what importing `module` costs a new process that has imported TensorFlow."""
    process = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
    )
    wall, cpu = process.stdout.split()
    return timing.Cost(float(wall), float(cpu))


def main(argv: list[str]) -> None:
    """Prints the seconds of each import, our share, and whether the goal is met."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    runners = {name: lambda name=name: import_cost(name) for name in MODULES}
    costs = timing.alternate(runners, FLAGS.rounds)
    print(f"seconds added to `import tensorflow`: median (min..max) of {FLAGS.rounds} processes")
    for clock in timing.CLOCKS:
        added = {name: [getattr(one, clock) for one in costs[name]] for name in MODULES}
        own = [whole - part for whole, part in zip(added["tfgans"], added["keras"], strict=True)]
        total = timing.Spread.of(added["tfgans"])
        met = "met" if total.median < GOAL_SECONDS else "MISSED"
        print(f"  {clock:4}  import tfgans       {total}  goal < {GOAL_SECONDS}: {met}")
        print(f"  {clock:4}  import keras alone  {timing.Spread.of(added['keras'])}")
        print(f"  {clock:4}  difference          {timing.Spread.of(own)}")


if __name__ == "__main__":
    app.run(main)
