"""Figures of runs: numbers by seed, curves on the way, precision and recall, samples."""

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from PIL import Image, ImageDraw, ImageFont

from tfgans.comparison.comparison import Comparison, Group
from tfgans.comparison.recorded_run import GridFile, RecordedRun
from tfgans.evaluation import quantity_of, short_name
from tfgans.reports import plots

# A number that spans more is drawn on a logarithmic axis.
_WIDE_RANGE = 30.0
# A logarithmic axis of fewer decades also has labels between them.
_FEW_DECADES = 3
_MAX_PANELS = 6
_COLUMNS = 3
_STYLES = ("-", "--", ":", "-.")
# Characters in a line of a label, and the width of one in inches.
_LABEL_LENGTH = 44
_CHARACTER = 0.075
_THUMBNAIL_WIDTH = 560
# Of the animation.
_MAX_FRAMES = 40
_FRAME_MILLISECONDS = 350
_LAST_MILLISECONDS = 2000
_TITLE_HEIGHT = 24
_LOSSES = ("discriminator_loss", "generator_loss", "real_logits", "fake_logits", "penalty")


class Shown(NamedTuple):
    """A picture of a group's samples.

    Attributes:
        group: `Group`.
        run: `RecordedRun`, whose samples these are.
        grid: `GridFile`.
    """

    group: Group
    run: RecordedRun
    grid: GridFile


class Frame(NamedTuple):
    """A frame of an animation.

    Attributes:
        grid: `GridFile`.
        picture: Its picture, RGB.
    """

    grid: GridFile
    picture: Image.Image


def arrow(name: str) -> str:
    """Returns the short name of a number with an arrow to where a better generator is."""
    quantity = quantity_of(name)
    if quantity is None or quantity.higher_is_better is None:
        return short_name(name)
    return f"{short_name(name)} {'↑' if quantity.higher_is_better else '↓'}"


def seeds(comparison: Comparison) -> Figure | None:
    """Draws the first numbers of the records: a point a run, a line at the median of each group.

    A dashed line is the reference.
    """
    names = comparison.metrics[:_MAX_PANELS]
    groups = comparison.groups
    if not names:
        return None
    columns = min(_COLUMNS, len(names))
    labels = [_wrapped_label(group.label) for group in groups]
    lines = [line for label in labels for line in label.split("\n")]
    size = (3.2, 0.9 + 0.12 * len(groups) + 0.16 * len(lines))
    figure, axes = _panels(math.ceil(len(names) / columns), columns, size=size, sharey=True)
    figure.set_figwidth(figure.get_figwidth() + _CHARACTER * max(map(len, lines)))
    for axis, name in zip(axes.flat, names, strict=False):
        for place, group in enumerate(groups):
            values = group.numbers(name)
            color, _ = _style(place)
            axis.plot(values, np.full(len(values), place), "o", color=color, alpha=0.6, ms=5)
            if len(values):
                middle = comparison.summary(group, name)[0]
                axis.plot([middle, middle], [place - 0.3, place + 0.3], color=color, lw=2)
        numbers = [group.numbers(name) for group in groups]
        if comparison.reference is not None and name in comparison.reference.metrics:
            floor = comparison.reference.metrics[name].value
            axis.axvline(floor, color="0.4", ls="--", lw=1)
            numbers.append(pd.Series([floor]))
        axis.set_title(arrow(name), fontsize=10)
        _scale(axis, "x", name, numbers)
    axes[0, 0].set_yticks(range(len(groups)), labels)
    axes[0, 0].set_ylim(len(groups) - 0.5, -0.5)
    _hide_unused(axes, len(names))
    return figure


