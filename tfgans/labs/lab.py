"""What a lab is: cells, a run, and what a paper claims about them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tfgans import checks

Cell = Mapping[str, Any]
# Beside those of the lab itself.
OWN_COLUMNS = ("seed", "status", "error", "cpu_seconds", "commit")


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of a paper, and the number that decides whether it holds here.

    Args:
        text: The claim, in one sentence.
        paper: Who made it, as "Arora et al. 2017, Theorem 3.1".
        measure: What `effect` returns, in words, with its unit.
        effect: Function of rows (a DataFrame, all cells of each seed) to one float a seed. None: it
            cannot be tested here, and `measure` says why.
        above: The claim holds at a seed whose effect is above this number.
        below: Or it holds below this one. One of the two is given with an effect.
    """

    text: str
    paper: str
    measure: str
    effect: Callable[[pd.DataFrame], Sequence[float]] | None = None
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        margins = [one for one in (self.above, self.below) if one is not None]
        if len(margins) != (self.effect is not None):
            raise ValueError(
                "A claim with an effect needs one of `above` and `below`, another one none. "
                f"Received: above={self.above!r}, below={self.below!r}"
            )

    @property
    def margin(self) -> str:
        """How the effect must lie, as "> 0.5"; "" without an effect."""
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
        caption: What is seen, in a sentence or two.
        draw: Function of rows, all cells of each seed, to a figure, made without pyplot.
    """

    caption: str
    draw: Callable[[pd.DataFrame], Figure]


@dataclasses.dataclass(frozen=True)
class Lab:
    """An experiment: a grid of cells, each run from many seeds.

    Args:
        name: The module's name.
        title: For the report.
        protocol: Markdown: what is done, and which parts are ours and not the paper's.
        measures: What `measure` returns, as description by column; floats, or lists of floats.
        cells: Function of "quick" to the cells: plain values by the name of `measure`'s
            arguments. Quick ones are smaller; all cells have the same names.
        measure: Function of one cell and a seed, both by name, to the measures of a run. It must
            be importable by other processes, and a function of its arguments only.
        claims: What is decided.
        drawings: Figures by file name without its ending.
        tables: Functions of rows, all cells of each seed, to a table, by heading.

    Raises:
        ValueError: If names meet.
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
        double = sorted({one for one in columns if columns.count(one) > 1})
        if double:
            raise ValueError(f"A lab's columns must differ. Received twice: {', '.join(double)}")

    def settings(self) -> list[str]:
        """Returns the names of what a cell sets; none, if nothing can be run here."""
        names = {tuple(cell) for quick in (False, True) for cell in self.cells(quick)}
        if len(names) > 1:
            raise ValueError(f"All cells need the same names. Received: {sorted(names)}")
        return list(names.pop()) if names else []

    def columns(self) -> list[str]:
        """Returns the columns of the CSV file."""
        return [*self.settings(), *OWN_COLUMNS, *self.measures]
