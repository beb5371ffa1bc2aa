"""The lab on diversity: supports that are known, and its claims and figures on rows by hand."""

import numpy as np
import pandas as pd
import pytest

from tfgans.labs import diversity as lab


def rows(*, quick=False):
    """Returns rows in which the support grows like the square of the width, and falls with k."""
    made = []
    for seed in range(5):
        for cell in lab.cells(quick):
            own = dict.fromkeys(lab.MEASURES, 0.1 + seed / 100)
            if cell["task"] == lab.MEMORY:
                own |= {"relative_support": 1.1, "support": 1.1 * cell["num"], "recall": None}
            else:
                own |= {"support": 50.0 * cell["width"] ** 2 / cell["k"]}
            made.append({**cell, "seed": seed, **own})
    return pd.DataFrame(made)


@pytest.mark.parametrize("num", [100, 1000])
def test_a_memory_of_known_size(num):
    found = lab.measure(task=lab.MEMORY, width=0, k=1, num=num, seed=0)
    assert set(found) == set(lab.MEASURES)
    assert found["support"] == pytest.approx(num, rel=0.4)
    assert found["support_low"] < num < found["support_high"]
    assert found["copy_share"] == 1.0
    assert found["precision"] is None


def test_a_memory_repeats():
    one, other = (lab.memorizing(10, seed=1)(5, 3) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, lab.memorizing(10, seed=1)(5, 4))


def test_collision_size():
    # Of 6 pairs 2 lie within 0.5.
    points = np.array([[0.0], [0.4], [10.0], [10.5]])
    assert lab.collision_size(points, 0.5) == pytest.approx(3)


def test_claims_of_rows_that_obey_the_theory():
    for quick in (False, True):
        for claim in lab.CLAIMS[:-1]:
            effect = claim.effect(rows(quick=quick))
            # That width is not in the quick form.
            assert len(effect) == (0 if quick and "width 32" in claim.measure else 5)
            assert all(map(claim.holds_at, effect)), claim.text
            if "exponent" in claim.measure:
                assert effect == pytest.approx([2.0] * 5)


def test_figure_and_table():
    figure = lab.LAB.drawings["support"].draw(rows())
    figure.canvas.draw()
    assert len(figure.axes[1].get_xticklabels()) == 6
    (table,) = (make(rows()) for make in lab.LAB.tables.values())
    assert len(table) == 6
