"""What the lab of vanishing gradients makes of its runs."""

import math

import numpy as np
import pandas as pd
import pytest

from tfgans.labs import shapes
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
    found = {f"{one.text}: {one.measure}": one.effect(frame()) for one in lab.CLAIMS}
    values = {claim: effect[0] for claim, effect in found.items()}
    assert all(len(effect) == 5 for effect in found.values())
    fell = [values[one] for one in values if "fell from" in one]
    assert fell == pytest.approx([6.0, 6.0, 1.0, 1.0])
    assert [values[one] for one in values if "grew" in one] == pytest.approx([1.0, 1.0])
    assert [values[one] for one in values if "|theta|" in one] == pytest.approx([0.4, 0.9])


def test_figures_and_tables():
    for drawing in lab.LAB.drawings.values():
        figure = drawing.draw(frame())
        figure.canvas.draw()
        assert all(len(axis.lines) >= 2 for axis in figure.axes)
    tables = [make(frame()) for make in lab.LAB.tables.values()]
    assert [len(one) for one in tables] == [8, 2]
    assert list(tables[1]["offset"]) == ["0.9 [0.9, 0.9]", "0.4 [0.4, 0.4]"]


def test_bound_of_lines_without_noise_and_in_much():
    # Without noise the divergence is log 2, and the diameter that of both segments.
    assert shapes.lines_bound(1.0, 0.0) == pytest.approx(2 * math.sqrt(2) * math.sqrt(math.log(2)))
    assert shapes.lines_bound(0.0, 0.1) == pytest.approx(2 * math.sqrt(2) * 0.1)
    assert all(shapes.lines_bound(1.0, level) > 1 for level in np.geomspace(0.01, 10, 20))


def test_a_run_against_a_frozen_generator():
    cell = {"task": lab.LINES, "epochs": 0, "noise": lab.NOISE, "last_step": 50}
    found = lab.measure(**cell, seed=0)
    assert found.keys() == lab.MEASURES.keys()
    assert found["steps"] == [0, 50]
    assert found["offset"] is None
    # Guessing at first, then better: the generator did not move.
    assert found["loss"][0] == pytest.approx(2 * math.log(2), abs=0.1)
    assert found["loss"][1] < 1.0
