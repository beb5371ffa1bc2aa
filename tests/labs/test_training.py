"""Training that is measured on the way, and the effects of its rows."""

import pandas as pd
import pytest
import tiny

import tfgans
from tfgans.labs import effects, training

SETTINGS = {"batch_size": 16, "learning_rate": 1e-3, "betas": (0.5, 0.9)}


def test_looks_come_at_their_steps():
    gan, source = tiny.gan(compiled=False), tfgans.data.from_array(tiny.digits())
    seen = training.train(gan, source, looks=[0, 4, 6], look=lambda gan: gan.step, **SETTINGS)
    assert seen == [0, 4, 6]


@pytest.mark.parametrize("looks", [[0], [3, 2], [2, 2]])
def test_looks_must_rise(looks):
    with pytest.raises(ValueError, match="`looks` must rise"):
        training.train(None, None, looks=looks, look=None, **SETTINGS)


def test_a_falling_rate_ends_at_zero():
    rate = training.falling(0.1, 10)
    assert [float(rate(step)) for step in (0, 5, 10, 20)] == pytest.approx([0.1, 0.05, 0, 0])


def test_effects_are_by_seed():
    table = {"arm": list("abab"), "seed": [1, 1, 0, 0], "x": [3.0, 1.0, 5.0, 4.0]}
    rows = pd.DataFrame({**table, "y": [[1, 2]] * 4})
    assert effects.select(rows, arm="a")["x"].tolist() == [5.0, 3.0]
    assert effects.last(rows, "y", arm="a") == [2, 2]
    assert effects.difference("x", {"arm": "a"}, {"arm": "b"})(rows) == [1.0, 2.0]
    with pytest.raises(ValueError, match="zip"):
        effects.differences([1], [1, 2])
    with pytest.raises(ValueError, match="Several runs of a seed"):
        effects.difference("x", {}, {"arm": "b"})(rows)
