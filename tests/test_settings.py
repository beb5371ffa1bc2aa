"""Objectives and penalties come back from their configs, with what they hold."""

import dataclasses
import json

import keras
import pytest

from tfgans import objectives, penalties


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Composed(objectives.Hinge):
    """A game made of another; the sum of its factors is no argument."""

    base: objectives.Objective
    factors: list[float]
    total: float = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "total", sum(self.factors))


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Inside(penalties.R1Penalty):
    """A penalty made of others."""

    others: list[penalties.Penalty]


R1, LINE = penalties.R1Penalty(every=2), penalties.GradientPenalty(one_sided=True)


@pytest.mark.parametrize(
    "settings",
    [
        Composed(base=objectives.KLWasserstein(temperature=2.0), factors=[1.0, 2.0]),
        Inside(weight=3.0, others=[R1, LINE]),
        penalties.PenaltySum([R1, Inside(others=[LINE])]),
    ],
    ids=lambda settings: type(settings).__name__,
)
def test_parts_are_saved(settings):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(settings)))
    assert keras.saving.deserialize_keras_object(config) == settings
    assert settings.get_config() == config["config"]
    assert type(settings).from_config(settings.get_config()) == settings
