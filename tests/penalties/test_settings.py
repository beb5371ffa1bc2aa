"""What every penalty holds: numbers within their ranges, unchanging, and saved with the model."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tfgans import penalties

R1, R2, LINE = penalties.R1Penalty, penalties.R2Penalty, penalties.GradientPenalty
CHANGES = {
    "weight": 3.0,
    "target": 0.5,
    "one_sided": True,
    "every": 2,
    "fraction": 0.25,
    "epsilon": 1e-8,
    "noise": "symmetric",
    "scale": 0.25,
}


def changed(cls):
    """A penalty none of whose arguments has its default."""
    options = {field.name: CHANGES[field.name] for field in dataclasses.fields(cls)}
    defaults = cls()
    assert all(value != getattr(defaults, name) for name, value in options.items())
    return cls(**options)


CLASSES = [
    one
    for one in (getattr(penalties, name) for name in penalties.__all__)
    if isinstance(one, type) and one not in (penalties.Penalty, penalties.PenaltySum)
]
MADE = [cls() for cls in CLASSES] + [changed(cls) for cls in CLASSES]
SUMS = [penalties.PenaltySum([R1(), R2()]), penalties.PenaltySum([changed(one) for one in CLASSES])]


@pytest.mark.parametrize("penalty", MADE + SUMS, ids=lambda penalty: type(penalty).__name__)
def test_immutable_and_serializable(penalty):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(penalty)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(penalty)
    assert again == penalty
    assert hash(again) == hash(penalty)
    for name in [field.name for field in dataclasses.fields(penalty)] + ["unknown"]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(penalty, name, 1.0)


def test_penalties_differ_by_class_and_number():
    assert len({*MADE, *SUMS}) == len(MADE) + len(SUMS)


def test_defaults():
    """Those of the papers."""
    assert (LINE().weight, LINE().target) == (10.0, 1.0)
    assert (R1().weight, R1().target) == (R2().weight, R2().target) == (5.0, 0.0)
    dragan = penalties.DRAGANPenalty()
    assert (dragan.weight, dragan.target) == (10.0, 1.0)
    assert (dragan.noise, dragan.scale) == ("uniform", 0.5)
    for penalty in (LINE(), R1(), R2(), dragan):
        assert (penalty.every, penalty.fraction, penalty.one_sided) == (1, 1.0, False)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1}, "`weight` must be a finite number of at least 0. Received: -1"),
        ({"weight": float("nan")}, "`weight` must be a finite number.*Received: nan"),
        ({"weight": float("inf")}, "`weight` must be a finite number.*Received: inf"),
        ({"weight": "1"}, "`weight` must be a finite number.*Received: '1'"),
        ({"target": -0.5}, "`target` must be a finite number of at least 0. Received: -0.5"),
        ({"target": float("nan")}, "`target` must be a finite number.*Received: nan"),
        ({"epsilon": 0}, "`epsilon` must be above 0. Received: 0"),
        ({"epsilon": -1e-8}, "`epsilon` must be .* of at least 0. Received: -1e-08"),
        ({"every": 0}, "`every` must be an integer of at least 1. Received: 0"),
        ({"every": 2.0}, "`every` must be an integer of at least 1. Received: 2.0"),
        ({"every": True}, "`every` must be an integer of at least 1. Received: True"),
        ({"fraction": 0}, "`fraction` must be .*0.*Received: 0"),
        ({"fraction": 1.5}, r"`fraction` must be in \(0, 1\]. Received: 1.5"),
        ({"fraction": -0.5}, "`fraction` must be .*Received: -0.5"),
        ({"fraction": float("nan")}, "`fraction` must be .*Received: nan"),
        ({"fraction": True}, "`fraction` must be .*Received: True"),
    ],
)
def test_bad_numbers(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "pink"}, "`noise` must be one of 'uniform', 'symmetric', .*Received: 'pink'"),
        ({"noise": None}, "`noise` must be one of 'uniform', 'symmetric', .*Received: None"),
        ({"scale": -0.5}, "`scale` must be a finite number of at least 0. Received: -0.5"),
        ({"scale": float("nan")}, "`scale` must be a finite number.*Received: nan"),
    ],
)
def test_bad_noise(options, message):
    with pytest.raises(ValueError, match=message):
        penalties.DRAGANPenalty(**options)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], r"`terms` must be two penalties or more. Received: \[\]"),
        ([R1()], r"`terms` must be two penalties or more. Received: \[R1Penalty"),
        (R1(), r"`terms` must be two penalties or more. Received: R1Penalty"),
        (None, "`terms` must be two penalties or more. Received: None"),
        ([R1(), 3.0], r"`terms` must be .*Penalty, say `.*R1Penalty\(\)`. Received: 3.0"),
        ([R1, R2], "`terms` must be .*Received: <class"),
        ([R1(), SUMS[0]], "`terms` must be .*Received: PenaltySum"),
    ],
)
def test_bad_sums(terms, message):
    with pytest.raises(ValueError, match=message):
        penalties.PenaltySum(terms)


def test_a_sum_takes_any_iterable():
    terms = (R1(), R2(fraction=0.5), LINE(fraction=0.25))
    one, other = penalties.PenaltySum(term for term in terms), penalties.PenaltySum(list(terms))
    assert one == other
    assert (one.weight, one.fraction) == (1.0, 0.25)
    assert one.terms == terms


def test_integers_of_numpy_are_integers():
    assert LINE(every=np.int64(3)) == LINE(every=3)
