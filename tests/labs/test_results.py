"""The committed reports: full runs of what the labs are now, verdicts that follow from the rows."""

from pathlib import Path

import pandas as pd
import pytest

from tfgans import labs
from tfgans.labs import report
from tfgans.labs.rows import Rows
from tfgans.labs.verdicts import decide

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
NAMES = ("diversity", "equilibrium", "generalization", "many_paths", "mix", "vanishing_gradients")


def rows(name):
    """Returns the lab, its rows, and those of them that a full run of so many seeds has."""
    lab = labs.load(name)
    path = RESULTS / name / "rows.csv"
    found = Rows(
        path,
        keys=[*lab.settings(), "seed"],
        columns=lab.columns(),
        lists=list(lab.measures),
    )
    seeds = range(1 + int(pd.read_csv(path)["seed"].max()))
    wanted = [{**cell, "seed": seed} for seed in seeds for cell in lab.cells(False)]
    return lab, found, found.frame(wanted), wanted


def test_these_are_all():
    assert {one.name for one in RESULTS.iterdir() if one.is_dir()} == set(NAMES)


def test_readme_counts_the_verdicts():
    text = "".join((RESULTS / name / "report.md").read_text(encoding="utf-8") for name in NAMES)
    good, bad = (text.count(f"| **{word}** |") for word in ("reproduced", "not reproduced"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{good} of {good + bad} claims" in " ".join(readme.split())


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_the_full_form(name):
    _, found, frame, wanted = rows(name)
    assert set(frame["status"]) == {"ok"}
    assert not frame["commit"].astype(str).str.contains("dirty").any()
    assert frame["seed"].nunique() >= 8
    assert found.done() == {found.key(row) for row in wanted}


@pytest.mark.parametrize("name", NAMES)
def test_reports_follow_from_the_rows(name):
    lab, _, frame, _ = rows(name)
    verdicts = [decide(claim, frame) for claim in lab.claims]
    assert not any(one.reason.startswith("failed") for one in verdicts)
    text = (RESULTS / name / "report.md").read_text(encoding="utf-8")
    assert report.verdict_table(verdicts) in text
    for make in lab.tables.values():
        assert report.markdown_table(make(frame)) in text
    assert lab.protocol.strip() in text
    assert f"--lab={name} " in text
    assert "A quick run" not in text


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_there(name):
    lab = labs.load(name)
    page = (RESULTS / name / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") == len(lab.drawings) > 0
    for drawing in lab.drawings:
        assert (RESULTS / name / f"{drawing}.png").exists()
