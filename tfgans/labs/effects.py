"""Reduces the rows of a lab to one number per seed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd


def select(rows: pd.DataFrame, **cell: Any) -> pd.DataFrame:
    """Returns the rows of these settings, by seed."""
    for name, value in cell.items():
        rows = rows[rows[name] == value]
    return rows.sort_values("seed", kind="stable", ignore_index=True)


def column(rows: pd.DataFrame, name: str, **cell: Any) -> pd.Series:
    """Returns a column of the rows of these settings, with the seeds as its index."""
    return select(rows, **cell).set_index("seed")[name]


def last(rows: pd.DataFrame, name: str, **cell: Any) -> list[float]:
    """Returns the last entry of a column of lists, by seed."""
    return [values[-1] for values in column(rows, name, **cell)]


def at_end(rows: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Returns the rows with each list in these columns replaced by its last entry."""
    ends = {
        name: [value[-1] if isinstance(value, list) else value for value in rows[name]]
        for name in names
    }
    return rows.assign(**ends)


def differences(first: Iterable[float], second: Iterable[float]) -> list[float]:
    """Returns `first - second`, seed by seed. See `paired`."""
    return [left - right for left, right in paired(first, second)]


def ratios(first: Iterable[float], second: Iterable[float]) -> list[float]:
    """Returns `first / second`, seed by seed. See `paired`."""
    return [left / right for left, right in paired(first, second)]


def paired(first: Iterable[float], second: Iterable[float]) -> list[tuple[float, float]]:
    """Returns the pairs of the same seed.

    Args:
        first: Series with the seeds as its index, as of `column`; or numbers by seed.
        second: The same. Of two series, only the seeds that are in both count.

    Raises:
        ValueError: If these are not both series, and their numbers of seeds differ; or a seed
            occurs twice in a series.
    """
    if not (isinstance(first, pd.Series) and isinstance(second, pd.Series)):
        return list(zip(first, second, strict=True))
    if first.index.has_duplicates or second.index.has_duplicates:
        raise ValueError("Several runs of a seed have these settings")
    both = pd.concat([first, second], axis=1, join="inner")
    return list(both.itertuples(index=False, name=None))


def difference(
    measure: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Callable[[pd.DataFrame], list[float]]:
    """Returns the effect of a claim: a measure in one cell minus the measure in another, by seed.

    Args:
        measure: The column. The last entry of a list counts.
        first: Settings that select the runs of the first cell.
        second: Settings that select the runs of the second cell.

    Raises:
        ValueError: By the effect, if the settings select several runs of a seed.
    """

    def effect(rows: pd.DataFrame) -> list[float]:
        rows = at_end(rows, [measure])
        both = select(rows, **first).merge(select(rows, **second), on="seed")
        if both["seed"].duplicated().any():
            raise ValueError(f"Several runs of a seed are {dict(first)} or {dict(second)}")
        return list(both[f"{measure}_x"] - both[f"{measure}_y"])

    return effect
