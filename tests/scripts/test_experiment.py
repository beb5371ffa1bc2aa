"""The script of the labs: wrong flags are one line, and a lab ends in its table."""

import re
import signal
import subprocess
import time

import psutil
import pytest
from commands import command, run, run_alone

from tfgans import labs


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--lab=alchemy --out=x", "value should be one of <.*>"),
        ("--out=x", "lab.*must have a value"),
    ],
)
def test_wrong_flags_are_one_line(flags, message):
    done = run("experiment.py", flags)
    assert done.returncode == 2
    assert re.fullmatch(rf"experiment\.py: error: .*{message}.*\n", done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_runs_too_and_nothing_is_lost(tmp_path, number):
    flags = "--lab=many_paths --quick --seeds=1 --out={out}"
    out = tmp_path / "lab"
    with subprocess.Popen(command("experiment.py", flags, out=out), stderr=subprocess.PIPE) as lab:
        deadline = time.monotonic() + 240
        while not (out / "rows.csv").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        runs = psutil.Process(lab.pid).children(recursive=True)
        lab.send_signal(number)
        said = lab.communicate()[1].decode()
    assert lab.returncode == 128 + number
    assert "interrupted. To go on: bin/experiment.py --lab=many_paths" in said
    assert psutil.wait_procs(runs, timeout=30)[1] == []
    assert (out / "rows.csv").read_bytes().endswith(b"\n")


@pytest.mark.slow
def test_a_lab_ends_in_its_table_and_is_not_run_twice(tmp_path):
    flags = "--lab=generalization --quick --seeds=1 --out={out}"
    first, second = (run_alone("experiment.py", flags, out=tmp_path / "lab") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert "run/s" in first.stderr
    assert "run/s" not in second.stderr
    assert first.stdout.count("1 seeds, of at least 5") == len(
        [one for one in labs.load("generalization").claims if one.effect]
    )
