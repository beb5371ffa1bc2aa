"""The lab on generalization: its closed forms, and its claims and figures on rows made by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from tfgans.labs import generalization as lab

EMPTY = dict.fromkeys(lab.MEASURES)


def rows():
    """Returns rows that obey the theory: error size^-1/2, and the size needed as the width.

    The excess over the training examples falls faster, like 1 / num.
    """
    made = []
    for seed in range(5):
        for cell in lab.cells(quick=False):
            sizes = lab.MEMORIES if cell["task"] == lab.MEMORY else lab.SIZES
            scale = 0.2 * cell["width"] if cell["task"] == lab.MEMORY else 4.0
            falling = [math.sqrt(scale / size) for size in sizes]
            own = {"size": list(sizes), "sample_distance": falling, "distance": falling}
            if cell["task"] == lab.SAME:
                own |= {"wasserstein": [1.4, 1.4, 1.3], "divergence": [math.log(2)] * 4}
            if cell["task"] == lab.TRAINED:
                own = {"step": [1, 2], "train_excess": [0.0, -10 / cell["num"]]}
            made.append({**EMPTY, **cell, "seed": seed, **own})
    return pd.DataFrame(made)


def test_divergence_of_samples():
    first = np.arange(8.0).reshape(4, 2)
    assert lab.sample_divergence(first, first[::-1]) == 0
    assert lab.sample_divergence(first, first + 100) == pytest.approx(math.log(2))
    half = np.concatenate([first[:2], first[:2] + 100])
    # p = (1, 1, 1, 1, 0, 0) / 4 and q = (1, 1, 0, 0, 1, 1) / 4 by the definition.
    assert lab.sample_divergence(first, half) == pytest.approx(math.log(2) / 2)


def test_exponent_of_a_power_law():
    assert lab.slope([1, 10, 1000], [3.0, 0.3, 0.003]) == pytest.approx(-1)


def test_size_needed():
    # size^-1/2 is 0.1 at 100; before the first size, and after the last one.
    sizes = [16, 64, 256]
    assert lab.size_needed(sizes, [size**-0.5 for size in sizes]) == pytest.approx(100)
    assert lab.size_needed(sizes, [0.05, 0.04, 0.03]) == pytest.approx(16)
    assert math.isnan(lab.size_needed(sizes, [0.9, 0.8, 0.7]))


def test_claims_of_rows_that_obey_the_theory():
    effects = [claim.effect(rows()) for claim in lab.CLAIMS]
    assert [len(one) for one in effects] == [5] * len(effects)
    for claim, effect in zip(lab.CLAIMS, effects, strict=True):
        assert all(map(claim.holds_at, effect)), claim.text
    assert effects[1] == pytest.approx([-0.5] * 5)
    # The size is 20 times the width, and the parameters are 22 w + 1.
    assert effects[3] == pytest.approx([1.0] * 5, rel=0.02)
    assert effects[4] == pytest.approx([-1.0] * 5)


def test_quick_cells_are_enough_for_the_claims():
    quick = pd.DataFrame(lab.cells(quick=True))
    some = rows().merge(quick, on=list(quick.columns))
    assert all(len(claim.effect(some)) == 5 for claim in lab.CLAIMS)


def test_figures_and_table():
    for drawing in lab.LAB.drawings.values():
        figure = drawing.draw(rows())
        figure.canvas.draw()
        assert all(axis.lines for axis in figure.axes)
    (table,) = (make(rows()) for make in lab.LAB.tables.values())
    assert len(table) == 3 * len(lab.SIZES) + 3 * len(lab.MEMORIES)
    assert set(table["seeds"]) == {5}
