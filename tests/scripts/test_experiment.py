"""The script of the labs: wrong flags are one line, and a lab ends in its table."""

import re

import pytest
from commands import run, run_alone

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
