"""A verdict is a sign test, and its interval that of order statistics."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tfgans.labs.lab import Claim
from tfgans.labs.verdicts import NO_RUNS, decide, summaries, summary


def verdict(values, **margin):
    claim = Claim("It is so", "Nobody", "effect", lambda rows: values, **margin)
    return decide(claim, pd.DataFrame({"seed": range(len(values))}))


@pytest.mark.parametrize(
    ("num", "beyond", "word"),
    [
        (5, 5, "reproduced"),
        (5, 4, "not reproduced"),
        (8, 7, "reproduced"),
        (8, 6, "not reproduced"),
        (10, 9, "reproduced"),
        (4, 4, "not testable here"),
    ],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_so_many_seeds_decide(num, beyond, word, sign):
    values = [sign] * beyond + [-sign] * (num - beyond)
    found = verdict(values, **({"above": 0.0} if sign > 0 else {"below": 0.0}))
    assert found.word == word
    assert found.num_seeds == num


def test_on_the_margin_or_unknown_counts_against():
    assert verdict([1.0] * 6, above=1.0).word == "not reproduced"
    assert verdict([2.0] * 5 + [float("nan")], above=1.0).word == "not reproduced"


def test_unknown_lies_at_the_bad_end():
    values = [2.0, float("nan"), float("nan"), float("nan"), float("nan")]
    assert verdict(values, above=1.0).median == -np.inf
    assert verdict(values, below=1.0).median == np.inf


def test_an_effect_that_fails_has_no_verdict():
    claim = Claim("It is so", "Nobody", "effect", lambda rows: rows["missing"], above=0.0)
    found = decide(claim, pd.DataFrame({"seed": range(5)}))
    assert found[1:3] == ("not testable here", "failed: KeyError: 'missing'")
    assert verdict([], above=0.0).reason.startswith("no seed")
    nothing = Claim("It is so", "Nobody", "effect", lambda rows: [], above=0.0)
    assert decide(nothing, pd.DataFrame({"seed": range(5)})).reason == NO_RUNS


def test_without_an_effect_it_says_why():
    found = decide(Claim("It flies", "Nobody", "needs wings"), pd.DataFrame())
    assert found[1:3] == ("not testable here", "needs wings")
    assert found.measured() == "-"


def test_a_claim_has_one_margin():
    for margins in ({}, {"above": 1.0, "below": 2.0}):
        with pytest.raises(ValueError, match="one of `above` and `below`"):
            Claim("It is so", "Nobody", "effect", list, **margins)
    with pytest.raises(ValueError, match="another one none"):
        Claim("It is so", "Nobody", "effect", above=1.0)


@pytest.mark.parametrize("num", [6, 8, 15, 40])
def test_interval_is_that_of_scipy(num):
    values = np.random.default_rng(num).normal(size=num)
    median, low, high = summary(values)
    expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert (low, high) == pytest.approx(expected)
    assert median == pytest.approx(np.median(values))


def test_few_or_unknown_values():
    assert summary([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert summary([1.0, float("nan"), 2.0]) == (2.0, 1.0, float("inf"))
    assert np.isnan(summary([])).all()


def test_table_of_groups():
    rows = pd.DataFrame({"arm": ["b", "a", "b"], "x": [1.0, 5.0, 3.0]})
    table = summaries(rows, ["arm"], ["x"])
    assert table["arm"].tolist() == ["b", "a"]
    assert table["seeds"].tolist() == [2, 1]
    assert table["x"].tolist() == ["2 [1, 3]", "5 [5, 5]"]
