"""The scripts, run as a user types them: each in a process of its own."""

import atexit
import functools
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TIMEOUT_S = 300


def command(script, flags, **paths):
    text = flags.format(**{name: shlex.quote(str(path)) for name, path in paths.items()})
    return [sys.executable, str(ROOT / "bin" / script), *shlex.split(text)]


def run_alone(script, flags, **paths):
    """Runs a script in a new Python, imports and all, exactly as a user does."""
    return subprocess.run(
        command(script, flags, **paths), capture_output=True, text=True, cwd="/", timeout=_TIMEOUT_S
    )


def run(script, flags, **paths):
    """Gives what `run_alone` gives, by a fork of a Python that has the imports: see zygote.py."""
    arguments = command(script, flags, **paths)
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: str(Path(folder, name)) for name in ("stdout", "stderr")}
        where = {"argv": arguments[1:], "cwd": "/", "env": dict(os.environ)}
        code = _ask(_zygote(), {**where, **outputs}, arguments)
        told = {name: Path(path).read_text() for name, path in outputs.items()}
    return subprocess.CompletedProcess(arguments, code, **told)


@functools.cache
def _zygote():
    """One for this process and its tests."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "zygote.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # `select` knows nothing of what was read ahead.
    )
    atexit.register(process.communicate)
    return process


def _ask(zygote, request, arguments):
    zygote.stdin.write(json.dumps(request).encode() + b"\n")
    zygote.stdin.flush()
    child = zygote.stdout.readline()
    assert child, zygote.stderr.read().decode()
    if not select.select([zygote.stdout], [], [], _TIMEOUT_S)[0]:
        os.kill(int(child), signal.SIGKILL)
        zygote.stdout.readline()
        raise subprocess.TimeoutExpired(arguments, _TIMEOUT_S)
    return int(zygote.stdout.readline())
