"""Decides claims from one number per seed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tfgans.labs.effects import Cell, Effect, NotTestableError
from tfgans.labs.lab import Claim
from tfgans.labs.rows import FAILED, OK
from tfgans.reports.seeds import LEVEL, sign_test, summary

REPRODUCED, NOT_REPRODUCED, UNTESTABLE = "reproduced", "not reproduced", "not testable here"
NO_RUNS = "its runs are not among these, or all of them failed"
# All of five seeds beyond the margin have probability 1/32 by chance, all of four 1/16.
_FEWEST = 5


class Verdict(NamedTuple):
    """The verdict on a claim.

    Attributes:
        claim: The claim.
        word: "reproduced", "not reproduced" or "not testable here".
        reason: Why the claim is not testable, or at how many more seeds runs of it failed; else "".
        median: Median of the effects; NaN without effects.
        low: Lower end of the exact 95 % interval of the median. Fewer than six seeds have no such
            interval: then the least effect.
        high: Upper end, likewise.
        num_seeds: Number of seeds that have an effect.
        p_value: p value of the one-sided sign test against "as often beyond the margin as not".
    """

    claim: Claim
    word: str
    reason: str = ""
    median: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    num_seeds: int = 0
    p_value: float = float("nan")

    def measured(self) -> str:
        """Returns the numbers in words: "0.61 [0.55, 0.71], 8 seeds"."""
        if not self.num_seeds:
            return "-"
        numbers = f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"
        return f"{numbers}, {self.num_seeds} seed{'s' * (self.num_seeds > 1)}"


def decide(claim: Claim, rows: pd.DataFrame, *, num_failed: int = 0) -> Verdict:
    """Returns the verdict on a claim.

    A claim is reproduced if its effect lies beyond the margin at so many seeds that a sign test
    rejects a fair coin at 5 %: all of 5 to 7 seeds, 7 of 8, 9 of 10. The test assumes no
    distribution. A seed whose effect is NaN counts against the claim. If the verdict depends on
    whether the seeds with failed runs count for the claim or against it, it is not testable.

    Args:
        claim: The claim.
        rows: The rows of the runs that the effect takes, at the seeds at which all of them ended
            well: see `verdict`.
        num_failed: Int, the number of further seeds, at which one of them failed. Default: 0.
    """
    if claim.effect is None:
        return Verdict(claim, UNTESTABLE, claim.measure)
    try:
        values = np.array(claim.effect(rows) if len(rows) else [], np.float64)
    except NotTestableError as error:
        return Verdict(claim, UNTESTABLE, str(error))
    except Exception as error:  # A faulty effect must not cost the other verdicts.
        return Verdict(claim, UNTESTABLE, f"failed: {type(error).__name__}: {error}")
    values[np.isnan(values)] = np.inf if claim.above is None else -np.inf
    count, num_seeds = len(values), rows["seed"].nunique() if len(rows) else 0
    if count > num_seeds:
        # More values than seeds are not independent, and would make the test too sure.
        reason = f"failed: its effect must be a float per seed, {num_seeds}. Received: {count}"
        return Verdict(claim, UNTESTABLE, reason)
    if count < _FEWEST:
        reason = f"seeds: {count}, of at least {_FEWEST}" if count else NO_RUNS
        reason += f"; runs failed at {num_failed} of {count + num_failed}" * bool(num_failed)
        return Verdict(claim, UNTESTABLE, reason, *summary(values), count)
    num_beyond = sum(map(claim.holds_at, values))
    p_value = sign_test(num_beyond, count, alternative="greater")
    word, reason = REPRODUCED if p_value < LEVEL else NOT_REPRODUCED, ""
    if num_failed:
        reason = f"runs failed at {num_failed} of {count + num_failed} seeds"
        worst, best = (
            sign_test(num_beyond + more, count + num_failed, alternative="greater")
            for more in (0, num_failed)
        )
        if best < LEVEL <= worst:
            word = UNTESTABLE
    return Verdict(claim, word, reason, *summary(values), count, p_value)


def verdict(claim: Claim, rows: pd.DataFrame, cells: Sequence[Cell]) -> Verdict:
    """Returns the verdict on a claim, from the seeds at which all runs that it takes ended well.

    An `Effect` takes the cells that it names, and has no verdict if one of them never ended well.
    Any other effect takes all cells that ended well at some seed.

    Args:
        claim: The claim.
        rows: All rows of the lab, with their `status`.
        cells: All cells of the lab.
    """
    if isinstance(claim.effect, Effect):
        parts = [part.items() for part in claim.effect.cells]
        taken = [cell for cell in cells if any(part <= cell.items() for part in parts)]
    else:
        ended = set(_cells_of(rows[rows["status"] == OK], cells))
        taken = [cell for cell in cells if tuple(cell.values()) in ended]
    keys = {tuple(cell.values()) for cell in taken}
    ours = rows[np.array([key in keys for key in _cells_of(rows, cells)], bool)]
    good = ours[ours["status"] == OK]
    complete = good.groupby("seed")["seed"].transform("size") == len(taken)
    num_failed = ours["seed"][ours["status"] == FAILED].nunique()
    return decide(claim, good[complete].reset_index(drop=True), num_failed=num_failed)


def _cells_of(rows: pd.DataFrame, cells: Sequence[Cell]) -> list[tuple[Any, ...]]:
    """Returns the values of the settings of each row."""
    columns = [rows[name] for name in cells[0]] if cells else []
    # A lab of a single cell may have no settings.
    return list(zip(*columns, strict=True)) if columns else [()] * len(rows)


def sign_tests(
    rows: pd.DataFrame, *, by: Sequence[str], arm: str, baseline: str, better: Mapping[str, str]
) -> pd.DataFrame:
    """Returns a table with a row per arm: one-sided sign tests against the baseline, by seed.

    Args:
        rows: Rows of a lab.
        by: Columns. Arms are compared within each group of equal values.
        arm: The column that names the arms.
        baseline: The arm to compare with. Groups without it have no rows.
        better: "greater" or "less" by measure. A seed where both arms are equal, or one of them
            has no value, counts against the arm.

    Raises:
        ValueError: If an arm has several rows of a seed in a group (`pandas.errors.MergeError`).
    """
    tests = []
    for group, ours in rows.groupby(list(by), sort=False):
        first = ours[ours[arm] == baseline]
        for name, second in ours[ours[arm] != baseline].groupby(arm, sort=False):
            if not len(first):
                continue
            row = {**dict(zip(by, group, strict=True)), arm: name, "against": baseline}
            # Several rows of a seed would count as independent pairs.
            pairs = second.merge(first, on="seed", suffixes=("", "_base"), validate="one_to_one")
            for measure, direction in better.items():
                gain = pairs[measure] - pairs[f"{measure}_base"]
                wins = int((gain > 0 if direction == "greater" else gain < 0).sum())
                p_value = sign_test(wins, len(gain), alternative="greater")
                row[measure] = f"{wins} of {len(gain)}, p = {p_value:.2g}"
            tests.append(row)
    return pd.DataFrame(tests)
