"""Writes what is known of runs as Markdown, CSV and an HTML page that needs no other file."""

import html
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from tfgans import files
from tfgans.comparison import figures
from tfgans.comparison.comparison import Comparison, Group, common_settings, evaluate_command
from tfgans.comparison.figures import arrow
from tfgans.comparison.recorded_run import RecordedRun
from tfgans.comparison.settings import shown
from tfgans.reports import document
from tfgans.reports.document import markdown_table

# Columns of numbers in a table; more are in the next.
_NUMBERS = 6
_FEW_PAIRS = 6
_INTERVALS = (
    "Each number is the median over the seeds and its 95 % interval by order statistics, which of "
    "up to eight seeds is their range; of a single seed it is the value and the 95 % interval of "
    "its record, which does not contain the chance of the training. An arrow shows where a better "
    "generator is; the best median is bold."
)
_CPU = (
    "CPU seconds are those of the training steps, of all threads, without evaluations, pictures "
    "and backups. An interval of seeds is their median and range."
)


class Part(NamedTuple):
    """A part of a report.

    Attributes:
        text: String, Markdown. A figure stands as `![NAME](NAME.png)`.
        in_text: Whether the part is also in the report without figures.
    """

    text: str
    in_text: bool = True


class Report(NamedTuple):
    """A report before it is written.

    Attributes:
        title: String.
        parts: Tuple of `Part`.
        pictures: Dict of the files of the figures by name.
    """

    title: str
    parts: tuple[Part, ...]
    pictures: dict[str, bytes]

    @property
    def text(self) -> str:
        """The report as Markdown without figures."""
        return "\n\n".join([f"# {self.title}", *(part.text for part in self.parts if part.in_text)])

    def write(self, folder: Path) -> None:
        """Writes `report.md` and `report.html`."""
        whole = "\n\n".join([f"# {self.title}", *(part.text for part in self.parts)])
        files.write_text(folder / "report.md", self.text + "\n")
        page = document.page(self.title, whole, self.pictures)
        files.write_text(folder / "report.html", page)


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str], command: str) -> None:
    """Writes `report.md`, `report.html` and `runs.csv`, a row a run.

    Args:
        comparison: `Comparison`.
        folder: Folder of the report; made if missing.
        command: String, the command line, for the report.
    """
    folder = files.path(folder)
    comparison_report(comparison, command).write(folder)
    text = io.StringIO()
    comparison.rows.to_csv(text, index=False)
    files.write_text(folder / "runs.csv", text.getvalue())


def write_report(run: RecordedRun, folder: str | os.PathLike[str]) -> None:
    """Writes `report.md` and `report.html` of a run.

    Args:
        run: `RecordedRun`.
        folder: Folder of the report; made if missing.
    """
    run_report(run).write(files.path(folder))


def comparison_text(comparison: Comparison) -> str:
    """Returns the report of a comparison as Markdown without figures."""
    parts = _comparison_parts(comparison, "")
    return Report(_title(comparison), tuple(parts), {}).text


def run_text(run: RecordedRun) -> str:
    """Returns the report of a run as Markdown without figures."""
    return Report(run.name, tuple(_run_parts(run)), {}).text


def comparison_report(comparison: Comparison, command: str) -> Report:
    """Returns the report of a comparison, with its figures.

    Args:
        comparison: `Comparison`.
        command: String, the command line, for the report.
    """
    pictures: dict[str, bytes] = {}
    overview = _figures(
        pictures,
        {
            "seeds": (
                figures.seeds(comparison),
                "Each point is a run, the line is the median of the group.",
            ),
            "precision-recall": (figures.precision_recall(comparison), "Each point is a run."),
        },
    )
    curves = _figures(
        pictures,
        {
            "metrics": (
                figures.metric_curves(comparison),
                "Evaluations on the way: median over the seeds, and their range.",
            ),
            "losses": (
                figures.log_curves(comparison),
                "Means over the steps of a row of the log: median over the seeds, and their range.",
            ),
        },
    )
    parts = _comparison_parts(comparison, command)
    grids = _grids(comparison, pictures)
    # The table first, then what the eye compares, then tests and details.
    parts[2:2] = [*overview, *grids, *([Part("## Curves", False)] if curves else []), *curves]
    return Report(_title(comparison), tuple(parts), pictures)


