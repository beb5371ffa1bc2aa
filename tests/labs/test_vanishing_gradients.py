"""What the lab of vanishing gradients makes of its runs."""

import math

import numpy as np
import pandas as pd
import pytest

from tfgans.labs import vanishing_gradients as lab


def frame():
    """Gradients that fall by six orders without noise, and by one with it."""
    rows = []
    for seed in range(5):
        for cell in lab.cells(False):
            low = 1e-6 if cell["noise"] == 0 else 0.1
            annealed = cell["task"] == lab.ANNEALING
            made = {name: None if annealed else [1.0, 2.0, 20.0] for name in lab.MEASURES}
            made |= {"steps": [0, 50, 100], "minimax_norm": None if annealed else [0.5, 1.0, low]}
            made |= {"offset": [1.0, 1.0, 0.9 - cell["noise"]] if annealed else None}
            made |= {"bound": [2.0, 2.0, 1.5] if annealed else None}
            rows.append({**cell, "seed": seed, **made})
    return pd.DataFrame(rows)


def test_effects():
    found = {claim.measure: claim.effect(frame()) for claim in lab.CLAIMS}
    values = {measure: effect[0] for measure, effect in found.items()}
    assert all(len(effect) == 5 for effect in found.values())
    assert [values[one] for one in values if "norm fell" in one] == pytest.approx([6.0, 6.0])
    assert values["orders of magnitude that noise saved of the fall, parallel lines"] == (
        pytest.approx(5.0)
    )
    assert [values[one] for one in values if "grew" in one] == pytest.approx([1.0, 1.0, 1.0])
    assert values["final |theta| without noise less that with noise, minimax"] == pytest.approx(0.5)


def test_figures_and_tables():
    for drawing in lab.LAB.drawings.values():
        assert drawing.draw(frame()).axes
    for make in lab.LAB.tables.values():
        assert len(make(frame())) == 8


def test_bound_of_lines_without_noise_and_in_much():
    # Without noise the divergence is log 2, and the diameter that of both segments.
    assert lab._bound(1.0, 0.0) == pytest.approx(2 * math.sqrt(2) * math.sqrt(math.log(2)))
    assert lab._bound(0.0, 0.1) == pytest.approx(2 * math.sqrt(2) * 0.1)
    assert all(lab._bound(1.0, level) > 1 for level in np.geomspace(0.01, 10, 20))


def test_a_run_against_a_frozen_generator():
    cell = {"task": lab.LINES, "epochs": 0, "noise": lab.NOISE, "last_step": 50}
    found = lab.measure(**cell, seed=0)
    assert found.keys() == lab.MEASURES.keys()
    assert found["steps"] == [0, 50]
    assert found["offset"] is None
    # Guessing at first, then better: the generator did not move.
    assert found["loss"][0] == pytest.approx(2 * math.log(2), abs=0.1)
    assert found["loss"][1] < 1.0
