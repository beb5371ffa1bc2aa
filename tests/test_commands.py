"""A script that is forked off sees what a script that a user starts sees."""

import json
import re
import signal
import subprocess
from pathlib import Path

import commands
import pytest

PROBE = """
import json, os, random, sys, threading, warnings
sys.path.append({bin!r})
import cli, data_flags
from absl import flags

sys.stderr.write("told\\n")
print(json.dumps({{
    "name": __name__,
    "main": sys.modules["__main__"].__dict__ is globals(),
    "argv": sys.argv,
    "path": sys.path,
    "cwd": os.getcwd(),
    "environment": {{name: os.environ[name] for name in os.environ if name not in {readline!r}}},
    "input": sys.stdin.read(),
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "threads": threading.active_count(),
    "encodings": [sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors],
    "handlers": [sys.excepthook.__module__, warnings.showwarning.__module__],
    "dtype": __import__("keras").config.dtype_policy().name,
    "flags": sorted(name for name in flags.FLAGS if not name.startswith("tfds_")),
    "scripts": [name for name in sys.modules if name in {modules!r}],
}}))
"""
# readline sets them behind Python's back, in the process that runs pytest.
READLINE = ["COLUMNS", "LINES"]
MODULES = {path.stem for path in (commands.ROOT / "bin").glob("*.py")}


def written(tmp_path, text):
    script = tmp_path / "probe.py"
    script.write_text(text)
    return script


def test_forked_script_sees_what_one_of_its_own_process_sees(tmp_path, monkeypatch):
    monkeypatch.setenv("GIVEN", "ä b")
    where = str(commands.ROOT / "bin")
    text = PROBE.format(bin=where, modules=sorted(MODULES), readline=READLINE)
    script = written(tmp_path, text)
    forked, alone = (
        run(script, "--seed=3 'two words'") for run in (commands.run, commands.run_alone)
    )
    assert (forked.returncode, forked.stderr) == (alone.returncode, alone.stderr) == (0, "told\n")
    assert json.loads(forked.stdout) == json.loads(alone.stdout)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('RuntimeError: no')", 1),
        ("raise RuntimeError('no')", 1),
        ("import atexit; atexit.register(print, 'end')", 0),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import threading, time; threading.Thread(target=time.sleep, args=[0.1]).start()", 0),
    ],
)
def test_end_is_told_as_subprocess_does(tmp_path, text, code):
    done = commands.run(written(tmp_path, f"print('begun', flush=True)\n{text}"), "")
    assert done.returncode == code
    assert done.stdout == "begun\n" + "end\n" * ("atexit" in text)
    assert ("RuntimeError: no" in done.stderr) == (code == 1)


def test_script_that_does_not_end_is_ended(tmp_path, monkeypatch):
    endless = written(tmp_path, "import time; time.sleep(60)")
    with monkeypatch.context() as patch:
        patch.setattr(commands, "_TIMEOUT_S", 0.2)
        with pytest.raises(subprocess.TimeoutExpired):
            commands.run(endless, "")
    assert commands.run(written(tmp_path, "print('next')"), "").stdout == "next\n"


def test_scripts_do_not_see_what_others_left(tmp_path):
    """Flags that were set, a policy, a folder: nothing outlives a child."""
    for _ in range(2):
        text = "import keras, os, sys; print(keras.config.dtype_policy().name, os.getcwd())\n"
        text += "print('left' in os.environ, 'quiet' in sys.modules)\n"
        text += "keras.config.set_dtype_policy('mixed_float16'); os.chdir('/tmp')\n"
        text += "os.environ['left'] = ''; import absl.flags; absl.flags.DEFINE_string('x', '', '')"
        done = commands.run(written(tmp_path, text), "")
        assert done.stdout == "float32 /\nFalse False\n", done.stderr


def test_every_script_is_run_alone_somewhere():
    """As a user runs it: by `run_alone`, or by `command` and `Popen`."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.rglob("*.py"))
    paths = sorted((commands.ROOT / "bin").glob("*.py"))
    scripts = [path.name for path in paths if "__main__" in path.read_text()]
    assert len(scripts) == 8
    for name in scripts:
        assert re.search(rf'(run_alone|command|way)\(\s*"{name}"', tests), name