def run_report(run: RecordedRun) -> Report:
    """Returns the report of a run, with its figures."""
    pictures: dict[str, bytes] = {}
    alone = Comparison([run])
    curves = _figures(
        pictures,
        {
            "losses": (figures.log_curves(alone), "Means over the steps of a row of the log."),
            "metrics": (figures.metric_curves(alone), "Evaluations on the way."),
            "mixture": (figures.mixture_weights(run), ""),
            "readings": (
                figures.readings(run),
                "The doctor's readings; a line marks a finding."
                if len(run.findings)
                else "The doctor's readings.",
            ),
        },
    )
    parts = _run_parts(run)
    samples: list[Part] = []
    if run.grids:
        pictures["samples"] = figures.animation(run.grids)
        pictures["last"] = run.grids[-1].path.read_bytes()
        pictured = [
            ("samples", f"steps {run.grids[0].step} to {run.grids[-1].step}, the same latents")
        ]
        pictured.append(("last", f"step {run.grids[-1].step}"))
        samples = [Part("## Samples", False), Part(_side_by_side(pictured), False)]
    parts[1:1] = [*samples, *([Part("## Curves", False)] if curves else []), *curves]
    return Report(run.name, tuple(parts), pictures)


def _title(comparison: Comparison) -> str:
    runs, groups = len(comparison.runs), len(comparison.groups)
    told = list(comparison.groups[0].values)
    by = f" by {', '.join(told)}" if told else ""
    return f"{_count(runs, 'run')} in {_count(groups, 'group')}{by}"


def _comparison_parts(comparison: Comparison, command: str) -> list[Part]:
    record = comparison.record
    parts = [Part(_protocol(comparison)), Part(_group_tables(comparison))]
    if comparison.metrics and len(comparison.groups) > 1:
        parts += [Part("## Tests"), Part(_tests(comparison))]
    missing = comparison.missing_records()
    if missing:
        commands = "\n".join(["```bash", *missing, "```"])
        some = "No run has" if record is None else "These runs have no"
        words = f"{some} numbers from `tfgans evaluate` yet; these commands add them:"
        parts += [Part("## Runs without a record"), Part(f"{words}\n\n{commands}")]
    notes = [*comparison.doubts, *comparison.stale_records(), *comparison.repeated]
    if notes:
        parts += [Part("## Notes"), Part("\n".join(f"- {note}" for note in notes))]
    parts += [Part("## Runs"), Part(_run_table(comparison))]
    if comparison.settings:
        table = pd.DataFrame([{"group": group.label} for group in comparison.groups]).assign(
            **comparison.settings
        )
        parts += [
            Part("## Settings that differ"),
            Part(markdown_table(table.set_index("group").T.reset_index(names="setting"))),
        ]
    shared = common_settings(comparison.runs)
    table = pd.DataFrame({"setting": shared.keys(), "value": map(shown, shared.values())})
    parts.append(Part(_details("Settings that all runs share", markdown_table(table)), False))
    if command:
        parts.append(Part(f"Made by `{command}`."))
    return parts


def _protocol(comparison: Comparison) -> str:
    record = comparison.record
    if record is None:
        return "No run has a record, so there are no numbers yet."
    real, fake, extractor = record.real, record.fake, record.extractor
    accuracy = f", right on {extractor['accuracy']:.1%}" if "accuracy" in extractor else ""
    return (
        f"Measured by `tfgans evaluate` on {real['source']}, split {real['split']}: "
        f"{fake['num_examples']} generated against {real['num_examples']} real examples, features "
        f"of {extractor['name']}{accuracy}. All records have this protocol, the same data and the "
        "same version of tfgans."
    )


