"""Each lab on rows that follow the theory: its effects, verdicts, figures and tables."""

import math

import pandas as pd
import pytest

from tfgans import labs
from tfgans.labs import (
    dcd,
    diversity,
    equilibrium,
    generalization,
    grow,
    kl_wgan,
    limited_data,
    many_paths,
    mix,
    mix_images,
    objectives_by_penalties,
    vanishing_gradients,
    verdicts,
)

SEEDS = 5


def dcd_measures(cell, seed):
    """Every stage improves on the stage before."""
    better = dict(zip(dcd.STAGES, (0.3, 0.2, 0.1), strict=True))
    return {
        name: [0.0, 1.0] if name[:2] in ("x_", "y_") else better[name.split("_")[-1]]
        for name in dcd.MEASURES
    }


def diversity_measures(cell, seed):
    """The support grows with the square of the width, and falls with k."""
    measures = dict.fromkeys(diversity.MEASURES, 0.1 + seed / 100)
    if cell["task"] == diversity.MEMORY:
        return {**measures, "relative_support": 1.1, "support": 1.1 * cell["num"], "recall": None}
    return {**measures, "support": 50.0 * cell["width"] ** 2 / cell["k"]}


def equilibrium_measures(cell, seed):
    """All measures fall with the components and parameters."""
    size = cell["k"] * cell["width"] / equilibrium.WIDTH
    measures = dict.fromkeys(equilibrium.MEASURES, (1 + seed / 10) / size)
    if cell["k"] == 1:
        measures |= {"exploitability": 0.0, "pure_exploitability": 0.0}
    if cell["k"] == equilibrium.K:
        measures |= {"reply": measures["reply"] / 2, "standard_error": 0.01, "exploitability": 0.05}
    return {**measures, "step": [1, 2], "payoff": [-1.0 - seed / 10, -1.2]}


def generalization_measures(cell, seed):
    """The error falls as size^-1/2, and the size needed grows with the width."""
    memory = cell["task"] == generalization.MEMORY
    sizes = generalization.MEMORIES if memory else generalization.SIZES
    scale = 0.2 * cell["width"] if memory else 4.0
    falling = [math.sqrt(scale / size) for size in sizes]
    measures = {"size": list(sizes), "sample_distance": falling, "distance": falling}
    if cell["task"] == generalization.SAME:
        measures |= {"wasserstein": [1.4, 1.4, 1.3], "divergence": [math.log(2)] * 4}
    if cell["task"] == generalization.TRAINED:
        measures = {"step": [1, 2], "train_excess": [0.0, -10 / cell["num"]]}
    return {**dict.fromkeys(generalization.MEASURES), **measures}


def kl_wgan_measures(cell, seed):
    return dict.fromkeys(kl_wgan.MEASURES, 1.0 + 0.1 * (cell["game"] != kl_wgan.KL))


def limited_measures(cell, seed):
    """An arm halves the distance and the excess of the AUC with 500 images, and leaks."""
    lab = limited_data
    helped, few = cell["arm"] != lab.NONE, cell["num"] < lab.MANY
    excess = (0.3 if few else 0.1) / (1 + helped * few)
    lists = {name: [0.5, 0.6] for name in list(lab.MEASURES)[:10]}
    lists |= {"step": [1, 2], "auc": [0.5, 0.5 + excess], "p": [0.0, 0.1 + 0.4 * few]}
    measures = dict.fromkeys(lab.MEASURES, 0.1 + helped / 20)
    measures |= {"best_frechet": 40.0 / (1 + helped * few), "rise": 1.5 - helped / 4}
    return {**measures, **lists, "cpu_seconds": 1.0}


def many_paths_measures(cell, seed):
    """Each error falls from 1 to 0.1; with a gradient penalty to 0.02, or 0.2 at a low rate."""
    end = 0.1
    if cell["penalty"] == "gp":
        end = 0.2 if cell["rate"] < many_paths.RATE else 0.02
    names = ("w1", "offset", "length", "mean_error", "covariance_error")
    falling = {name: [1.0, end] for name in names}
    return {"steps": [0, 10], "js": [math.log(2)] * 2, **falling}


