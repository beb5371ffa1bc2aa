"""Defines a lab: its cells, its runs, and the claims of papers about them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import checks
from tfgans.labs.effects import Cell, Effect

# The columns that every lab has.
COMMON_COLUMNS = ("seed", "status", "error", "cpu_seconds", "commit")


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of a paper, and the effect that decides whether it holds here.

    Args:
        text: The claim, in one sentence.
        paper: The paper, as "Arora et al. 2017, Theorem 3.1".
        measure: Describes what `effect` returns, with the unit.
        effect: Function of rows (a DataFrame) to one float per seed: of the module `effects`, or an
            `effects.Effect`, which say what runs they take; any other takes all runs of a seed.
            None if the claim cannot be tested here; `measure` then says why.
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
        draw: Function of rows (a DataFrame, the runs that ended well) to a figure, without pyplot.
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
            names to ints, floats, bools or strings; all cells have the same names, also those of
            the quick form.
        measure: Function of a cell's arguments and `seed`, by keyword, to the measures of a run.
            Other processes must be able to import it, and it must depend on its arguments only.
        claims: The claims to decide.
        drawings: Figures by file name without suffix.
        tables: Functions of rows (a DataFrame, the runs that ended well) to a table, by heading.
        first_seed: The seed of the first run. A lab whose design was chosen by trials takes seeds
            that no trial had.
        one_at_a_time: Whether runs must not share the machine with one another, as CPU seconds are
            what they compare.
        history: Markdown on what earlier versions of the lab found, and why it changed.

    Raises:
        ValueError: If two columns have the same name, cells have different names or other values,
            or an effect takes a cell that the lab does not have.
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
    first_seed: int = 0
    one_at_a_time: bool = False
    history: str = ""

    def __post_init__(self) -> None:
        for name in self.drawings:
            checks.file_name("drawings", name)
        columns = self.columns()
        double = sorted({name for name in columns if columns.count(name) > 1})
        if double:
            raise ValueError(f"A lab's columns must differ. Received twice: {', '.join(double)}")
        cells = [cell for quick in (False, True) for cell in self.cells(quick)]
        for cell in cells:
            for name, value in cell.items():
                # NaN equals nothing, so no effect could select it.
                if not isinstance(value, bool | int | float | str | np.generic) or value != value:
                    raise ValueError(
                        "The values of a cell must be ints, floats, bools or strings. Received: "
                        f'{name}={checks.short(value)}. Name it, as in {name}="none"'
                    )
        parts = [
            part
            for claim in self.claims
            if isinstance(claim.effect, Effect)
            for part in claim.effect.cells
        ]
        for part in parts:
            if not any(part.items() <= cell.items() for cell in cells):
                raise ValueError(
                    "The effect of a claim must take cells of the lab. Received: "
                    f"{checks.short(dict(part))}, which are settings of no cell"
                )

    def settings(self) -> list[str]:
        """Returns the names of a cell's settings; empty if the lab has no cells."""
        names = {tuple(cell) for quick in (False, True) for cell in self.cells(quick)}
        if len(names) > 1:
            raise ValueError(f"All cells need the same names. Received: {sorted(names)}")
        return list(names.pop()) if names else []

    def runs(
        self,
        seeds: int,
        *,
        quick: bool = False,
        only: Sequence[str] = (),
        seconds: float | None = None,
    ) -> list[dict[str, Any]]:
        """Returns the settings and the seed of each run, seed by seed.

        Args:
            seeds: Number of seeds, from `first_seed` on.
            quick: Whether to take the smaller form of the lab.
            only: Settings as "name=value": the cells that have them. Of several values of a name,
                any.
            seconds: CPU seconds of training, in place of the lab's, of cells that train for a time.

        Raises:
            ValueError: If no cell has the settings of `only`, or none trains for a time.
        """
        cells = [dict(cell) for cell in self.cells(quick)]
        if seconds is not None:
            checks.positive("seconds", seconds)
            timed = [cell for cell in cells if cell.get("seconds")]
            if not timed:
                raise ValueError(
                    f"`seconds` is for a lab that trains for a time. Received: {seconds:g} for the "
                    f"lab {self.name!r}, which does not. Leave it out"
                )
            for cell in timed:
                cell["seconds"] = float(seconds)
        wanted: dict[str, set[str]] = {}
        for setting in only:
            name, _, value = setting.partition("=")
            wanted.setdefault(name, set()).add(value)
        for name, values in wanted.items():
            known = {str(cell[name]) for cell in cells if name in cell}
            if not values <= known:
                raise ValueError(
                    "`only` must name settings of the lab as name=value. Received: "
                    f"{name}={', '.join(sorted(values - known))}; "
                    + (
                        f"the values of {name!r} are {', '.join(sorted(known))}"
                        if known
                        else f"the settings are {', '.join(self.settings())}"
                    )
                )
            cells = [cell for cell in cells if str(cell[name]) in values]
        if not cells and wanted:
            raise ValueError(f"No cell has all of these settings. Received: {', '.join(only)}")
        # Cells of different times are the same with the same time.
        cells = [cell for place, cell in enumerate(cells) if cell not in cells[:place]]
        numbers = range(self.first_seed, self.first_seed + seeds)
        return [{**cell, "seed": seed} for seed in numbers for cell in cells]

    def columns(self) -> list[str]:
        """Returns the columns of the CSV file."""
        return [*self.settings(), *COMMON_COLUMNS, *self.measures]
