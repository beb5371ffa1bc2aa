"""Defines a lab: its cells, its runs, and the claims of papers about them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tfgans import checks

Cell = Mapping[str, Any]
# The columns that every lab has.
COMMON_COLUMNS = ("seed", "status", "error", "cpu_seconds", "commit")


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of a paper, and the effect that decides whether it holds here.

    Args:
        text: The claim, in one sentence.
        paper: The paper, as "Arora et al. 2017, Theorem 3.1".
        measure: Describes what `effect` returns, with the unit.
        effect: Function of rows (a DataFrame, all cells of each seed) to one float per seed. None
            if the claim cannot be tested here; `measure` then says why.
        above: The claim holds at a seed whose effect is above this number.
        below: The claim holds at a seed whose effect is below this number. An effect needs either
            `above` or `below`.

    Raises:
        ValueError: If an effect has not exactly one of the two bounds, or a bound no effect.
    """

    text: str
    paper: str
    measure: str
    effect: Callable[[pd.DataFrame], Sequence[float]] | None = None
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        margins = [bound for bound in (self.above, self.below) if bound is not None]
        if len(margins) != (self.effect is not None):
            raise ValueError(
                "A claim needs either `above` or `below` with an effect, and neither without. "
                f"Received: above={self.above!r}, below={self.below!r}"
            )

    @property
    def margin(self) -> str:
        """The bound of the effect, as "> 0.5"; "" without an effect."""
        if self.effect is None:
            return ""
        return f"> {self.above:g}" if self.above is not None else f"< {self.below:g}"

    def holds_at(self, effect: float) -> bool:
        """Returns whether a seed's effect lies beyond the margin; NaN does not."""
        if self.above is not None:
            return bool(effect > self.above)
        return self.below is not None and bool(effect < self.below)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure of a report.

    Args:
        caption: Describes the figure in a sentence or two.
        draw: Function of rows (a DataFrame, all cells of each seed) to a figure, without pyplot.
    """

    caption: str
    draw: Callable[[pd.DataFrame], Figure]


@dataclasses.dataclass(frozen=True)
class Lab:
    """An experiment: a grid of cells, each run with many seeds.

    Args:
        name: The module's name.
        title: The heading of the report.
        protocol: Markdown that describes the experiment, and where it differs from the paper.
        measures: The keys of what `measure` returns, with a description each. Values are floats or
            lists of floats.
        cells: Function of `quick` (bool) to the cells. A cell is a mapping of `measure`'s argument
            names to plain values; all cells have the same names, also those of the quick form.
        measure: Function of a cell's arguments and `seed`, by keyword, to the measures of a run.
            Other processes must be able to import it, and it must depend on its arguments only.
        claims: The claims to decide.
        drawings: Figures by file name without suffix.
        tables: Functions of rows (a DataFrame, all cells of each seed) to a table, by heading.

    Raises:
        ValueError: If two columns have the same name, or cells have different names.
    """

    name: str
    title: str
    protocol: str
    measures: Mapping[str, str]
    cells: Callable[[bool], Sequence[Cell]]
    measure: Callable[..., Mapping[str, Any]]
    claims: tuple[Claim, ...] = ()
    drawings: Mapping[str, Drawing] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = dataclasses.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in self.drawings:
            checks.file_name("drawings", name)
        columns = self.columns()
        double = sorted({name for name in columns if columns.count(name) > 1})
        if double:
            raise ValueError(f"A lab's columns must differ. Received twice: {', '.join(double)}")

    def settings(self) -> list[str]:
        """Returns the names of a cell's settings; empty if the lab has no cells."""
        names = {tuple(cell) for quick in (False, True) for cell in self.cells(quick)}
        if len(names) > 1:
            raise ValueError(f"All cells need the same names. Received: {sorted(names)}")
        return list(names.pop()) if names else []

    def columns(self) -> list[str]:
        """Returns the columns of the CSV file."""
        return [*self.settings(), *COMMON_COLUMNS, *self.measures]
