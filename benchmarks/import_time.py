"""Times what `import tfgans` adds to `import tensorflow`, in fresh processes, in alternation.

benchmarks/import_time.py --rounds=7
"""

import os
import subprocess
import sys

import timing
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 7, "pairs of processes", lower_bound=1)

GOAL_SECONDS = 0.3
MODULES = ("tensorflow", "tfgans")
# TensorFlow first in both: it is no cost of ours. Its lazy parts are, where we touch them.
CODE = """
import time, tensorflow
start = time.perf_counter(), time.process_time()
import {module}
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""
