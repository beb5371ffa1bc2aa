"""A lab runs, resumes and survives failing runs; its report shows all of it."""

import json
import os
import re
import sys
import threading

import commands
import numpy as np
import pandas as pd
import pytest
import tiny_lab

from tfgans import engines, files, labs
from tfgans.labs import effects
from tfgans.labs.lab import Claim, Drawing

TIMES = ["cpu_seconds", "commit"]


def rows(path):
    return pd.read_csv(path / "rows.csv", keep_default_na=False)


def assert_same_rows(first, second, *, by, without=()):
    pd.testing.assert_frame_equal(
        *(
            rows(path).drop(columns=[*TIMES, *without]).sort_values(by, ignore_index=True)
            for path in (first, second)
        )
    )


def test_report_holds_figures_tables_and_verdicts(tmp_path, here):
    outcome = labs.run(tiny_lab.lab(), tmp_path, seeds=5, workers=2, command="bin/it --now")
    assert (outcome.num_runs, outcome.num_failed) == (20, 0)
    words = [verdict.word for verdict in outcome.verdicts]
    assert words == ["reproduced", "not testable here"]
    text = (tmp_path / "report.md").read_text()
    for part in ("# A tiny <lab>", "needs wings", "(path.png)", "| up | 0.1 | 5 |", "bin/it --now"):
        assert part in text
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # A single file.
    assert page.count("data:image/svg+xml;base64,") == 1
    assert page.count("<table>") == 2
    assert (tmp_path / "path.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "lab.json").read_text()) == {"lab": "tiny", "quick": False}
    # Rows of more seeds than asked for are left out.
    assert labs.run(tiny_lab.lab(), tmp_path, seeds=1).num_runs == 4
    assert "seeds 0 to 0" in (tmp_path / "report.md").read_text()


def end_badly(path):
    """Returns, and ends the process with a failure once the result has been sent."""
    path.touch()
    threading.Timer(0.5, os._exit, args=(3,)).start()
    return {}


@pytest.mark.slow
def test_a_process_that_dies_between_two_runs_costs_no_run(tmp_path):
    # More than fit into the pipe to the processes.
    tasks = [engines.Task(end_badly, {"path": tmp_path / f"{index}"}, 0) for index in range(3)]
    tasks += [engines.Task(dict, {"text": "x" * 100_000}, 0)] * 2
    ended = dict(engines.run_tasks(tasks, workers=1, fresh=True))
    assert [ended[index].error for index in range(5)] == [""] * 5
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.slow
def test_the_first_run_of_a_process_has_its_seed_too():
    """Its process has not imported Keras before."""
    ended = dict(engines.run_tasks([engines.Task(tiny_lab.draw, {}, 3)] * 2, workers=1))
    assert ended[0].measures == ended[1].measures is not None


@pytest.mark.slow
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
    assert "## Failed runs" in (tmp_path / "report.md").read_text()
    # Seed 1 has failures and does not count; `forgets`, which always fails, is left out.
    assert outcome.verdicts[0].num_seeds == 2


def test_measures_that_are_no_numbers_fail_their_run(tmp_path, here):
    values = [np.ones(2), "1.0", [None], np.float32(0.5), [np.int64(2)], None]
    lab = tiny_lab.lab(
        cells=lambda quick: [{}],
        measure=lambda seed: {"path": [1.0], "end": values[seed]},
        tables={},
    )
    assert labs.run(lab, tmp_path, seeds=6).num_failed == 3
    frame = rows(tmp_path)
    assert frame["status"].tolist() == ["failed"] * 3 + ["ok"] * 3
    assert frame["end"].tolist() == ["", "", "", "0.5", "[2.0]", ""]
    assert "a list of floats or None. Received: end='1.0'" in frame["error"][1]


def test_a_figure_or_table_that_lacks_its_rows_does_not_cost_the_report(tmp_path, here):
    lacking = {"tables": {"Wings": lambda rows: rows["wings"]}}
    lacking["drawings"] = {"wings": Drawing("The wings.", lambda rows: rows["wings"])}
    labs.run(tiny_lab.lab(**lacking), tmp_path, seeds=2)
    text = (tmp_path / "report.md").read_text()
    assert "*No figure `wings`: KeyError: 'wings'*" in text
    assert "## Wings\n\n*No table: KeyError: 'wings'*" in text
    assert "## Verdicts" in text


def test_a_lab_of_one_cell_without_settings(tmp_path, here):
    lab = tiny_lab.lab(
        cells=lambda quick: [{}],
        measure=lambda seed: {"path": [0.0, seed + 1.0], "end": seed + 1.0},
        tables={},
    )
    outcome = labs.run(lab, tmp_path, seeds=2)
    assert (outcome.num_runs, outcome.num_failed) == (2, 0)
    assert outcome.verdicts[0].num_seeds == 2


def test_only_failed_runs_run_again(tmp_path, here):
    lab = tiny_lab.lab("raises", "up")
    assert labs.run(lab, tmp_path, seeds=2).num_failed == 1
    mended = tiny_lab.lab("raises", "up", measure=lambda **cell: {"path": [1.0], "end": 1.0})
    # The other runs are of another file, and are kept.
    message = r"3 of the 4 runs in .* another version of the lab's file than test_experiment\.py"
    with pytest.warns(UserWarning, match=message):
        assert labs.run(mended, tmp_path, seeds=2).num_failed == 0
    codes = rows(tmp_path)["commit"].str.extract(r" with (\w+\.py) \w{10}$")[0]
    assert codes.tolist() == ["tiny_lab.py"] * 4 + ["test_experiment.py"]
    assert rows(tmp_path)["status"].tolist().count("ok") == len(rows(tmp_path)) - 1 == 4


def test_more_seeds_are_added_and_nothing_runs_twice(tmp_path, here, monkeypatch):
    path, other = tmp_path / "lab", tmp_path / "other"
    labs.run(tiny_lab.lab(), path, seeds=1, workers=1)
    first = (path / "rows.csv").read_bytes()
    labs.run(tiny_lab.lab(), path, seeds=3, workers=1)
    assert (path / "rows.csv").read_bytes().startswith(first)
    labs.run(tiny_lab.lab(), other, seeds=3, workers=2)
    assert_same_rows(path, other, by=["seed", "arm", "scale"])
    # The same rows draw the same figures, to the byte.
    for name in ("path.svg", "path.png"):
        assert (path / name).read_bytes() == (other / name).read_bytes()
    monkeypatch.setattr(engines, "_by_processes", None)  # Nothing is left to run.
    assert labs.run(tiny_lab.lab(), path, seeds=3).num_runs == 12


def test_a_part_of_the_cells_comes_first(tmp_path, here):
    lab = tiny_lab.lab(first_seed=7, history="It was *worse*.")
    assert labs.run(lab, tmp_path, seeds=2, only=["arm=up", "scale=0.1"]).num_runs == 2
    text = (tmp_path / "report.md").read_text()
    assert "2 runs of the 8 that all cells of these seeds have, seeds 7 to 8" in text
    assert "## Earlier versions\n\nIt was *worse*." in text
    first = (tmp_path / "rows.csv").read_bytes()
    assert labs.run(lab, tmp_path, seeds=3, report_only=True).num_runs == 2
    assert (tmp_path / "rows.csv").read_bytes() == first
    assert "2 runs of the 12 that all cells" in (tmp_path / "report.md").read_text()
    assert labs.run(lab, tmp_path, seeds=2, only=["scale=0.1", f"scale={1 / 3}"]).num_runs == 8
    assert (tmp_path / "rows.csv").read_bytes().startswith(first)
    assert "that all cells" not in (tmp_path / "report.md").read_text()


def test_runs_that_compare_cpu_time_come_one_at_a_time_in_turned_order(tmp_path, monkeypatch):
    def in_turn(tasks, workers, runs_of_a_process):
        assert workers == 1
        return ((index, engines._measure(task)) for index, task in enumerate(tasks))

    monkeypatch.setattr(engines, "_by_processes", in_turn)
    monkeypatch.setattr(engines, "_forget_others", lambda seed: None)
    lab = tiny_lab.lab("up", "none", one_at_a_time=True)
    with pytest.warns(UserWarning, match="workers=4 has no effect"):
        labs.run(lab, tmp_path, seeds=3, workers=4)
    order = [("up", 0), ("none", 0), ("none", 1), ("up", 1), ("up", 2), ("none", 2)]
    assert list(rows(tmp_path)[["arm", "seed"]].itertuples(index=False, name=None)) == order
    # A lab that goes on turns as it would have turned.
    labs.run(lab, tmp_path, seeds=4)
    order += [("none", 3), ("up", 3)]
    assert list(rows(tmp_path)[["arm", "seed"]].itertuples(index=False, name=None)) == order


@pytest.fixture
def unimported(monkeypatch):
    """Modules and folders that a test imports are forgotten after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.endswith("_lab"):
            del sys.modules[name]


def test_a_file_with_a_lab_runs(tmp_path, here, unimported, monkeypatch):
    text = "import tiny_lab\nLAB = tiny_lab.lab('up')\n"
    (tmp_path / "its_lab.py").write_text(text)
    # However the path is written.
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "folder").mkdir()
    flags = "--lab={path}/folder/../its_lab.py --seeds=2 --out={path}/out"
    done = commands.run("experiment", flags, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ": 2 of 2 runs\n" in done.stderr
    assert "\r" not in done.stderr
    assert rows(tmp_path / "out")["status"].tolist() == ["ok", "ok"]


@pytest.mark.slow
def test_the_lab_of_the_docs_is_a_file_that_runs(tmp_path, here, unimported):
    page = (commands.ROOT / "docs" / "labs.md").read_text()
    (tmp_path / "my_lab.py").write_text(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1])
    flags = "--lab={path}/my_lab.py --quick --seeds=1 --out={path}/out"
    done = commands.run("experiment", flags, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "With R1 the samples are nearer to the data" in done.stdout
    assert rows(tmp_path / "out")["status"].tolist() == ["ok", "ok"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no_lab.py", "x = 1", r"no_lab.py must define LAB, a `tfgans.labs.Lab`. .*: no LAB"),
        ("other_lab.py", "LAB = 3", r"must define LAB.* Received: 3"),
        ("broken_lab.py", "1 / 0", r"broken_lab.py cannot be run: ZeroDivisionError: division"),
        ("bad_syntax_lab.py", "def", r"cannot be run: SyntaxError"),
        ("json.py", "", r"imported by its name, 'json'. Received: .*json/__init__.py. Rename"),
        ("my-lab.py", "", r"a module cannot have this name. Rename the file"),
        (".py", "", r"a module cannot have this name"),
    ],
)
def test_files_without_a_lab_are_refused(name, text, message, tmp_path, unimported):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        labs.load(str(tmp_path / name))


def test_seconds_replace_those_of_cells_that_train_for_a_time():
    cells = [{"arm": "a", "seconds": 600.0}, {"arm": "b", "seconds": 0.0}]
    lab = tiny_lab.lab(cells=lambda quick: cells)
    assert [run["seconds"] for run in lab.runs(1, seconds=20)] == [20.0, 0.0]
    assert [run["seconds"] for run in lab.runs(1)] == [600.0, 0.0]
    times = tiny_lab.lab(cells=lambda quick: [{"seconds": 5.0}, {"seconds": 60.0}])
    assert times.runs(1, seconds=2) == [{"seconds": 2.0, "seed": 0}]


def test_folders_of_something_else_are_refused(tmp_path, here):
    labs.run(tiny_lab.lab(), tmp_path / "lab", seeds=1, workers=1)
    with pytest.raises(ValueError, match=r"Received: .*'quick': False.*Choose another folder"):
        labs.run(tiny_lab.lab(), tmp_path / "lab", quick=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("dear")
    with pytest.raises(ValueError, match="must be new, empty or the folder of a lab"):
        labs.run(tiny_lab.lab(), tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["mine.txt"]
    (tmp_path / "busy").mkdir()
    with files.locked(tmp_path / "busy"), pytest.raises(ValueError, match="Another process has"):
        labs.run(tiny_lab.lab(), tmp_path / "busy", seeds=1)
    assert not os.listdir(tmp_path / "busy")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda out: labs.run(tiny_lab.lab(), out, seeds=0), "`seeds` must be an integer of at l"),
        (lambda out: labs.run(tiny_lab.lab(), out, workers=0), "`workers` must be an integer of"),
        (lambda out: labs.run(tiny_lab.lab(), out, engine="slurm"), "one of 'processes', 'ray'"),
        (
            lambda out: labs.run(tiny_lab.lab(), out, only=["arm=down"]),
            "values of 'arm' are none, up",
        ),
        (lambda out: labs.run(tiny_lab.lab(), out, only=["leg=up"]), "settings are arm, scale"),
        (
            lambda out: labs.run(tiny_lab.lab(), out, seconds=9.0),
            "for a lab that trains for a time",
        ),
        (lambda out: labs.load("alchemy"), "`lab` must be one of"),
        (lambda out: tiny_lab.lab(measures={"seed": "common"}), "Received twice: seed"),
        (lambda out: tiny_lab.lab(cells=lambda quick: [{f"{quick}": 1}]), "need the same names"),
        (lambda out: tiny_lab.lab(cells=lambda quick: [{"arm": None}]), r"arm=None. Name it, as"),
        (
            lambda out: tiny_lab.lab(
                claims=[
                    Claim("", "", "", effects.value("end", {"arm": "up", "scale": 2.0}), above=0)
                ]
            ),
            r"Received: {'arm': 'up', 'scale': 2.0}, which are settings of no cell",
        ),
        (lambda out: tiny_lab.lab(cells=lambda quick: [{"arm": [1]}]), r"Received: arm=\[1\]"),
        (lambda out: tiny_lab.lab(cells=lambda quick: [{"x": float("nan")}]), "Received: x=nan"),
        (lambda out: tiny_lab.lab(drawings={"../x": None}), "`drawings` must be the name of a fi"),
    ],
)
def test_bad_arguments(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "lab")
    assert not (tmp_path / "lab").exists()


@pytest.mark.slow
def test_ray_gives_the_same_rows(tmp_path, monkeypatch):
    # The machines of a cluster must find the lab, which lies beside the tests.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    lab = tiny_lab.lab("up", "raises", "dies")
    for engine in ("processes", "ray"):
        outcome = labs.run(lab, tmp_path / engine, seeds=3, workers=2, engine=engine)
        assert outcome.num_failed == 2
    paths = tmp_path / "processes", tmp_path / "ray"
    assert_same_rows(*paths, by=["seed", "arm"], without=["error"])
