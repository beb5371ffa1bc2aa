"""Reduces the rows of a lab to one number per seed."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

Cell = Mapping[str, Any]


class NotTestableError(ValueError):
    """Says, from within an effect, why the runs do not put the claim to a test."""


@dataclasses.dataclass(frozen=True)
class Effect:
    """The effect of a claim, with the runs that it takes: only their failures count against it.

    Args:
        function: Function of the rows that have all settings of any of `cells`, to one float per
            seed. At each seed all of these runs ended well.
        cells: Settings that select runs.
    """

    function: Callable[[pd.DataFrame], Sequence[float]]
    cells: Sequence[Cell]

    def __call__(self, rows: pd.DataFrame) -> Sequence[float]:
        """Returns one float per seed."""
        return self.function(rows)


def select(rows: pd.DataFrame, **cell: Any) -> pd.DataFrame:
    """Returns the rows of these settings, by seed."""
    for name, value in cell.items():
        rows = rows[rows[name] == value]
    return rows.sort_values("seed", kind="stable", ignore_index=True)


def column(rows: pd.DataFrame, name: str, **cell: Any) -> pd.Series:
    """Returns a column of the rows of these settings, with the seeds as its index.

    Raises:
        ValueError: If several runs of a seed have these settings.
    """
    series: pd.Series = select(rows, **cell).set_index("seed")[name]
    if series.index.has_duplicates:
        raise ValueError(f"Several runs of a seed have these settings: {cell}")
    return series


def at_end(rows: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Returns the rows with each list in these columns replaced by its last entry."""
    ends = {
        name: [value[-1] if isinstance(value, list) else value for value in rows[name]]
        for name in names
    }
    return rows.assign(**ends)


def differences(first: pd.Series, second: pd.Series) -> list[float]:
    """Returns `first - second`, seed by seed. See `paired`."""
    return [left - right for left, right in paired(first, second)]


def ratios(first: pd.Series, second: pd.Series) -> list[float]:
    """Returns `first / second`, seed by seed; NaN where `second` is not above 0. See `paired`."""
    return [left / right if right > 0 else float("nan") for left, right in paired(first, second)]


def paired(first: pd.Series, second: pd.Series) -> list[tuple[float, float]]:
    """Returns the pairs of the same seed.

    Args:
        first: Floats with the seeds as their index, as of `column`.
        second: The same. Only the seeds that are in both count.
    """
    both = pd.concat([first, second], axis=1, join="inner")
    return list(both.itertuples(index=False, name=None))


def value(measure: str, cell: Cell) -> Effect:
    """Returns the effect of a claim: a measure in a cell, by seed.

    Args:
        measure: The column. The last entry of a list counts.
        cell: Settings that select the runs of the cell.

    Raises:
        ValueError: By the effect, if the settings select several runs of a seed.
    """
    return Effect(lambda rows: list(_end(rows, measure, cell)), [cell])


def difference(measure: str, first: Cell, second: Cell) -> Effect:
    """Returns the effect of a claim: a measure in one cell minus the measure in another, by seed.

    Args:
        measure: The column. The last entry of a list counts.
        first: Settings that select the runs of the first cell.
        second: Settings that select the runs of the second cell.

    Raises:
        ValueError: By the effect, if the settings select several runs of a seed.
    """
    return _paired_effect(differences, measure, [first, second])


def ratio(measure: str, first: Cell, second: Cell) -> Effect:
    """Returns the effect of a claim: a measure in one cell over the measure in another, by seed.

    The arguments and errors are those of `difference`. It is NaN where the second is not above 0.
    """
    return _paired_effect(ratios, measure, [first, second])


def _paired_effect(
    reduce: Callable[[pd.Series, pd.Series], list[float]], measure: str, cells: Sequence[Cell]
) -> Effect:
    """Returns the effect that compares a measure in two cells."""
    return Effect(lambda rows: reduce(*(_end(rows, measure, cell) for cell in cells)), cells)


def _end(rows: pd.DataFrame, measure: str, cell: Cell) -> pd.Series:
    return column(at_end(rows, [measure]), measure, **cell)