def mix_measures(cell, seed):
    """A mixture covers 5 modes more and is nearer by 0.25, with learned weights."""
    mixture = cell["generators"] > 1
    better = (mixture and cell["weights"] != "uniform") + (cell["routing"] == "all") / 2
    measures = dict.fromkeys(mix.MEASURES, 0.5 + seed / 10 - better / 4)
    return {**measures, "modes": 10.0 + 5 * mixture + seed, "cpu_seconds": 1.0}


def grow_measures(cell, seed):
    """Each generator covers a mode; those that are split or dropped are worse."""
    measures = dict.fromkeys(grow.MEASURES, 0.5 + seed / 10 + cell["drops"] / 4)
    return {**measures, "modes": cell["generators"] - 4.0 * cell["drops"]}


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


def vanishing_measures(cell, seed):
    """Gradients fall by six orders of magnitude without noise, and by one with noise."""
    lab, low = vanishing_gradients, 1e-6 if cell["noise"] == 0 else 0.1
    if cell["task"] == lab.ANNEALING:
        measures = {"offset": [1.0, 1.0, 0.9 - cell["noise"]], "bound": [2.0, 2.0, 1.5]}
        return {**dict.fromkeys(lab.MEASURES), "steps": [0, 50, 100], **measures}
    measures = {name: [1.0, 2.0, 20.0] for name in lab.MEASURES}
    measures |= {"steps": [0, 50, 100], "offset": None, "bound": None}
    return {**measures, "minimax_norm": [0.5, 1.0, low]}


MEASURES = {
    dcd: dcd_measures,
    diversity: diversity_measures,
    equilibrium: equilibrium_measures,
    generalization: generalization_measures,
    kl_wgan: kl_wgan_measures,
    limited_data: limited_measures,
    many_paths: many_paths_measures,
    mix: mix_measures,
    mix_images: mix_images_measures,
    grow: grow_measures,
    objectives_by_penalties: penalties_measures,
    vanishing_gradients: vanishing_measures,
}


def rows(lab, *, quick=False, seeds=SEEDS):
    return pd.DataFrame(
        {**cell, "seed": seed, **MEASURES[lab](cell, seed)}
        for cell in lab.cells(quick)
        for seed in range(seeds)
    )


def short_names(labs_):
    return [lab.__name__.rpartition(".")[2] for lab in labs_]


def test_every_lab_is_here():
    assert {*short_names(MEASURES), "real_images"} == set(labs.NAMES)


# The median effect of each claim in the full form; None where the claim cannot be tested. And the
# number of claims that the quick form has runs for.
EFFECTS = {
    dcd: ([-0.2, -0.2, -0.2, -0.2, -0.1, None], 4),
    diversity: ([math.log(1.1), 0.12, 0.12, 2.0, 1 / 3, 0.12, None], 5),
    equilibrium: ([1 / 16, 0.18359375, 0.125, 0.125, 15.0, 0.1, None], 6),
    # The size is 20 times the width, and the parameters are 22 w + 1.
    generalization: ([1.3, -0.5, 0.0139754, 1.0038323, -1.0], 5),
    kl_wgan: ([-0.1, -0.1, -0.1, -0.1, math.log(3) - 1, -0.1, None], 5),
    limited_data: (
        [0.8, 0.2, 1.5, *[math.log(2), 0.15, *[-0.15, -20.0, -0.25] * 2] * 3, 0.4, *[0.05] * 3],
        9,
    ),
    many_paths: ([0.1, 0.1, -0.08, -0.08, -0.08, 0.0, 0.1, 0.1, None], 6),
    mix: ([*[*[5.0, -0.25] * 3, -0.125, 0.125] * 4, -0.25, None], 4),
    mix_images: ([-30.0] * 16, 0),
    grow: ([*[-4.0, 0.25, -10.0, 0.25, -6.0, 0.25] * 2, *[0.25] * 6], 6),
    objectives_by_penalties: ([*[-0.28] * 5, -0.24, -0.24, 0.22, 0.2], 4),
    vanishing_gradients: ([20.0, 6.0, 6.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.9], 9),
}


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("lab", MEASURES, ids=short_names(MEASURES))
def test_report_of_rows_that_follow_the_theory(lab, quick):
    frame = rows(lab, quick=quick)
    results = [verdicts.decide(claim, frame) for claim in lab.CLAIMS]
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
    assert verdicts.decide(lab.CLAIMS[-2], frame).word == "reproduced"
    lab.LAB.drawings["sliced"].draw(frame).canvas.draw()
