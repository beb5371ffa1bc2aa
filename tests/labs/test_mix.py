"""The lab of mixtures: what it runs, and what it says of rows that are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tfgans import data, networks
from tfgans.labs import effects, mix, sample_scores, verdicts

HALVES = np.array([0.5, 0.5])


def rows(*cells):
    """Rows of these cells and seeds 0 to 5: a mixture covers 5 modes more, and is nearer by 0.25.

    Learned weights are nearer by as much, and four generators count as a mixture.
    """
    found = []
    for cell in cells:
        for seed in range(6):
            better = cell["generators"] > 1 and cell["weights"] != "uniform"
            measures = dict.fromkeys(mix.MEASURES, 0.5 + seed / 10 - better / 4)
            modes = 10.0 + 5 * (cell["generators"] > 1) + seed
            found.append({**cell, "seed": seed, **measures, "modes": modes, "cpu_seconds": 1.0})
    frame = pd.DataFrame(found)
    images = frame["task"] == mix.STACKED
    frame.loc[images, ["modes", "high_quality", "variation"]] = np.nan
    frame.loc[~images, "frechet"] = np.nan
    return frame


def test_scores_of_points_that_are_known():
    source = data.GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], std=0.1)
    found = sample_scores.of_points(np.repeat(source.modes, [975, 25], axis=0), source)
    assert (found["modes"], found["high_quality"]) == (2, 1)
    assert found["variation"] == pytest.approx(0.475)
    assert found["sliced"] > 0.5


def test_scores_of_samples_that_are_not_finite_are_the_worst():
    source = data.GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], std=0.1)
    points = np.full((10, 2), np.nan)
    worst = {"modes": 0.0, "high_quality": 0.0, "sliced": np.inf, "variation": 1.0}
    assert sample_scores.of_points(points, source) == worst
    assert sample_scores.least_of_parts(points, np.zeros(10), source) == 1.0
    images = np.zeros((10, 8, 8, 1), np.float32)
    found = sample_scores.of_digits(np.full_like(images, np.inf), images)
    assert found == {"frechet": np.inf, "sliced": np.inf}


def test_least_variation_of_any_weights():
    truth = np.array([0.5, 0.3, 0.2])
    assert sample_scores.least_variation(np.eye(3), truth) == pytest.approx(0, abs=1e-9)
    # Two generators of three modes: the third mode can only be missed.
    assert sample_scores.least_variation(np.eye(3)[:2], truth) == pytest.approx(0.2)
    equal = np.array([[0.2, 0.3, 0.5]] * 2)
    expected = sample_scores.total_variation(equal[0], truth)
    assert sample_scores.least_variation(equal, truth) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "latents", "narrow", "wide"),
    [
        ((2,), 2, mix.NARROW, mix.WIDE),
        ((8, 8, 3), 32, mix.NARROW_IMAGES, mix.WIDE_IMAGES),
    ],
)
def test_four_narrow_pairs_have_the_parameters_of_a_wide_one(shape, latents, narrow, wide):
    def size(width):
        how = {"width": width, "depth": mix.DEPTH}
        pair = (
            networks.mlp_generator(shape, latent_dim=latents, **how),
            networks.mlp_discriminator(shape, **how),
        )
        return sum(one.count_params() for one in pair)

    assert 4 * size(narrow) == pytest.approx(size(wide), rel=0.06)


@pytest.mark.parametrize("quick", [False, True])
def test_report_of_rows_that_are_known(quick):
    frame = rows(*mix.cells(quick))
    found = [verdicts.decide(claim, frame) for claim in mix.CLAIMS]
    decided = [one for one in found if one.num_seeds]
    assert len(decided) == (2 if quick else len(mix.CLAIMS) - 1)
    for one in decided:
        expected = 5.0 if one.claim.measure.startswith("modes") else -0.25
        assert (one.word, one.median) == ("reproduced", pytest.approx(expected)), one.claim.text
    assert found[-1].word == "not testable here"
    for drawing in mix.LAB.drawings.values():
        drawing.draw(frame).canvas.draw()
    for make in mix.LAB.tables.values():
        table = make(frame)
        assert not table.astype(str).isin(["inf [inf, inf]"]).to_numpy().any()


def test_rank_tests_are_of_the_first_arm():
    frame = rows(*mix.cells(True)[:2])
    table = mix.LAB.tables["Rank tests"](frame)
    assert len(table) == 1
    ours, base = (frame[frame["generators"] == k]["modes"] for k in (4, 1))
    expected = stats.mannwhitneyu(ours, base, alternative="greater").pvalue
    assert float(table["modes: p"][0]) == pytest.approx(expected, rel=0.05)
    assert table["frechet: p"][0] == ""


def test_difference_wants_one_cell():
    frame = rows(*mix.cells(True)[:2])
    assert effects.difference("modes", {"generators": 4}, {"generators": 1})(frame) == [5.0] * 6
    with pytest.raises(ValueError, match="Several runs"):
        effects.difference("modes", {"task": "grid"}, {"generators": 1})(frame)
