"""From the rows of a lab to one number a seed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd


def select(rows: pd.DataFrame, **cell: Any) -> pd.DataFrame:
    """Returns the rows of these settings, by seed."""
    for name, value in cell.items():
        rows = rows[rows[name] == value]
    return rows.sort_values("seed", kind="stable", ignore_index=True)


def column(rows: pd.DataFrame, name: str, **cell: Any) -> pd.Series:
    """Returns a column of the rows of these settings, by seed."""
    return select(rows, **cell)[name]


def last(rows: pd.DataFrame, name: str, **cell: Any) -> list[float]:
    """Returns the last entry of a column of lists, by seed."""
    return [one[-1] for one in column(rows, name, **cell)]


def at_end(rows: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Returns the rows, of each list in these columns its last entry."""
    ends = {
        name: [one[-1] if isinstance(one, list) else one for one in rows[name]] for name in names
    }
    return rows.assign(**ends)


def differences(first: Iterable[float], second: Iterable[float]) -> list[float]:
    """Returns `first - second`, seed by seed.

    Raises:
        ValueError: If one has more seeds.
    """
    return [one - other for one, other in zip(first, second, strict=True)]


def ratios(first: Iterable[float], second: Iterable[float]) -> list[float]:
    """Returns `first / second`, seed by seed.

    Raises:
        ValueError: If one has more seeds.
    """
    return [one / other for one, other in zip(first, second, strict=True)]


def difference(
    measure: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Callable[[pd.DataFrame], list[float]]:
    """Returns an effect for a claim: a measure in one cell less that in another, at the same seeds.

    Args:
        measure: Its column; of lists the last entry counts.
        first: Settings that only the runs of one cell have.
        second: Likewise, of the other cell.
    """

    def effect(rows: pd.DataFrame) -> list[float]:
        rows = at_end(rows, [measure])
        both = select(rows, **first).merge(select(rows, **second), on="seed")
        if both["seed"].duplicated().any():
            raise ValueError(f"Several runs of a seed are {dict(first)} or {dict(second)}")
        return list(both[f"{measure}_x"] - both[f"{measure}_y"])

    return effect
