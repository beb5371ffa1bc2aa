"""A cluster of processes on this machine, to try `multi_worker` and for tests."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from tfgans import checks

# The exit code of a worker that has lost another: EX_TEMPFAIL of sysexits.h.
TRY_AGAIN = 75
# Seconds after the end of the first worker in which the others must end by themselves.
_GRACE = 30.0
_POLL = 0.1


def launch(
    command: Sequence[str],
    *,
    num_workers: int,
    restarts: int = 0,
    when_restarted: Sequence[str] = (),
) -> int:
    """Runs a command in `num_workers` processes on loopback; restarts all when a worker is lost.

    Each process reads the cluster from `TF_CONFIG`. The output of the first is passed on as it is,
    that of the others with the worker's number before each line. Signals are passed on to all.

    Args:
        command: Program and arguments, the same for all.
        num_workers: Int of at least 1.
        restarts: Int of at least 0, times that the cluster is started again after a worker was
            killed or lost another. Other failures, such as wrong flags, end it at once.
        when_restarted: More arguments for the command when it is started again.

    Returns:
        0 if all ended well; else the exit code of the first that did not (128 + n for signal n).
    """
    checks.positive_int("num_workers", num_workers)
    for left in range(checks.int_at_least("restarts", restarts, 0), -1, -1):
        codes, stopped = _run(command, num_workers)
        command = [*command, *when_restarted] if when_restarted else command
        when_restarted = ()
        failed = [code for code in codes if code]
        lost = failed and all(code == TRY_AGAIN or code < 0 for code in failed)
        if stopped or not (lost and left):
            break
        sys.stderr.write(f"A worker was lost; starting all again ({left} restarts left)\n")
    # The loss of another worker, and being killed by this process, are consequences.
    causes = [code for code in failed if code not in (TRY_AGAIN, -signal.SIGKILL)]
    first = next(iter([*causes, *sorted(failed)]), 0)
    return first if first >= 0 else 128 - first


def _run(command: Sequence[str], num_workers: int) -> tuple[list[int], bool]:
    """Returns the exit codes of a start of all workers, and whether a signal ended them."""
    # TensorFlow's lines about lost connections would bury ours.
    common = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(num_workers)]
    workers: list[subprocess.Popen[str]] = []
    threads: list[threading.Thread] = []
    with _signals_passed_on(workers) as received:
        try:
            for index in range(num_workers):
                if received:
                    break
                task = {"type": "worker", "index": index}
                config = json.dumps({"cluster": {"worker": addresses}, "task": task})
                environment = {**common, "TF_CONFIG": config}
                workers.append(_start(command, environment, quiet=index > 0))
                if received:
                    # It came while the worker was started, and reached the others.
                    workers[-1].send_signal(received[-1])
                threads += _passing_on(index, workers[-1])
            _wait(workers)
        finally:
            for worker in workers:
                worker.kill()
            for thread in threads:
                thread.join()
            for worker in workers:
                for pipe in (worker.stdout, worker.stderr):
                    if pipe is not None:
                        pipe.close()
    return [worker.wait() for worker in workers], bool(received)


def _start(
    command: Sequence[str], environment: Mapping[str, str], *, quiet: bool
) -> subprocess.Popen[str]:
    """Starts a worker; the output of a quiet one is passed on by `_passing_on`."""
    output = subprocess.PIPE if quiet else None
    return subprocess.Popen(  # noqa: S603 (the caller's command)
        command,
        env=environment,
        # In a separate session: a Ctrl-C reaches it once, through this process.
        start_new_session=True,
        text=True,
        errors="replace",
        stdout=output,
        stderr=output,
    )


def _passing_on(index: int, worker: subprocess.Popen[str]) -> list[threading.Thread]:
    """Returns threads, which run, that pass on the output of a quiet worker."""
    threads = [
        threading.Thread(target=_pass_on, args=(index, pipe, out))
        for pipe, out in ((worker.stdout, sys.stdout), (worker.stderr, sys.stderr))
        if pipe is not None
    ]
    for thread in threads:
        thread.start()
    return threads


def _wait(workers: Sequence[subprocess.Popen[str]]) -> None:
    """Returns when all have ended, or some time after the end of the first."""
    deadline = float("inf")
    while time.monotonic() < deadline:
        codes = [worker.poll() for worker in workers]
        if None not in codes:
            return
        if any(code is not None for code in codes):
            deadline = min(deadline, time.monotonic() + _GRACE)
        time.sleep(_POLL)


@contextlib.contextmanager
def _signals_passed_on(workers: Sequence[subprocess.Popen[str]]) -> Iterator[list[int]]:
    received: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        received.append(number)
        for worker in workers:
            worker.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # Workers inherit that a signal is ignored, as SIGHUP under `nohup`.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(index: int, pipe: IO[str], out: IO[str]) -> None:
    for line in pipe:
        out.write(f"[worker {index}] {line}")
        out.flush()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]