def precision_recall(comparison: Comparison) -> Figure | None:
    """Draws precision against recall, a point a run; None if no record has them."""
    names = {short_name(name): name for name in comparison.metrics}
    if not {"precision", "recall"} <= names.keys():
        return None
    figure, axes = _panels(1, 1, size=(4.2, 4.2))
    axis = axes[0, 0]
    for place, group in enumerate(comparison.groups):
        recorded = [record.metrics for record in group.records.values()]
        points = [
            (numbers[names["recall"]].value, numbers[names["precision"]].value)
            for numbers in recorded
            if {names["recall"], names["precision"]} <= numbers.keys()
        ]
        color, marker = _style(place)[0], "osD^vPX*"[place // len(plots.COLORS) % 8]
        axis.plot(
            *np.array(points).reshape(-1, 2).T,
            marker,
            color=color,
            label=_wrapped_label(group.label),
        )
    if comparison.reference is not None:
        known = comparison.reference.metrics
        if names["precision"] in known and names["recall"] in known:
            point = known[names["recall"]].value, known[names["precision"]].value
            axis.plot(
                *point, "*", color="0.4", ms=10, label=_wrapped_label(comparison.reference_label)
            )
    axis.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.grid(color="0.9")
    _legend(figure, axis)
    return figure


def metric_curves(comparison: Comparison) -> Figure | None:
    """Draws the numbers of the evaluations on the way against steps, and against CPU seconds."""
    evaluated = pd.concat([run.evaluations for run in comparison.runs], ignore_index=True)
    recorded = [
        name
        for name in evaluated["metric"].unique()
        if any(evaluated_often(run.evaluations, name) for run in comparison.runs)
    ]
    names = [name for name in comparison.metrics if name in recorded] or recorded
    names = [
        name for name in names if evaluated.loc[evaluated["metric"] == name, "value"].std() > 0
    ]
    names = names[:_COLUMNS]
    if not names:
        return None
    timed = any(len(run.times) for run in comparison.runs)
    figure, axes = _panels(1 + timed, len(names), size=(4.2, 3.0))
    for column, name in enumerate(names):
        curves = {
            place: _metric_table(group, name) for place, group in enumerate(comparison.groups)
        }
        for place, values in curves.items():
            _draw(axes[0, column], values, place, _wrapped_label(comparison.groups[place].label))
            if timed:
                _draw(axes[1, column], _by_cpu_seconds(comparison.groups[place], values), place, "")
        for axis, label in zip(axes[:, column], ("training steps", "CPU seconds"), strict=False):
            axis.set_title(arrow(name), fontsize=10)
            axis.set_xlabel(label)
            _scale(
                axis,
                "y",
                name,
                [values.stack().dropna() for values in curves.values() if values.size],
            )
    _legend(figure, axes[0, 0])
    return figure


def evaluated_often(evaluations: pd.DataFrame, name: str) -> bool:
    """Returns whether the evaluations of a run have a number at two steps or more."""
    return evaluations.loc[evaluations["metric"] == name, "step"].nunique() > 1


def log_curves(comparison: Comparison) -> Figure | None:
    """Draws the losses, the logits and the penalty against steps."""
    logged = {name for run in comparison.runs if len(run.log) for name in run.log.columns}
    names = [name for name in _LOSSES if name in logged]
    if not names:
        return None
    columns = min(_COLUMNS, len(names))
    figure, axes = _panels(math.ceil(len(names) / columns), columns, size=(4.2, 2.8))
    for axis, name in zip(axes.flat, names, strict=False):
        for place, group in enumerate(comparison.groups):
            series = [
                run.log.set_index("step")[name] if name in run.log else pd.Series(dtype="float64")
                for run in group.runs
            ]
            _draw(axis, _aligned(series), place, _wrapped_label(group.label))
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("training steps")
    _hide_unused(axes, len(names))
    _legend(figure, axes[0, 0])
    return figure


def readings(run: RecordedRun) -> Figure | None:
    """Draws what the doctor measured, and marks its findings; None without readings."""
    names = [name for name in run.readings.columns[2:] if run.readings[name].notna().any()]
    if len(run.readings) < 2 or not names:
        return None
    columns = min(_COLUMNS, len(names))
    figure, axes = _panels(math.ceil(len(names) / columns), columns, size=(4.2, 2.6))
    for axis, name in zip(axes.flat, names, strict=False):
        axis.plot(run.readings["step"], run.readings[name], ".-", color=plots.COLORS[0])
        for step in run.findings["step"]:
            axis.axvline(step, color=plots.COLORS[1], lw=1)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("training steps")
    _hide_unused(axes, len(names))
    return figure


def mixture_weights(run: RecordedRun) -> Figure | None:
    """Draws the weights of the components of mixtures against steps; None without a mixture."""
    table = run.mixture
    if not len(table):
        return None
    players = list(dict.fromkeys(table["player"]))
    figure, axes = _panels(1, len(players), size=(5.0, 2.8))
    for axis, player in zip(axes.flat, players, strict=True):
        ours = table[table["player"] == player]
        for place, (component, rows) in enumerate(ours.groupby("component")):
            color, style = _style(place)
            axis.plot(rows["step"], rows["weight"], style, color=color, label=f"{component:.0f}")
        axis.set(title=f"weights of the {player}'s components", xlabel="training steps")
        axis.set_ylim(bottom=0)
        axis.legend(title="component", frameon=False, fontsize=8, title_fontsize=8)
    return figure


def samples(comparison: Comparison) -> dict[str, list[Shown]]:
    """Returns pictures of samples of each group, by what they show, in words.

    First the pictures at the last step that all groups have recorded, or, if there is no such step
    after step 0, those closest to the last step of the shortest run. Then the last picture of each
    group, if these differ from the first.
    """
    first = [next((run for run in group.runs if run.grids), None) for group in comparison.groups]
    pairs = [
        (group, run) for group, run in zip(comparison.groups, first, strict=True) if run is not None
    ]
    if not pairs:
        return {}
    steps = [{grid.step for grid in run.grids} for _, run in pairs]
    common = set.intersection(*steps) - {0}
    target = max(common) if common else min(max(each) for each in steps)
    at_target = [
        Shown(group, run, min(run.grids, key=lambda grid: abs(grid.step - target)))
        for group, run in pairs
    ]
    last = [Shown(group, run, run.grids[-1]) for group, run in pairs]
    words = (
        f"At step {target}, the last that all of these runs have recorded."
        if common
        else f"The picture of each run that is closest to step {target}, where the shortest of "
        "these runs ends: no step is recorded by all of them."
    )
    return {words: at_target} | ({"The last of each run." if last != at_target else words: last})


def thumbnail(grid: GridFile) -> bytes:
    """Returns a picture of samples as a WebP file, as wide as a report shows it or smaller.

    A comparison holds a picture of each group, several times.

    Args:
        grid: `GridFile`.

    Raises:
        ValueError: If the file is damaged.
    """
    file = io.BytesIO()
    shown = _read(grid)
    shown.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH), Image.Resampling.LANCZOS)
    shown.save(file, format="WEBP", quality=85)
    return file.getvalue()