def _group_tables(comparison: Comparison) -> str:
    """Returns the groups with their numbers, in tables of few columns."""
    names = comparison.metrics
    blocks = [names[start : start + _NUMBERS] for start in range(0, len(names), _NUMBERS)] or [()]
    tables = []
    for number, block in enumerate(blocks):
        rows = []
        for group in comparison.groups:
            row = dict(group.values) if group.values else {"group": "all runs"}
            row["seeds"] = _seeds_of(group)
            if number == 0:
                row["steps"] = _spread([run.steps for run in group.runs])
                row["CPU s"] = _spread([run.cpu_seconds for run in group.runs])
            row |= {arrow(name): _cell(comparison, group, name) for name in block}
            rows.append(row)
        tables.append(markdown_table(pd.DataFrame(rows)))
    return "\n\n".join([*tables, f"{_INTERVALS} {_CPU}"])


def _seeds_of(group: Group) -> str:
    """Returns how many runs a group has, and how many of them have no number."""
    lacking = sum(run.record is None for run in group.runs)
    return f"{len(group.runs)}" + f" ({lacking} without record)" * bool(lacking)


def _cell(comparison: Comparison, group: Group, name: str) -> str:
    values = group.numbers(name)
    if not len(values):
        return "-"
    median, low, high = comparison.summary(group, name)
    if len(values) == 1:
        intervals = [
            run.record.metrics[name].interval
            for run in group.runs
            if run.record is not None and name in run.record.metrics
        ]
        if len(intervals) > 1 or intervals[0] is None:
            return _bold(f"{median:.3g}", group in comparison.best(name))
        low, high = intervals[0]
    strong = _bold(f"{median:.3g}", group in comparison.best(name))
    return f"{strong} [{low:.3g}, {high:.3g}]"


def _bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text


def _spread(values: Sequence[float]) -> str:
    """Returns the median and the range of counts or seconds."""
    known = pd.Series(values, dtype="float64").dropna()
    if not len(known):
        return "-"
    low, middle, high = (f"{value:.0f}" for value in (known.min(), known.median(), known.max()))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _tests(comparison: Comparison) -> str:
    base, *others = comparison.groups
    rows, kinds, pairs = [], set(), []
    for group in others:
        row = {"group": group.label}
        for name in comparison.metrics:
            test = comparison.test(name, group, base)
            row[arrow(name)] = "-" if test is None else test.text()
            if test is not None:
                kinds.add(test.name)
                pairs += [test.num[0]] if test.name == "sign" else []
        rows.append(row)
    names = list(rows[0])[1:]
    tables = [
        markdown_table(pd.DataFrame(rows)[["group", *names[start : start + _NUMBERS]]])
        for start in range(0, len(names), _NUMBERS)
    ]
    words = [
        f"Each group against **{base.label}**; p values are two-sided and not corrected for "
        "the number of tests."
    ]
    if "sign" in kinds:
        words.append(
            "Sign test of the pairs of runs with the same seed: in brackets, in how many of the "
            "pairs that are not equal the group is better (without a direction: larger)."
        )
    if "sign" in kinds and max(pairs) < _FEW_PAIRS:
        words.append(
            f"With {max(pairs)} pairs p is at least {2 / 2 ** max(pairs):.2g}, whatever the "
            f"difference: take {_FEW_PAIRS} seeds or more, or `--test=rank`."
        )
    if "rank" in kinds:
        words.append(
            "Rank test of Mann, Whitney and Wilcoxon, without pairs: in brackets, the numbers of "
            "values of both groups."
        )
    return "\n\n".join([" ".join(words), *tables])


def _run_table(comparison: Comparison) -> str:
    rows = []
    for group in comparison.groups:
        for run in group.runs:
            row = {"run": run.name, "seed": "-" if run.seed is None else str(run.seed)}
            row |= {
                "state": run.state,
                "steps": str(run.steps),
                "CPU s": _spread([run.cpu_seconds]),
            }
            for name in comparison.metrics[:_NUMBERS]:
                number = None if run.record is None else run.record.metrics.get(name)
                row[arrow(name)] = (
                    "-" if number is None else _with_interval(number.value, number.interval)
                )
            rows.append(row)
    return "\n\n".join(
        [markdown_table(pd.DataFrame(rows)), "With the 95 % interval of the record."]
        if comparison.metrics
        else [markdown_table(pd.DataFrame(rows))]
    )


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.3g}" + ("" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]")


