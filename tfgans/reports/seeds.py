"""Statistics of numbers that runs with different seeds give: medians, intervals and tests."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

# Of tests and, as 1 - LEVEL, of intervals.
LEVEL = 0.05


def sign_test(
    wins: int, num: int, *, alternative: Literal["greater", "two-sided"] = "two-sided"
) -> float:
    """Returns the p value of `wins` out of `num` pairs, if a fair coin decided them; 1.0 of none.

    It assumes no distribution of the differences. With n pairs the smallest possible p is 2 / 2^n,
    two-sided: 0.25 with 3 seeds, 0.0625 with 5, 0.03 with 6.

    Args:
        wins: Int, pairs whose first member is ahead.
        num: Int, all pairs that count.
        alternative: "greater": p of as many wins or more; "two-sided": of a split as uneven.
    """
    return float(stats.binomtest(wins, num, alternative=alternative).pvalue) if num else 1.0


def rank_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the two-sided p value of the rank test of Mann, Whitney and Wilcoxon; 1.0 of none.

    It is exact if either has at most 8 values, else it takes the normal approximation. With ties
    and as few values, for which the approximation is overconfident, it is a permutation test: over
    all splits if there are at most 20 000, else over 20 000 random ones. The smallest possible p
    for two sets of n values is 2 / C(2n, n): 0.1 with 3 seeds, 0.03 with 4.

    Args:
        first: Floats, say of a method, a value a seed.
        second: Floats, of the other method. The seeds may be others.
    """
    different = np.unique([*first, *second])
    if not len(first) or not len(second) or len(different) == 1:
        return 1.0
    if min(len(first), len(second)) == 1:
        # SciPy refuses ties of a single value, whose permutations are its places among all values.
        (single,) = first if len(first) == 1 else second
        pooled = np.concatenate([first, second])
        return float(min(1.0, 2 * min((pooled <= single).mean(), (pooled >= single).mean())))
    method: str | stats.PermutationMethod = "auto"
    if len(different) < len(first) + len(second) and min(len(first), len(second)) <= 8:
        method = stats.PermutationMethod(n_resamples=20_000, rng=np.random.default_rng(0))
    return float(stats.mannwhitneyu(first, second, alternative="two-sided", method=method).pvalue)


def summary(values: Sequence[float] | np.ndarray | pd.Series) -> tuple[float, float, float]:
    """Returns the median and its exact 95 % interval; the range of fewer than six values.

    The interval is of order statistics and assumes no distribution. NaN counts as infinity.
    """
    known = np.nan_to_num(np.asarray(values, np.float64), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    if not len(known):
        return float("nan"), float("nan"), float("nan")
    ordered = np.sort(known)
    # The interval [x_(i), x_(n + 1 - i)] misses the median with probability 2 P(Binom < i).
    rank = int(stats.binom.ppf(LEVEL / 2, len(ordered), 0.5))
    first = max(rank, 1)
    middle = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    median = middle[0] if middle[0] == middle[1] else sum(middle) / 2
    return float(median), float(ordered[first - 1]), float(ordered[len(ordered) - first])


def summaries(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Returns a table with a row per group: the seeds, and each measure as "median [low, high]".

    "-" stands for a measure that no run of the group has. Of any other measure, the median and the
    interval are over the runs that have it, and the number of runs without it is added.
    """

    def text(values: pd.Series) -> str:
        missing = int(values.isna().sum())
        if missing == len(values):
            return "-"
        median, low, high = summary(values.dropna())
        return f"{median:.3g} [{low:.3g}, {high:.3g}]" + f"; {missing} NaN" * bool(missing)

    groups = rows.groupby(list(by), sort=False, dropna=False)
    table = groups[list(columns)].agg(text)
    table.insert(0, "seeds", groups.size())
    return table.reset_index()
