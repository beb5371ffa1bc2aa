"""What every penalty holds: the defaults of its paper, and numbers within their ranges."""

import numpy as np
import pytest

from tfgans import penalties

R1, R2, LINE = penalties.R1Penalty, penalties.R2Penalty, penalties.GradientPenalty
CLASSES = [
    item
    for item in (getattr(penalties, name) for name in penalties.__all__)
    if isinstance(item, type) and item not in (penalties.Penalty, penalties.PenaltySum)
]


def test_defaults():
    """Those of the papers."""
    assert (LINE().weight, LINE().target) == (10.0, 1.0)
    assert (R1().weight, R1().target) == (R2().weight, R2().target) == (5.0, 0.0)
    dragan = penalties.DRAGANPenalty()
    assert (dragan.weight, dragan.target) == (10.0, 1.0)
    assert (dragan.noise, dragan.scale) == ("uniform", 0.5)
    for penalty in (LINE(), R1(), R2(), dragan):
        assert (penalty.every, penalty.fraction, penalty.one_sided) == (1, 1.0, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1}, "`weight` must be a finite number of at least 0. Received: -1"),
        ({"weight": float("nan")}, "`weight` must be a finite number.*Received: nan"),
        ({"target": -0.5}, "`target` must be a finite number of at least 0. Received: -0.5"),
        ({"target": 0.0, "one_sided": True}, "`one_sided` means nothing with a target of 0"),
        ({"one_sided": 1}, "`one_sided` must be True or False"),
        ({"epsilon": 0}, "`epsilon` must be above 0. Received: 0"),
        ({"every": 0}, "`every` must be an integer of at least 1. Received: 0"),
        ({"every": 2.0}, "`every` must be an integer of at least 1. Received: 2.0"),
        ({"fraction": 0}, "`fraction` must be .*0.*Received: 0"),
        ({"fraction": 1.5}, r"`fraction` must be in \(0, 1\]. Received: 1.5"),
    ],
)
def test_bad_numbers(options, message):
    for cls in CLASSES:
        with pytest.raises(ValueError, match=message):
            cls(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: penalties.DRAGANPenalty(noise="pink"),
            "`noise` must be one of .*Received: 'pink'",
        ),
        (
            lambda: penalties.DRAGANPenalty(scale=-0.5),
            "`scale` must be a finite number of at least",
        ),
        *(
            (lambda terms=terms: penalties.PenaltySum(terms), f"`terms` must be {message}")
            for terms, message in [
                ([], r"two penalties or more. Received: \[\]"),
                ([R1()], r"two penalties or more. Received: \[R1Penalty"),
                (R1(), "two penalties or more. Received: R1Penalty"),
                ([R1(), 3.0], r".*Penalty, say `.*R1Penalty\(\)`. Received: 3.0"),
                ([R1(), penalties.PenaltySum([R1(), R2()])], ".*Received: PenaltySum"),
            ]
        ),
    ],
)
def test_bad_noise_and_bad_sums(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sum_takes_any_iterable_and_an_integer_may_be_of_numpy():
    terms = (R1(), R2(fraction=0.5), LINE(fraction=0.25))
    total = penalties.PenaltySum(term for term in terms)
    assert total == penalties.PenaltySum(list(terms))
    assert (total.weight, total.fraction, total.terms) == (1.0, 0.25, terms)
    assert LINE(every=np.int64(3)) == LINE(every=3)
