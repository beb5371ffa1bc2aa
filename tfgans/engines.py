"""Executes runs in single-threaded processes on this machine, or on a Ray cluster."""

import collections
import concurrent.futures.process
import gc
import importlib.util
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from tfgans import checks, quiet
from tfgans.freed_memory import keep_freed_memory

T = TypeVar("T")
# Of `run_tasks`: the index of a task and how it ended.
Results: TypeAlias = Generator[tuple[int, "TaskResult"], None, None]
ENGINES = ("processes", "ray")
# Runs before a process is replaced: TensorFlow frees little of what it traced.
_RUNS_OF_A_PROCESS = 100
# Environment variables with the number of threads of a library, for TensorFlow and for the linear
# algebra of NumPy, SciPy and scikit-learn.
THREAD_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
# Seconds that a run which must end early has to save its state.
SECONDS_TO_SAVE = 30
# Seconds between two looks at the runs.
_POLL = 0.5


class Task(NamedTuple):
    """A run: the function to call, its arguments by name, and the seed of Keras's generator."""

    measure: Callable[..., Mapping[str, Any]]
    arguments: Mapping[str, Any]
    seed: int


class TaskResult(NamedTuple):
    """The result of a run.

    Attributes:
        measures: The returned measures; None if the run failed.
        error: The failure in one line.
        log: The traceback.
        cpu_seconds: CPU seconds of all threads of the process; 0.0 if the process died.
    """

    measures: Mapping[str, Any] | None
    error: str = ""
    log: str = ""
    cpu_seconds: float = 0.0


def run_tasks(
    tasks: Sequence[Task], *, workers: int, engine: str = "processes", fresh: bool = False
) -> Results:
    """Yields (index, result) as runs end. A run that crashes its process counts as failed.

    Args:
        tasks: The runs.
        workers: Number of runs at a time.
        engine: "processes" or "ray". Ray uses the cluster at the environment variable RAY_ADDRESS,
            or starts a local cluster. All machines of the cluster need this package.
        fresh: Whether each run gets a new process.

    Raises:
        ValueError: If an argument is out of its range.
        ImportError: If Ray is missing.
    """
    checks.positive_int("workers", workers)
    check(engine)
    run = _by_ray if engine == "ray" else _by_processes
    return run(tasks, workers, 1 if fresh else _RUNS_OF_A_PROCESS)


def alternate(runs: Sequence[T], seed_of: Callable[[T], int]) -> list[T]:
    """Returns runs seed by seed, every second seed in reverse, so that no setting is always first.

    Args:
        runs: The runs.
        seed_of: Function of a run to its seed.
    """
    by_seed: dict[int, list[T]] = {}
    for run in runs:
        by_seed.setdefault(seed_of(run), []).append(run)
    turns = [by_seed[seed][:: -1 if turn % 2 else 1] for turn, seed in enumerate(sorted(by_seed))]
    return [run for turn in turns for run in turn]


def num_cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(engine: str) -> None:
    """Raises ValueError or ImportError unless the engine is known and installed."""
    checks.choice("engine", engine, ENGINES)
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        raise ImportError(f"The engine 'ray' needs Ray: {checks.install_command('ray')}")


def _by_processes(tasks: Sequence[Task], workers: int, runs_of_a_process: int) -> Results:
    import pebble

    pebble.CONSTS.term_timeout = SECONDS_TO_SAVE
    waiting = collections.deque(range(len(tasks)))
    while waiting:
        num_waiting = len(waiting)
        pool = pebble.ProcessPool(
            max_workers=min(workers, num_waiting),
            max_tasks=runs_of_a_process,
            initializer=_prepare_process,
            context=multiprocessing.get_context("spawn"),
        )
        running: dict[concurrent.futures.Future[TaskResult], int] = {}
        try:
            while pool.active and (waiting or running):
                # No more than the pool takes at once: it forgets others if it breaks.
                while waiting and len(running) < 2 * workers:
                    index = waiting.popleft()
                    running[pool.schedule(_measure, args=(tasks[index],))] = index
                done, _ = concurrent.futures.wait(
                    running, timeout=_POLL, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    error = future.exception()
                    if isinstance(error, concurrent.futures.process.BrokenProcessPool):
                        continue
                    # `_measure` catches every exception: any other error killed the process.
                    yield running.pop(future), future.result() if error is None else _died(error)
        finally:
            pool.stop()
            pool.join()
        # A process that dies between two runs breaks the pool. The next one takes its runs.
        waiting.extendleft(sorted(running.values(), reverse=True))
        if len(waiting) == num_waiting:
            yield from ((index, _died(RuntimeError("no process starts"))) for index in waiting)
            return


def _by_ray(tasks: Sequence[Task], workers: int, runs_of_a_process: int) -> Results:
    import ray

    local: dict[str, Any] = {"address": "local", "num_cpus": workers}
    local |= {"log_to_driver": False, "include_dashboard": False}
    ray.init(**({} if "RAY_ADDRESS" in os.environ else local))
    try:
        options = {"num_cpus": 1, "max_retries": 0, "max_calls": runs_of_a_process}
        remote = ray.remote(**options)(_measure_alone)
        waiting = list(enumerate(tasks))[::-1]
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                index, task = waiting.pop()
                running[remote.remote(task)] = index
            ready, _ = ray.wait(list(running))
            for reference in ready:
                index = running.pop(reference)
                try:
                    ended = ray.get(reference)
                except ray.exceptions.RayError as error:
                    ended = _died(error)
                yield index, ended
    finally:
        ray.shutdown()


def _prepare_process() -> None:
    """Gives a process a single thread, and leaves its end to the process that started it."""
    _one_thread()
    keep_freed_memory()
    # Signals of a terminal reach all processes; that of the engine then ends the others.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when that of the engine has been killed, but lets a run save its state."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS_TO_SAVE)
        os.kill(os.getpid(), signal.SIGKILL)


def _one_thread() -> None:
    import threadpoolctl

    # TensorFlow reads its variables when its first operation runs, other libraries read theirs
    # when they are imported.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    # Those that are imported by now.
    threadpoolctl.threadpool_limits(1)


def _measure_alone(task: Task) -> TaskResult:
    _one_thread()
    return _measure(task)


def _measure(task: Task) -> TaskResult:
    _forget_others(task.seed)
    begun = time.process_time()
    try:
        measures = dict(task.measure(**task.arguments))
    except Exception as error:
        log = traceback.format_exc()
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return TaskResult(None, line, log, time.process_time() - begun)
    return TaskResult(measures, cpu_seconds=time.process_time() - begun)


def _forget_others(seed: int) -> None:
    """Puts Keras in the state of a new process, with the seed of the run, as far as it can."""
    # The first run of a process too: it must have its seed, and not pay for these imports.
    quiet.start_tensorflow()
    import keras
    import tensorflow as tf

    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(seed)
    # Each model traces its functions anew; TensorFlow warns of the fifth in a process.
    tf.get_logger().setLevel("ERROR")


def _died(error: BaseException) -> TaskResult:
    line = " ".join(f"its process died: {error}".split())
    return TaskResult(None, line, line)
