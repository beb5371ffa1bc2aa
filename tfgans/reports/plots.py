"""Draws curves with their spread, boxes and heat maps, for the figures of the labs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito 2008: distinct for color-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_PANEL = (4.2, 3.2)


def panels(
    rows: int,
    columns: int,
    *,
    size: tuple[float, float] = _PANEL,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, np.ndarray]:
    """Returns a new figure and its axes [rows, columns]."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def curve(
    axis: Axes,
    x: Sequence[float],
    runs: pd.Series,
    *,
    label: str,
    color: str,
    style: str = "-",
) -> None:
    """Draws the median of lists of the same length, and the range of their values.

    NaN counts as absent; at each place, at least one of the lists must have a number.
    """
    values = pd.DataFrame(runs.tolist(), dtype="float64")
    if not len(values):
        return
    marker = "." if len(x) == 1 else ""
    axis.plot(x, values.median(), style, marker=marker, color=color, label=label)
    axis.fill_between(x, values.min(), values.max(), color=color, alpha=0.15, lw=0)


def boxes(axis: Axes, groups: Mapping[str, Sequence[float]]) -> None:
    """Draws one box per group, and each value as a point."""
    axis.boxplot(
        [np.asarray(values, np.float64) for values in groups.values()],
        tick_labels=list(groups),
        showfliers=False,
        medianprops={"color": COLORS[1]},
    )
    for index, values in enumerate(groups.values(), 1):
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0.0]
        axis.plot(index + np.asarray(spread), values, ".", color=COLORS[0], alpha=0.5, ms=4)


def heat_map(axis: Axes, table: pd.DataFrame, *, title: str, best: str) -> None:
    """Draws a table of numbers, colored by rank; `best` ("low" or "high") is the bright end."""
    values = table.to_numpy(np.float64)
    ranks = pd.Series(values.ravel()).rank(pct=True).to_numpy().reshape(values.shape)
    shades = ranks if best == "high" else 1 - ranks
    axis.imshow(shades, cmap="cividis", aspect="auto", vmin=0, vmax=1)
    axis.set_xticks(
        range(table.shape[1]), [str(name) for name in table.columns], rotation=30, ha="right"
    )
    axis.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
    axis.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(values):
        bright = shades[row, column] > 0.6
        text = f"{value:.3g}" if np.isfinite(value) else "-"
        axis.text(
            column, row, text, ha="center", va="center", color="k" if bright else "w", fontsize=8
        )
    axis.set_title(title, fontsize=10)