def frames(grids: Sequence[GridFile]) -> tuple[list[Frame], list[str]]:
    """Returns the pictures that can be read, and what is wrong with the others, in sentences.

    Of more than 40 pictures some are left out, evenly.

    Args:
        grids: List of `GridFile`.
    """
    places = np.unique(np.linspace(0, len(grids) - 1, _MAX_FRAMES).round().astype(int))
    good, damage = [], []
    for grid in [grids[place] for place in places]:
        try:
            good.append(Frame(grid, _read(grid)))
        except ValueError as error:
            damage.append(str(error))
    return good, damage


def _read(grid: GridFile) -> Image.Image:
    """Returns a picture as RGB.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with Image.open(grid.path) as file:
            return file.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{grid.path} cannot be read: {error}. Restore or remove it") from error


def animation(shown: Sequence[Frame]) -> bytes:
    """Returns pictures of samples as an animated WebP file, each with its step above.

    Args:
        shown: List of `Frame`, not empty, as of `frames`.
    """
    width, height = (max(frame.picture.size[axis] for frame in shown) for axis in (0, 1))
    font = ImageFont.load_default(14)
    titled = []
    for grid, picture in shown:
        image = Image.new("RGB", (width, height + _TITLE_HEIGHT), "white")
        image.paste(picture, (0, _TITLE_HEIGHT))
        ImageDraw.Draw(image).text((4, 4), f"step {grid.step}", fill="black", font=font)
        titled.append(image)
    file = io.BytesIO()
    durations = [_FRAME_MILLISECONDS] * (len(titled) - 1) + [_LAST_MILLISECONDS]
    titled[0].save(
        file,
        format="WEBP",
        save_all=True,
        append_images=titled[1:],
        duration=durations if len(titled) > 1 else _LAST_MILLISECONDS,
        loop=0,
        quality=85,
    )
    return file.getvalue()


def _panels(
    rows: int, columns: int, *, size: tuple[float, float], sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    """Returns a new figure and its axes, with some space between them."""
    figure, axes = plots.panels(rows, columns, size=size, sharey=sharey)
    figure.set_layout_engine("constrained", h_pad=0.1, w_pad=0.1)
    for axis in axes.flat:
        axis.xaxis.set_major_locator(MaxNLocator(5))
    return figure, axes


def _wrapped_label(label: str) -> str:
    """Returns a label that Matplotlib shows as it is, in several lines if it is long.

    A dollar sign would begin a formula, and legends leave out labels that begin with "_".
    """
    lines = textwrap.wrap(
        label.replace("$", r"\$"), _LABEL_LENGTH, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(f" {line}" if line.startswith("_") else line for line in lines)


def _style(place: int) -> tuple[str, str]:
    """Returns the color and the line style of a group."""
    num = len(plots.COLORS)
    return plots.COLORS[place % num], _STYLES[place // num % len(_STYLES)]


def _metric_table(group: Group, name: str) -> pd.DataFrame:
    """Returns a number on the way, as of `_aligned`."""
    return _aligned(
        [
            run.evaluations[run.evaluations["metric"] == name].set_index("step")["value"]
            for run in group.runs
        ]
    )


def _aligned(series: Sequence[pd.Series]) -> pd.DataFrame:
    """Returns the values of runs by step: a row a run that has any, by its place in the group.

    A run that has ended early, or measures at other steps, has NaN in the columns of the others.
    """
    known = {
        place: values[~values.index.duplicated(keep="last")].dropna()
        for place, values in enumerate(series)
    }
    known = {place: values for place, values in known.items() if len(values)}
    return pd.concat(known, axis=1).sort_index().T if known else pd.DataFrame()


def _by_cpu_seconds(group: Group, values: pd.DataFrame) -> pd.DataFrame:
    """Returns values as of `_aligned` with the median CPU seconds in place of the steps.

    Of the runs whose time is known, at the steps that all of them have: the seconds then rise.
    """
    timed = [place for place in values.index if len(group.runs[place].times)]
    values = values.loc[timed].dropna(axis=1)
    if values.empty:
        return pd.DataFrame()
    seconds = [
        np.interp(values.columns, times["step"], times["cpu_seconds"])
        for times in (group.runs[place].times for place in timed)
    ]
    return values.set_axis(np.median(seconds, axis=0), axis=1)


def _draw(axis: Axes, values: pd.DataFrame, place: int, label: str) -> None:
    if not values.size:
        return
    color, style = _style(place)
    runs = pd.Series(values.to_numpy().tolist())
    plots.curve(axis, values.columns, runs, label=label, color=color, style=style)


def _scale(
    axes: Axes, direction: Literal["x", "y"], name: str, series: Sequence[pd.Series]
) -> None:
    """Makes an axis logarithmic if its numbers have no upper end, and span orders of magnitude."""
    quantity = quantity_of(name)
    if not len(series) or (quantity is not None and math.isfinite(quantity.high)):
        return
    values = np.concatenate([np.asarray(each, np.float64) for each in series])
    if not len(values) or values.min() <= 0 or values.max() / values.min() <= _WIDE_RANGE:
        return
    axes.set(**{f"{direction}scale": "log"})
    axis = {"x": axes.xaxis, "y": axes.yaxis}[direction]
    # Few labels, such as 0.1, 0.2, 0.5, 1: those that Matplotlib adds between the decades overlap.
    decades = math.log10(values.max() / values.min())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < _FEW_DECADES else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if len(handles) > 1:
        # Beside the panels, which keep their size: the figure is saved with all around it.
        figure.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9
        )


def _hide_unused(axes: np.ndarray, used: int) -> None:
    for axis in axes.flat[used:]:
        axis.set_visible(False)
