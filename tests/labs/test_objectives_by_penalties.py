"""The lab of games and penalties: what it runs, and what it says of rows that are known."""

import math

import pandas as pd
import pytest

from tfgans.labs import objectives_by_penalties as lab
from tfgans.labs import verdicts


def rows(quick):
    """Every penalty adds 2 modes, and takes more of the distance the longer a game's name is."""
    found = []
    for cell in lab.cells(quick):
        helped = cell["penalty"] != lab.NONE
        bad = 0.02 * (not helped) * len(cell["objective"])
        points = {"modes": 5.0 + 2 * helped, "high_quality": 0.5, "sliced": 0.1 + bad}
        measures = {**points, "variation": 0.1, "frechet": 3.0 + bad}
        found += [{**cell, "seed": seed, **measures} for seed in range(5)]
    frame = pd.DataFrame(found)
    images = frame["task"] == lab.DIGITS
    frame.loc[images, list(lab.sample_scores.POINTS)] = math.nan
    frame.loc[~images, "frechet"] = math.nan
    return frame


def test_the_full_grid():
    cells = lab.cells(False)
    assert len(cells) == 3 * len(lab.OBJECTIVES) * len(lab.PENALTIES)
    assert len({tuple(cell.values()) for cell in cells}) == len(cells)


@pytest.mark.parametrize("quick", [False, True])
def test_report_of_rows_that_are_known(quick):
    frame = rows(quick)
    found = [verdicts.decide(claim, frame) for claim in lab.CLAIMS]
    assert {one.word for one in found if one.num_seeds} == {"reproduced"}
    if not quick:
        assert all(one.num_seeds for one in found)
    for drawing in lab.LAB.drawings.values():
        drawing.draw(frame).canvas.draw()
    for make in lab.LAB.tables.values():
        make(frame)


def test_a_game_that_diverged_is_the_worst():
    frame = rows(False)
    lost = (frame["objective"] == "wasserstein") & (frame["penalty"] == lab.NONE)
    frame.loc[lost & (frame["task"] == "ring"), "sliced"] = math.inf
    assert verdicts.decide(lab.CLAIMS[4], frame).word == "reproduced"
    lab.LAB.drawings["sliced"].draw(frame).canvas.draw()
