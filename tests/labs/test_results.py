"""The committed reports of the labs, whose verdicts follow from the rows."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tfgans import labs
from tfgans.labs import report
from tfgans.labs.rows import Rows
from tfgans.labs.verdicts import verdict
from tfgans.reports import document

RESULTS = Path(__file__).parents[2] / "docs" / "results"
NAMES = (
    *("diversity", "equilibrium", "generalization", "grow", "limited_data", "many_paths", "mix"),
    "vanishing_gradients",
)
# Labs of which runs are missing yet: the report says how many.
UNFINISHED: tuple[str, ...] = ()
LARGEST = "many_paths"
# Labs of fewer than eight seeds.
FIVE_SEEDS = ("limited_data",)


def test_these_are_all():
    # These are of `tfgans sweep` and `tfgans compare`.
    others = {"fashion_mnist", "fashion_mnist_10_minutes", "fashion_mnist_four_pairs"}
    others |= {"fashion_mnist_more_seeds"}
    assert {path.name for path in RESULTS.iterdir() if path.is_dir()} == {*NAMES, *others}


@pytest.mark.parametrize("name", NAMES)
def test_the_overview_counts_the_runs_and_the_verdicts(name):
    overview = (RESULTS / "README.md").read_text()
    (line,) = (line for line in overview.splitlines() if line.startswith(f"| [`{name}`]"))
    _, runs, seeds, cpu_seconds, *counts = line.strip("| ").split(" | ")
    text = (RESULTS / name / "report.md").read_text()
    assert f"- {runs} runs, seeds {seeds}, {cpu_seconds} CPU seconds" in text
    decided = re.findall(r"^\|[^|]*\| (.*?) \|.*\*\*(reproduced|not reproduced)\*\*", text, re.M)
    by_origin = {"papers": [], "partly ours": [], "ours": []}
    for origin, word in decided:
        partly = "partly ours" if "ours" in origin else "papers"
        by_origin["ours" if origin.startswith("ours") else partly].append(word)
    expected = [
        f"{words.count('reproduced')} of {len(words)}" if words else "-"
        for words in by_origin.values()
    ]
    assert counts == expected


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name == LARGEST else name for name in NAMES],
)
def test_report_follows_from_the_rows(name):
    lab, path = labs.load(name), RESULTS / name
    keys = [*lab.settings(), "seed"]
    rows = Rows(path / "rows.csv", keys=keys, columns=lab.columns())
    num_seeds = pd.read_csv(path / "rows.csv")["seed"].nunique()
    wanted = lab.runs(num_seeds)
    frame = rows.frame(wanted)
    assert set(frame["status"]) == {"ok"}
    assert not frame["commit"].astype(str).str.contains("dirty").any()
    assert num_seeds >= (5 if name in FIVE_SEEDS else 8)
    assert rows.done() <= {rows.key(row) for row in wanted}
    assert (len(frame) < len(wanted)) == (name in UNFINISHED)
    verdicts = [verdict(claim, frame, lab.cells(False)) for claim in lab.claims]
    assert not any(each.reason.startswith("failed") for each in verdicts)
    text = (path / "report.md").read_text(encoding="utf-8")
    assert report.verdict_table(verdicts) in text
    tables = [make(frame) for make in lab.tables.values()]
    assert all(document.markdown_table(table) in text for table in tables if len(table))
    missing = f" of the {len(wanted)} that all cells of these seeds have"
    assert (missing in text) == (name in UNFINISHED)
    assert lab.history.strip() in text
    assert lab.protocol.strip() in text
    assert f"--lab={name} " in text
    assert "A quick run" not in text
    page = (path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") == len(lab.drawings) > 0
    assert all((path / f"{drawing}.png").exists() for drawing in lab.drawings)
    for drawing in lab.drawings.values():
        drawing.draw(frame).canvas.draw()