def _run_parts(run: RecordedRun) -> list[Part]:
    record = run.record
    facts = {
        "model": shown(run.settings.get("model")),
        "data": f"{shown(run.settings.get('source'))}, split {shown(run.settings.get('split'))}",
        "state": run.state,
        "steps": str(run.steps),
        "CPU seconds of the steps": _spread([run.cpu_seconds]),
        "seconds": _spread([run.seconds]),
        "seed": shown(run.seed),
        "tfgans, TensorFlow, Keras": ", ".join(
            run.versions.get(name, "-") for name in ("tfgans", "tensorflow", "keras")
        ),
    }
    parts = [Part(markdown_table(pd.DataFrame({"run": facts.keys(), "": facts.values()})))]
    parts += [Part("## Doctor"), Part(_findings(run)), Part("## Record")]
    if record is None:
        command = evaluate_command(run, like=None)
        parts.append(Part(f"None yet; add it by:\n\n```bash\n{command}\n```"))
    else:
        rows = [
            {
                "metric": arrow(name),
                "value": f"{number.value:.4g}",
                "95 % interval": "-"
                if number.interval is None
                else "{:.4g} to {:.4g}".format(*number.interval),
                "real": number.num_real,
                "generated": number.num_fake,
            }
            for name, number in record.metrics.items()
        ]
        stale = Comparison([run]).stale_records()
        parts.append(Part("\n\n".join([_protocol(Comparison([run])), *stale])))
        parts.append(Part(markdown_table(pd.DataFrame(rows))))
    settings = {name: shown(value) for name, value in run.settings.items()}
    table = pd.DataFrame({"setting": settings.keys(), "value": settings.values()})
    return [*parts, Part("## Settings"), Part(markdown_table(table))]


def _findings(run: RecordedRun) -> str:
    if not run.has_doctor:
        return "No doctor checked this run (`--doctor_every`)."
    if not len(run.findings):
        checks = run.readings["step"]
        last = f", the last at step {checks.iloc[-1]:.0f}" if len(checks) else ""
        return f"No finding in {_count(len(checks), 'check')}{last}."
    table = run.findings.astype({"step": int, "rollbacks": int})
    return markdown_table(table)


def _figures(pictures: dict[str, bytes], drawn: dict[str, tuple[Figure | None, str]]) -> list[Part]:
    """Adds figures to the pictures, and returns the parts that show them."""
    parts = []
    for name, (figure, caption) in drawn.items():
        if figure is not None:
            pictures[name] = document.svg(figure, salt=name)
            parts.append(
                Part(
                    f"![{name}]({name}.png)\n\n*{caption}*"
                    if caption
                    else f"![{name}]({name}.png)",
                    False,
                )
            )
    return parts


def _grids(comparison: Comparison, pictures: dict[str, bytes]) -> list[Part]:
    words, pictured = figures.samples(comparison)
    if not pictured:
        return []
    listed = []
    for place, (group, run, grid) in enumerate(pictured):
        name = f"samples-{place}"
        pictures[name] = grid.path.read_bytes()
        listed.append((name, f"{group.label or run.name}: seed {run.seed}, step {grid.step}"))
    return [
        Part("## Samples", False),
        Part(f"Of the first seed of each group, {words}.", False),
        Part(_side_by_side(listed), False),
    ]


def _side_by_side(pictures: Sequence[tuple[str, str]]) -> str:
    """Returns pictures with captions side by side, as HTML."""
    shown_pictures = [
        f'<figure><img src="{name}.png" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for name, caption in pictures
    ]
    return f'<div class="pictures">{"".join(shown_pictures)}</div>'


def _details(title: str, text: str) -> str:
    """Returns text that a click opens, as HTML."""
    return f'<details markdown="1"><summary>{html.escape(title)}</summary>\n\n{text}\n\n</details>'


def _count(num: int, noun: str) -> str:
    return f"{num} {noun}" + "s" * (num != 1)
