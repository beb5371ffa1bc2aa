"""A lab runs, resumes, and survives runs that fail; its report says all of it."""

import json
import os
import re
import sys

import pandas as pd
import pytest
import tiny_lab

from tfgans import files, labs
from tfgans.labs import engines

TIMES = ["cpu_seconds", "commit"]


@pytest.fixture
def here(monkeypatch):
    """Runs run in this process, which has TensorFlow."""

    def one_by_one(tasks, workers):
        return ((index, engines._measure(task)) for index, task in enumerate(tasks))

    monkeypatch.setattr(engines, "_by_processes", one_by_one)
    # Seconds a run in a process as large as this one.
    monkeypatch.setattr(engines, "_forget_others", lambda seed: None)


def rows(path):
    return pd.read_csv(path / "rows.csv", keep_default_na=False)


def test_report_holds_figures_tables_and_verdicts(tmp_path, here):
    outcome = labs.run(tiny_lab.lab(), tmp_path, seeds=2, workers=2, command="bin/it --now")
    assert outcome.num_runs == 8
    assert outcome.num_failed == 0
    assert [one.word for one in outcome.verdicts] == ["reproduced", "not testable here"]
    text = (tmp_path / "report.md").read_text()
    for part in ("# A tiny <lab>", "needs wings", "(path.png)", "| up | 0.1 | 2 |", "bin/it --now"):
        assert part in text
    page = (tmp_path / "report.html").read_text()
    # One file: nothing is fetched.
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert page.count("data:image/svg+xml;base64,") == 1
    assert page.count("<table>") == 2
    assert (tmp_path / "path.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "lab.json").read_text()) == {"lab": "tiny", "quick": False}


def test_a_failed_run_is_a_row_and_the_others_go_on(tmp_path):
    lab = tiny_lab.lab("raises", "dies", "forgets", "up")
    outcome = labs.run(lab, tmp_path, seeds=3, workers=2)
    assert (outcome.num_runs, outcome.num_failed) == (12, 5)
    failed = rows(tmp_path).query("status == 'failed'").set_index(["arm", "seed"])["error"]
    assert failed["raises", 1] == "RuntimeError: one, on two lines | with a bar"
    assert "process died" in failed["dies", 1]
    assert "Received: ['path']" in failed["forgets", 0]
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback (most recent call last)" in log
    assert 'raise RuntimeError("one, on' in log
    report = (tmp_path / "report.md").read_text()
    assert "## Failed runs" in report
    # Seed 1 has failures, and does not count; `forgets`, which always fails, takes nothing along.
    assert outcome.verdicts[0].num_seeds == 6


def test_nothing_to_compare_is_said(tmp_path, here):
    outcome = labs.run(tiny_lab.lab("forgets"), tmp_path, seeds=2)
    assert outcome.verdicts[0][1:3] == ("not testable here", "no seed of which all runs ended well")


def test_rows_of_other_seeds_are_left_out(tmp_path, here):
    labs.run(tiny_lab.lab(), tmp_path, seeds=3)
    outcome = labs.run(tiny_lab.lab(), tmp_path, seeds=1)
    assert outcome.num_runs == 4
    assert "seeds 0 to 0" in (tmp_path / "report.md").read_text()


def test_failed_runs_are_tried_again_and_only_they(tmp_path, here):
    lab = tiny_lab.lab("raises", "up")
    assert labs.run(lab, tmp_path, seeds=2).num_failed == 1
    mended = tiny_lab.lab("raises", "up", measure=lambda **cell: {"path": [1.0], "end": 1.0})
    assert labs.run(mended, tmp_path, seeds=2).num_failed == 0
    assert rows(tmp_path)["status"].tolist().count("ok") == len(rows(tmp_path)) - 1 == 4


def test_seeds_with_a_failure_are_left_out(tmp_path, here):
    outcome = labs.run(tiny_lab.lab("raises", "up"), tmp_path, seeds=8)
    assert outcome.num_failed == 1
    # One effect a cell of each of the seven other seeds.
    assert outcome.verdicts[0].num_seeds == 14


def test_more_seeds_are_added_and_nothing_runs_twice(tmp_path, here):
    path = tmp_path / "lab"
    labs.run(tiny_lab.lab(), path, seeds=1, workers=1)
    first = (path / "rows.csv").read_bytes()
    labs.run(tiny_lab.lab(), path, seeds=3, workers=1)
    assert (path / "rows.csv").read_bytes().startswith(first)
    whole = labs.run(tiny_lab.lab(), tmp_path / "other", seeds=3, workers=2)
    same = [
        rows(one).drop(columns=TIMES).sort_values(["seed", "arm", "scale"], ignore_index=True)
        for one in (path, whole.folder)
    ]
    pd.testing.assert_frame_equal(*same)
    # The same rows draw the same figures, to the byte.
    for name in ("path.svg", "path.png"):
        assert (path / name).read_bytes() == (whole.folder / name).read_bytes()


def test_nothing_left_is_no_pool(tmp_path, here, monkeypatch):
    labs.run(tiny_lab.lab(), tmp_path, seeds=1, workers=1)
    monkeypatch.setattr(engines, "_by_processes", None)
    assert labs.run(tiny_lab.lab(), tmp_path, seeds=1).num_runs == 4


def test_folders_of_something_else_are_refused(tmp_path, here):
    labs.run(tiny_lab.lab(), tmp_path / "lab", seeds=1, workers=1)
    with pytest.raises(ValueError, match=r"holds .*'quick': False.*Choose another folder"):
        labs.run(tiny_lab.lab(), tmp_path / "lab", quick=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("dear")
    with pytest.raises(ValueError, match="not empty, and not of a lab"):
        labs.run(tiny_lab.lab(), tmp_path / "full")
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_folder_that_is_being_filled_is_refused(tmp_path):
    with files.locked(tmp_path), pytest.raises(ValueError, match=r"Another process has .* open"):
        labs.run(tiny_lab.lab(), tmp_path, seeds=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "`seeds` must be an integer of at least 1"),
        ({"workers": 0}, "`workers` must be an integer of at least 1"),
        ({"engine": "slurm"}, "`engine` must be one of 'processes', 'ray'"),
    ],
)
def test_bad_arguments(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        labs.run(tiny_lab.lab(), tmp_path / "lab", **options)
    assert not (tmp_path / "lab").exists()


def test_bad_labs():
    with pytest.raises(ValueError, match="`lab` must be one of"):
        labs.load("alchemy")
    with pytest.raises(ValueError, match="Received twice: seed"):
        tiny_lab.lab(measures={"seed": "meets our own"})
    with pytest.raises(ValueError, match="need the same names"):
        tiny_lab.lab(cells=lambda quick: [{"quick": 1} if quick else {"full": 1}])
    with pytest.raises(ValueError, match="`drawings` must be the name of a file"):
        tiny_lab.lab(drawings={"../x": None})


@pytest.mark.slow
def test_ray_gives_the_same_rows(tmp_path, monkeypatch):
    # The machines of a cluster must find the lab: here it lies beside the tests.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    lab = tiny_lab.lab("up", "raises", "dies")
    outcomes = [
        labs.run(lab, tmp_path / engine, seeds=3, workers=2, engine=engine)
        for engine in ("processes", "ray")
    ]
    assert [one.num_failed for one in outcomes] == [2, 2]
    same = [
        rows(one.folder)
        .drop(columns=[*TIMES, "error"])
        .sort_values(["seed", "arm"], ignore_index=True)
        for one in outcomes
    ]
    pd.testing.assert_frame_equal(*same)
