"""Times what `import tfgans` adds to `import tensorflow`, in fresh processes.

benchmarks/import_time.py --rounds=7

TensorFlow 2.21 imports Keras itself, so none of that is counted here.
"""

import os
import subprocess
import sys

import timing
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 7, "fresh processes of each import", lower_bound=1)

GOAL_SECONDS = 0.3
CODE = """
import time
before = time.perf_counter(), time.process_time()
import tensorflow
between = time.perf_counter(), time.process_time()
import tfgans
after = time.perf_counter(), time.process_time()
print(*before, *between, *after)
"""


def import_costs() -> tuple[timing.Cost, timing.Cost]:
    """Returns the cost of importing TensorFlow, then tfgans, in a new process."""
    process = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
    )
    times = [float(value) for value in process.stdout.split()]
    tensorflow, ours = (
        timing.Cost(times[at + 2] - times[at], times[at + 3] - times[at + 1]) for at in (0, 2)
    )
    return tensorflow, ours


def main(argv: list[str]) -> None:
    """Prints the seconds of each import and whether the goal is met."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    import_costs()  # Reads the files into memory; not counted.
    tensorflow, ours = zip(*(import_costs() for _ in range(FLAGS.rounds)), strict=True)
    print(f"seconds: median (min..max) of {FLAGS.rounds} fresh processes")
    for clock in timing.CLOCKS:
        base, added = (
            timing.Spread.of([getattr(cost, clock) for cost in costs])
            for costs in (tensorflow, ours)
        )
        met = "met" if added.median < GOAL_SECONDS else "MISSED"
        print(f"  {clock:4}  import tensorflow   {base}")
        print(f"  {clock:4}  import tfgans adds  {added}  goal < {GOAL_SECONDS}: {met}")


if __name__ == "__main__":
    app.run(main)
