"""A process that has imported what the scripts import, and forks a child for each of them.

    python tests/zygote.py

A line on stdin asks, as JSON: `argv` (the script first), `cwd`, `env`, and the files `stdout` and
`stderr`. Two lines on stdout answer: the child's id, and how it ended as `subprocess` tells it.

Imports are most of what a short script costs. A child sees what a process of its own would see: no
module of bin/ is imported here, so quiet.py runs and flags are defined in each child; TensorFlow
has no context and no threads yet, so a fork loses none. Two things are not as in a process of its
own: a variable of the environment that a library reads when it is imported counts here alone, and
the flag of tensorflow-datasets is known before a script imports it.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import secrets
import sys
import threading
import traceback
from pathlib import Path

_LATE = (
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "ot", "PIL.ImageDraw"),
    *("PIL.ImageFont", "PIL.ImageOps", "scipy.spatial", "scipy.spatial.distance"),
    *("sklearn.datasets", "sklearn.neural_network", "tensorboard.summary", "tqdm"),
)
# Makes Keras impossible to import: a self-check starts it in a process of its own.
_APART = "tfgans.export.replay"
# Variables of the environment that imports set.
IMPORTED: dict[str, str] = {}


def import_all():
    """Imports the package and what scripts import late."""
    import tfgans

    root = Path(tfgans.__file__).parents[1]
    paths = sorted(root.glob("tfgans/**/*.py"))
    own = (".".join(path.relative_to(root).with_suffix("").parts) for path in paths)
    for name in (*(one for one in own if one != _APART), *_LATE):
        importlib.import_module(name.removesuffix(".__init__"))


def check_threads():
    """Ends the process if a fork would lose a thread; OpenBLAS stops and starts its own."""
    from tensorflow.python.eager import context
    from threadpoolctl import threadpool_info

    blas = sum(
        one["num_threads"] - 1 for one in threadpool_info() if one["internal_api"] == "openblas"
    )
    running = len(os.listdir("/proc/self/task"))
    if running != 1 + blas or threading.active_count() != 1 or context.context_safe() is not None:
        sys.exit(f"expected one thread and {blas} of OpenBLAS, and no context. Received: {running}")


def become(argv, cwd, env, stdout, stderr):
    """Runs a script in this process as Python would run it by its name."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env | IMPORTED)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, stdout, writing),
        (2, stderr, writing),
    ):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    from tfgans import files

    files._RUN = secrets.token_hex(4)
    sys.argv = argv
    sys.path[0] = str(Path(argv[0]).parent)
    runpy.run_path(argv[0], run_name="__main__")


def end(code):
    """Ends this process as Python does, but leaves its modules: to take them down copies all."""
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def main():
    # Where pyarrow is installed, pandas imports it, and its allocator would start a thread.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    before = dict(os.environ)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import_all()
    IMPORTED.update({name: value for name, value in os.environ.items() if name not in before})
    check_threads()
    gc.collect()
    # Else a child's first collection would copy all there is.
    gc.freeze()
    for line in sys.stdin.buffer:
        child = os.fork()
        if not child:
            try:
                become(**json.loads(line))
            except SystemExit as stop:
                end(stop.code)
            except Exception:
                traceback.print_exc()
                end(1)
            end(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
