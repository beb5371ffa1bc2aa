"""Training that is measured on the way, and the effects of its rows."""

import itertools
import math
import types

import pandas as pd
import pytest
import toy

import tfgans
from tfgans import step_clock
from tfgans.labs import effects, training

SETTINGS = {"batch_size": 16, "learning_rate": 1e-3, "betas": (0.5, 0.9)}


def players():
    """A model that is not compiled yet, and its data."""
    return tfgans.NonSaturatingGAN(*toy.points()), tfgans.data.Ring()


def test_looks_come_at_their_steps():
    gan, source = players()
    seen = training.train(
        gan, source, measure_steps=[0, 4, 6], measure=lambda gan: gan.step, **SETTINGS
    )
    assert seen == [0, 4, 6]


@pytest.mark.parametrize("measure_steps", [[0], [3, 2], [2, 2]])
def test_looks_must_rise(measure_steps):
    with pytest.raises(ValueError, match="`measure_steps` must rise"):
        training.train(None, None, measure_steps=measure_steps, measure=None, **SETTINGS)


@pytest.mark.parametrize("budget", [{"updates": 10}, {"seconds": 5.0}])
def test_a_budget_is_spent_while_the_rate_falls_to_zero(budget, monkeypatch):
    # A clock that shows a second more after each look: a call, of two steps, takes a second.
    clock = types.SimpleNamespace(process_time=itertools.count(100.0).__next__)
    monkeypatch.setattr(step_clock, "time", clock)
    gan, source = players()
    settings = {"batch_size": 16, "rate": 1e-3, "betas": (0.5, 0.9), "at_once": 2}
    assert training.spend(gan, source, **budget, **settings) == (10, pytest.approx(5.0), 1)
    assert gan.step == 10
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(0)


@pytest.mark.parametrize("budget", [{}, {"updates": 20, "seconds": 1.0}, {"updates": 21}])
def test_a_budget_is_of_updates_or_of_seconds(budget):
    with pytest.raises(ValueError, match=r"`updates` .* Received: "):
        training.spend(None, None, **budget, batch_size=1, rate=1.0, betas=(0, 0))


def test_a_falling_rate_ends_at_zero():
    rate = training.falling(0.1, 10)
    assert [float(rate(step)) for step in (0, 5, 10, 20)] == pytest.approx([0.1, 0.05, 0, 0])


def test_effects_are_by_seed():
    table = {"arm": list("abab"), "seed": [1, 1, 0, 0], "x": [3.0, 1.0, 5.0, 4.0]}
    rows = pd.DataFrame({**table, "y": [[1, 2]] * 4})
    assert effects.select(rows, arm="a")["x"].tolist() == [5.0, 3.0]
    assert effects.value("y", {"arm": "a"})(rows) == [2, 2]
    assert effects.difference("x", {"arm": "a"}, {"arm": "b"})(rows) == [1.0, 2.0]
    # Only the seeds that both have.
    other = pd.DataFrame({"arm": "c", "seed": [2, 1], "x": [9.0, 2.0]})
    first, second = (effects.column(pd.concat([rows, other]), "x", arm=arm) for arm in "ac")
    assert effects.differences(first, second) == [1.0]
    assert effects.ratios(first, second) == [1.5]
    assert effects.ratio("x", {"arm": "b"}, {"arm": "a"})(rows) == [0.8, pytest.approx(1 / 3)]
    for effect in (effects.difference("x", {}, {"arm": "b"}), effects.value("x", {})):
        with pytest.raises(ValueError, match="Several runs of a seed"):
            effect(rows)


@pytest.mark.parametrize("second", [0.0, -0.1, float("nan")])
def test_a_ratio_to_what_is_not_positive_is_unknown(second):
    """A quotient of -0.1 must not pass for one below 0.8."""
    (received,) = effects.ratios(pd.Series([0.01]), pd.Series([second]))
    assert math.isnan(received)
