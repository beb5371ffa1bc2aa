"""The lab on equilibria: its closed forms, and its claims and figures on rows made by hand."""

import numpy as np
import pandas as pd
import pytest

from tfgans import games
from tfgans.labs import equilibrium as lab
from tfgans.methods import NonSaturatingGAN
from tfgans.mixtures import MixtureDiscriminator


def rows(*, quick=False):
    """Returns rows in which all that is measured falls with the components and parameters."""
    made = []
    for seed in range(5):
        for cell in lab.cells(quick):
            size = cell["k"] * cell["width"] / lab.WIDTH
            own = dict.fromkeys(lab.MEASURES, (1 + seed / 10) / size)
            if cell["k"] == 1:
                own |= {"exploitability": 0.0, "pure_exploitability": 0.0}
            own |= {"step": [1, 2], "payoff": [-1.0 - seed / 10, -1.2]}
            if cell["k"] == lab.K:
                own |= {"reply": own["reply"] / 2, "standard_error": 0.01, "exploitability": 0.05}
            made.append({**cell, "seed": seed, **own})
    return pd.DataFrame(made)


@pytest.mark.parametrize("seed", range(3))
def test_pure_exploitability_is_the_least_of_all_pairs(seed):
    payoff = np.random.default_rng(seed).normal(size=(3, 4))
    pairs = [games.exploitability(payoff, p, q) for p in np.eye(3) for q in np.eye(4)]
    assert lab.pure_exploitability(payoff) == pytest.approx(min(pairs))


def test_a_saddle_is_a_pure_equilibrium_and_matching_pennies_has_none():
    assert lab.pure_exploitability(np.array([[1.0, 0.0], [2.0, 3.0]])) == 0
    assert lab.pure_exploitability(np.array([[1.0, -1.0], [-1.0, 1.0]])) == 2


@pytest.mark.parametrize("k", [1, 2])
def test_payoff_is_that_of_the_matrix(k):
    """The look, on samples drawn by weight, against the payoff matrix: within its noise."""
    gan = NonSaturatingGAN(*lab._players(k, 8, seed=0), seed=0)
    if k > 1:
        assert isinstance(gan.discriminator, MixtureDiscriminator)
        gan.discriminator.set_probabilities([0.8, 0.2])
        gan.generator.set_probabilities([0.3, 0.7])
    real = np.random.default_rng(0).normal(size=(4096, 2)).astype(np.float32)
    value = games.equilibrium(gan, real).value
    payoff, pairs = lab._look(gan, real)
    assert payoff == pytest.approx(value, abs=0.05)
    assert pairs.shape == (k, k)


def test_claims_of_rows_that_obey_the_theory():
    for quick in (False, True):
        effects = [claim.effect(rows(quick=quick)) for claim in lab.CLAIMS if claim.effect]
        for claim, effect in zip(lab.CLAIMS, effects, strict=False):
            assert len(effect) == 5
            assert all(map(claim.holds_at, effect)), claim.text


def test_a_line_does_not_oscillate():
    assert lab.oscillation([1.0, 3.0, 5.0, 7.0]) == pytest.approx(0, abs=1e-12)
    # The line through 1, -1, 1, -1 falls by 2 / 5 a step; it leaves 4 - 2 ** 2 / 5 of the squares.
    assert lab.oscillation([1.0, -1.0, 1.0, -1.0]) == pytest.approx(np.sqrt(0.8))


def test_arms_of_equal_size():
    wide, narrow = (
        sum(one.count_params() for one in lab._players(1, width, seed=0))
        for width in (lab.WIDE, lab.WIDTH)
    )
    assert wide == pytest.approx(lab.K * narrow, rel=0.02)


def test_figure_and_table():
    figure = lab.LAB.drawings["equilibrium"].draw(rows())
    figure.canvas.draw()
    assert len(figure.axes[0].lines) == 2 * 5 + 1
    (table,) = (make(rows()) for make in lab.LAB.tables.values())
    assert len(table) == 5
