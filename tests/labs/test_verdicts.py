"""A verdict is a sign test, and its interval that of order statistics."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tfgans.labs import effects
from tfgans.labs.lab import Claim
from tfgans.labs.verdicts import NO_RUNS, decide, sign_tests
from tfgans.labs.verdicts import verdict as verdict_of
from tfgans.reports.seeds import rank_test, summaries, summary

NAN, INF = float("nan"), float("inf")


def claim(effect, **margin):
    return Claim("It is so", "Nobody", "effect", effect, **margin)


def verdict(values, **margin):
    return decide(claim(lambda rows: values, **margin), pd.DataFrame({"seed": range(len(values))}))


@pytest.mark.parametrize(
    ("num", "beyond", "word"),
    [
        *[(5, 5, "reproduced"), (5, 4, "not reproduced"), (8, 7, "reproduced")],
        *[(8, 6, "not reproduced"), (10, 9, "reproduced"), (4, 4, "not testable here")],
    ],
)
def test_number_of_seeds_that_decides(num, beyond, word):
    values = np.repeat([1.0, -1.0], [beyond, num - beyond])
    above, below = verdict(values, above=0.0), verdict(-values, below=0.0)
    assert above.word == below.word == word
    assert above.num_seeds == below.num_seeds == num


def test_on_the_margin_or_unknown_counts_against():
    assert verdict([1.0] * 6, above=1.0).word == "not reproduced"
    assert verdict([2.0] * 5 + [NAN], above=1.0).word == "not reproduced"
    assert verdict([2.0, *[NAN] * 4], above=1.0).median == -np.inf
    assert verdict([2.0, *[NAN] * 4], below=1.0).median == np.inf


def untested(rows):
    raise effects.NotTestableError("no wind")


@pytest.mark.parametrize(
    ("effect", "num", "reason"),
    [
        (lambda rows: rows["missing"], 5, "failed: KeyError: 'missing'"),
        (lambda rows: rows["missing"], 0, NO_RUNS),
        (lambda rows: [], 5, NO_RUNS),
        (untested, 5, "no wind"),
        # Several values of a seed are not independent.
        (
            lambda rows: [1.0] * 8,
            4,
            "failed: its effect must be a float per seed, 4. Received: 8",
        ),
    ],
)
def test_no_verdict(effect, num, reason):
    result = decide(claim(effect, above=0.0), pd.DataFrame({"seed": range(num)}))
    assert result[1:3] == ("not testable here", reason)
    without = decide(Claim("It flies", "Nobody", "needs wings"), pd.DataFrame())
    assert without[1:3] == ("not testable here", "needs wings")
    assert without.measured() == "-"


@pytest.mark.parametrize(
    ("effect", "margin"), [(list, {}), (list, {"above": 1.0, "below": 2.0}), (None, {"above": 1.0})]
)
def test_a_claim_has_one_margin(effect, margin):
    with pytest.raises(ValueError, match="either `above` or `below`"):
        claim(effect, **margin)


@pytest.mark.parametrize("num", [6, 8, 15, 40])
def test_interval_is_that_of_scipy(num):
    values = np.random.default_rng(num).normal(size=num)
    median, low, high = summary(values)
    expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert (low, high) == pytest.approx(expected)
    assert median == pytest.approx(np.median(values))


def test_few_or_unknown_values():
    assert summary([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert summary([1.0, NAN, 2.0]) == (2.0, 1.0, INF)
    assert np.isnan(summary([])).all()


def test_table_of_groups():
    rows = pd.DataFrame({"arm": ["b", "a", "b"], "x": [1.0, 5.0, 3.0]})
    table = summaries(rows, ["arm"], ["x"])
    assert table.to_numpy().tolist() == [["b", 2, "2 [1, 3]"], ["a", 1, "5 [5, 5]"]]
    assert list(table) == ["arm", "seeds", "x"]


def test_seeds_with_failed_runs():
    rows = pd.DataFrame({"seed": range(6), "x": 1.0})

    def of_failed(num_failed, value=1.0):
        effect = claim(lambda rows: value * rows["x"], above=0.0)
        return decide(effect, rows, num_failed=num_failed)

    assert of_failed(0)[1:3] == ("reproduced", "")
    # 6 of 7 seeds have a probability of 8/128 by chance, more than 5 %.
    assert of_failed(1)[1:3] == ("not testable here", "runs failed at 1 of 7 seeds")
    assert of_failed(1, value=-1.0).word == "not reproduced"
    # 7 of 8 seeds suffice, 6 do not.
    rows = pd.DataFrame({"seed": range(7)})
    for beyond, word in ((6, "not testable here"), (5, "not reproduced")):
        values = np.repeat([1.0, -1.0], [beyond, 7 - beyond])
        seven = decide(claim(lambda rows, values=values: values, above=0.0), rows, num_failed=1)
        assert seven[1:3] == (word, "runs failed at 1 of 8 seeds")


CELLS = [{"arm": arm, "scale": scale} for arm in "abc" for scale in (0.1, 0.2)]


def rows_of(failed=(), missing=(), seeds=6):
    """Rows of all cells, x = 1 for arm a and 2 for others, but for some (arm, scale, seed)."""
    runs = [{**cell, "seed": seed} for seed in range(seeds) for cell in CELLS]
    runs = [run for run in runs if tuple(run.values()) not in missing]
    status = ["failed" if tuple(run.values()) in failed else "ok" for run in runs]
    values = [1.0 + (run["arm"] != "a") for run in runs]
    return pd.DataFrame(runs).assign(status=status, x=values)


GAIN = effects.difference("x", {"arm": "b", "scale": 0.1}, {"arm": "a", "scale": 0.1})
# All scales of an arm, one number per seed.
WORST = effects.Effect(
    lambda rows: list(rows.groupby("seed")["x"].max()), [{"arm": "a"}, {"arm": "b", "scale": 0.2}]
)
ALL = lambda rows: list(rows.groupby("seed")["x"].max())  # noqa: E731


@pytest.mark.parametrize(
    ("effect", "failed", "num_seeds", "reason"),
    [
        (GAIN, [], 6, ""),
        # Of a cell that the claim does not take.
        (GAIN, [("c", 0.1, 0), ("b", 0.2, 1)], 6, ""),
        (WORST, [("c", 0.1, 0), ("b", 0.1, 1)], 6, ""),
        (GAIN, [("b", 0.1, 2)], 5, "runs failed at 1 of 6 seeds"),
        (WORST, [("a", 0.1, 2), ("b", 0.2, 2)], 5, "runs failed at 1 of 6 seeds"),
        (ALL, [("c", 0.1, 2)], 5, "runs failed at 1 of 6 seeds"),
        # Of a cell that failed at every seed there is nothing to compare.
        (GAIN, [("b", 0.1, seed) for seed in range(6)], 0, f"{NO_RUNS}; runs failed at 6 of 6"),
        (WORST, [("a", 0.1, seed) for seed in range(6)], 0, f"{NO_RUNS}; runs failed at 6 of 6"),
        (ALL, [("c", 0.1, seed) for seed in range(6)], 6, ""),
    ],
)
def test_a_claim_loses_the_seeds_at_which_its_runs_failed(effect, failed, num_seeds, reason):
    result = verdict_of(claim(effect, above=0.5), rows_of(failed), CELLS)
    assert (result.num_seeds, result.reason) == (num_seeds, reason)
    assert result.word == ("not testable here" if reason else "reproduced")


@pytest.mark.parametrize(
    ("effect", "missing", "num_seeds"),
    [(GAIN, ("c", 0.1, 0), 6), (GAIN, ("a", 0.1, 0), 5), (WORST, ("b", 0.2, 0), 5)],
)
def test_a_seed_counts_once_all_its_runs_have_ended(effect, missing, num_seeds):
    result = verdict_of(claim(effect, above=0.5), rows_of(missing=[missing]), CELLS)
    assert (result.num_seeds, result.reason) == (num_seeds, "")
    # A part of the cells has no verdict on the worst of them.
    part = rows_of().query("arm != 'b'")
    assert verdict_of(claim(effect, above=0.5), part, CELLS).reason == NO_RUNS
    assert verdict_of(claim(effect, above=0.5), part, []).reason == NO_RUNS


def test_sign_tests_are_against_the_baseline_seed_by_seed():
    rows = pd.DataFrame({"task": "t", "arm": list("aaaabbbb"), "seed": [0, 1, 2, 3, 3, 2, 1, 0]})
    rows = rows.assign(x=[1, 1, 1, 1, 0, 0, 0, 1.0], y=[1, 2, 3, 4, 5, 4, 3, 2.0])
    better = {"x": "less", "y": "greater"}
    table = sign_tests(rows, by=["task"], arm="arm", baseline="a", better=better)
    assert not len(sign_tests(rows, by=["task"], arm="arm", baseline="c", better=better))
    # Three of four seeds, with one tie; and all, with a probability of 1/16 by chance.
    assert table.to_dict("records") == [
        {"task": "t", "arm": "b", "against": "a", "x": "3 of 4, p = 0.31", "y": "4 of 4, p = 0.062"}
    ]
    # Two rows of a seed are no two pairs.
    twice = pd.concat([rows, rows])
    with pytest.raises(ValueError, match="not a one-to-one merge"):
        sign_tests(twice, by=["task"], arm="arm", baseline="a", better=better)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([8, 8, 8], [7, 7, 7], 2 / 20),
        ([8] * 4, [7] * 4, 2 / 70),
        ([1, 2], [1, 2], 1.0),
        ([1, 1], [1, 1], 1.0),
        ([1, 2, 3], [4, 5, 6], 2 / 20),
        ([], [1.0], 1.0),
        # A single value: its place among all, with and without ties.
        ([3], [1, 2, 2], 2 / 4),
        ([1, 2, 2], [2], 1.0),
        ([0], range(1, 40), 2 / 40),
    ],
)
def test_rank_test_is_exact_with_ties_too(first, second, expected):
    """Of C(n + m, n) equally likely splits those at least as uneven, to both sides."""
    assert rank_test(first, second) == pytest.approx(expected)
