"""Each lab on rows that follow the theory: its effects, verdicts, figures and tables."""

import math
from pathlib import Path

import pandas as pd
import pytest

from tfgans import labs
from tfgans.labs import dcd, kl_wgan, mix_images, objectives_by_penalties, verdicts

SEEDS = 5


def dcd_measures(cell, seed):
    """Every stage improves on the stage before."""
    better = dict(zip(dcd.STAGES, (0.3, 0.2, 0.1), strict=True))
    return {
        name: [0.0, 1.0] if name[:2] in ("x_", "y_") else better[name.split("_")[-1]]
        for name in dcd.MEASURES
    }


def kl_wgan_measures(cell, seed):
    return dict.fromkeys(kl_wgan.MEASURES, 1.0 + 0.1 * (cell["game"] != kl_wgan.KL))


def mix_images_measures(cell, seed):
    """Each generator is nearer by 10 and draws all classes alike."""
    measures = dict.fromkeys(mix_images.MEASURES, 0.5 + seed / 10)
    drawn = [0.1] * 10 * cell["generators"]
    return {**measures, "frechet": 100.0 + seed - 10 * cell["generators"], "drawn": drawn}


def penalties_measures(cell, seed):
    """A penalty adds 2 modes, and removes a distance that grows with the name of the game."""
    lab, helped = objectives_by_penalties, cell["penalty"] != objectives_by_penalties.NONE
    bad = 0.02 * (not helped) * len(cell["objective"])
    measures = {"modes": 5.0 + 2 * helped, "high_quality": 0.5, "sliced": 0.1 + bad}
    measures |= {"variation": 0.1, "frechet": 3.0 + bad}
    missing = lab.sample_scores.POINTS if cell["task"] == lab.DIGITS else ["frechet"]
    return {**measures, **dict.fromkeys(missing, math.nan)}


MEASURES = {
    dcd: dcd_measures,
    kl_wgan: kl_wgan_measures,
    mix_images: mix_images_measures,
    objectives_by_penalties: penalties_measures,
}


def rows(lab, *, quick=False, seeds=SEEDS):
    return pd.DataFrame(
        {**cell, "seed": seed, "status": "ok", **MEASURES[lab](cell, seed)}
        for cell in lab.cells(quick)
        for seed in range(seeds)
    )


def short_names(labs_):
    return [lab.__name__.rpartition(".")[2] for lab in labs_]


def test_every_lab_is_here_or_has_results():
    results = Path(__file__).parents[2] / "docs" / "results"
    measured = {path.parent.name for path in results.glob("*/rows.csv")}
    assert {*short_names(MEASURES), *measured, "real_images"} == set(labs.NAMES)


# The median effect of each claim in the full form; None where the claim cannot be tested. And the
# number of claims that the quick form has runs for.
EFFECTS = {
    dcd: ([-0.2, -0.2, -0.2, -0.2, -0.1, None], 4),
    kl_wgan: ([-0.1, -0.1, -0.1, -0.1, math.log(3) - 1, -0.1, None], 5),
    mix_images: ([-30.0] * 16, 0),
    objectives_by_penalties: ([*[-0.28] * 5, -0.24, -0.24, 0.22, 0.2], 4),
}


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("lab", MEASURES, ids=short_names(MEASURES))
def test_report_of_rows_that_follow_the_theory(lab, quick):
    frame = rows(lab, quick=quick)
    results = [verdicts.verdict(claim, frame, lab.cells(quick)) for claim in lab.CLAIMS]
    decided = [verdict for verdict in results if verdict.num_seeds]
    assert all(verdict.num_seeds == SEEDS for verdict in decided)
    expected, num_quick = EFFECTS[lab]
    if quick:
        assert len(decided) == num_quick
    else:
        medians = [verdict.median for verdict in results]
        expected = [math.nan if effect is None else effect for effect in expected]
        assert medians == pytest.approx(expected, rel=1e-5, abs=1e-12, nan_ok=True)
        for drawing in lab.LAB.drawings.values():
            drawing.draw(frame).canvas.draw()
    tables = [make(frame) for make in lab.LAB.tables.values()]
    assert any(map(len, tables))
    assert not any(table.astype(str).eq("inf [inf, inf]").to_numpy().any() for table in tables)


def test_a_game_that_diverged_is_the_worst():
    lab = objectives_by_penalties
    frame = rows(lab)
    lost = (frame["objective"] == "wasserstein") & (frame["penalty"] == lab.NONE)
    frame.loc[lost & (frame["task"] == "ring"), "sliced"] = math.inf
    assert verdicts.verdict(lab.CLAIMS[-2], frame, lab.cells(False)).word == "reproduced"
    lab.LAB.drawings["sliced"].draw(frame).canvas.draw()
