"""Training that is looked at on its way, and what becomes of its rows."""

import pandas as pd
import pytest
import tiny

import tfgans
from tfgans.labs import effects, training

HOW = {"batch_size": 16, "learning_rate": 1e-3, "betas": (0.5, 0.9)}


def test_looks_come_at_their_steps():
    gan = tiny.gan(compiled=False)
    source = tfgans.data.from_array(tiny.digits())
    seen = training.train(gan, source, looks=[0, 4, 6], look=lambda gan: gan.step, **HOW)
    assert seen == [0, 4, 6]
    assert gan.steps_per_execution == 2


@pytest.mark.parametrize("looks", [[0], [3, 2], [2, 2]])
def test_looks_must_rise(looks):
    with pytest.raises(ValueError, match="`looks` must rise"):
        training.train(None, None, looks=looks, look=None, **HOW)


def test_a_falling_rate_ends_at_zero():
    rate = training.falling(0.1, 10)
    assert [float(rate(step)) for step in (0, 5, 10, 20)] == pytest.approx([0.1, 0.05, 0, 0])


ROWS = pd.DataFrame(
    {"arm": list("abab"), "seed": [1, 1, 0, 0], "x": [3.0, 1.0, 5.0, 4.0], "y": [[1, 2]] * 4}
)


def test_effects_are_by_seed():
    assert effects.select(ROWS, arm="a")["x"].tolist() == [5.0, 3.0]
    assert effects.last(ROWS, "y", arm="a") == [2, 2]
    assert effects.difference("x", {"arm": "a"}, {"arm": "b"})(ROWS) == [1.0, 2.0]
    assert effects.differences([3, 2], [1, 1]) == [2, 1]
    with pytest.raises(ValueError, match="zip"):
        effects.differences([1], [1, 2])
    with pytest.raises(ValueError, match="Several runs of a seed"):
        effects.difference("x", {}, {"arm": "b"})(ROWS)
