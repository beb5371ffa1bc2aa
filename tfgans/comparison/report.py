"""Writes what is known of runs as Markdown, CSV and an HTML page that needs no other file."""

import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from tfgans import files
from tfgans.callbacks.symptoms import cure
from tfgans.comparison import figures
from tfgans.comparison.comparison import (
    Comparison,
    Group,
    abbreviated,
    common_settings,
    evaluate_command,
)
from tfgans.comparison.figures import arrow
from tfgans.comparison.recorded_run import RecordedRun
from tfgans.comparison.settings import ABSENT, Value, shown
from tfgans.evaluation import quantity_of
from tfgans.reports import document
from tfgans.reports.document import as_code, escape, escape_sentence, markdown_table
from tfgans.reports.seeds import LEVEL

# Characters in a row of a table of groups; more columns are in the next table.
_TABLE_WIDTH = 160
# Counts and seconds from here on are shown without decimals.
_SMALL = 10
# Numbers in the table of runs.
_NUM_IN_RUNS = 4
# The fewest pairs with which the sign test can reach p < 0.05, and the fewest values in each of two
# groups with which the rank test can.
_FEW_PAIRS, _FEW_VALUES = 6, 4
# A picture that is as many times as wide as high takes the whole width.
_WIDE = 2.5
_INTERVALS = (
    "Each number is the median over the seeds with its 95 % interval by order statistics, which "
    "for six to eight seeds is their range. With fewer seeds there is no such interval: the "
    "brackets then hold the range, which contains the median of all training runs with a "
    "probability of 94 % (5 seeds) or less (75 % for 3 seeds). For a single seed, they hold the "
    "95 % interval of its record, which does not include the differences between training runs. "
    "An arrow shows the direction of a better generator; the best median is bold."
)
_CPU = (
    "CPU seconds are those of the training steps, of all threads, without evaluations, pictures "
    "and backups. Steps and CPU seconds of several runs are the median and the range."
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
        parts = (part.text for part in self.parts if part.in_text)
        return "\n\n".join([f"# {escape(self.title)}", *parts])

    def write(self, folder: Path) -> None:
        """Writes `report.md` and `report.html`."""
        whole = "\n\n".join([f"# {escape(self.title)}", *(part.text for part in self.parts)])
        files.write_text(folder / "report.md", self.text + "\n")
        page = document.page(self.title, whole, self.pictures, numbers=True)
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
    reference = escape(comparison.reference_label)
    dashed = "" if comparison.reference is None else f" Dashed: {reference}."
    overview = _figures(
        pictures,
        {
            "seeds": (
                figures.seeds(comparison),
                f"Each point is a run, the line is the median of the group.{dashed}",
            ),
            "precision-recall": (figures.precision_recall(comparison), "Each point is a run."),
        },
    )
    curves = _figures(
        pictures,
        {
            "metrics": (
                figures.metric_curves(comparison),
                "Evaluations during training: median and range of the runs that have the step.",
            ),
            "losses": (
                figures.log_curves(comparison),
                "Means over the steps of a row of the log: median and range of the runs that have "
                "it.",
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
            "metrics": (figures.metric_curves(alone), "Evaluations during training."),
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
        frames, damage = figures.frames(run.grids)
        samples = [Part("## Samples", False)]
        if frames:
            first, last = frames[0].grid, frames[-1].grid
            pictures["last"] = last.path.read_bytes()
            pictured = [("last", f"step {last.step}")]
            if len(frames) > 1:
                pictures["samples"] = figures.animation(frames)
                steps = f"steps {first.step} to {last.step}, the same latents"
                pictured.insert(0, ("samples", steps))
            samples.append(Part(_side_by_side(pictured, pictures), False))
        samples += [Part(_list(damage), False)] if damage else []
    parts[1:1] = [*samples, *([Part("## Curves", False)] if curves else []), *curves]
    return Report(run.name, tuple(parts), pictures)


def _title(comparison: Comparison) -> str:
    runs, groups = len(comparison.runs), len(comparison.groups)
    told = list(comparison.groups[0].values)
    by = f" by {', '.join(told)}" if told else ""
    return f"{_count(runs, 'run')} in {_count(groups, 'group')}{by}"


def _comparison_parts(comparison: Comparison, command: str) -> list[Part]:
    record = comparison.record
    first, more = _group_tables(comparison)
    parts = [Part(_protocol(comparison)), Part(first)]
    parts += [Part("## More numbers"), Part(more)] if more else []
    tested = [name for name in comparison.metrics if not _is_of_real(name)]
    tests = _tests(comparison, tested)
    parts += [Part("## Tests"), Part(tests)] if tests else []
    parts += _damage(comparison.damage())
    missing, lost = comparison.missing_records(), comparison.without_model()
    if missing or lost:
        parts.append(Part("## Runs without a record"))
    if missing:
        commands = "\n".join(["```bash", *missing, "```"])
        some = "No run has" if record is None else "These runs have no"
        words = f"{some} numbers from `tfgans evaluate` yet; these commands add them:"
        parts.append(Part(f"{words}\n\n{commands}"))
    if lost:
        words = "These runs have no record, and no model that could be evaluated:"
        parts.append(Part(f"{words}\n\n{_list(lost)}"))
    notes = [*comparison.notes, *comparison.stale_records(), *comparison.repeated]
    if notes:
        parts += [Part("## Notes"), Part(_list(notes))]
    parts += [Part("## Runs"), Part(_run_table(comparison))]
    if comparison.settings:
        parts += [Part("## Settings that differ"), Part(_differences(comparison))]
    details = _details(
        "Settings that all runs share", _setting_table(common_settings(comparison.runs))
    )
    parts.append(Part(details, False))
    if command:
        parts.append(Part(f"Made by {as_code(command)}."))
    return parts


def _damage(sentences: Sequence[str]) -> list[Part]:
    """Returns the part on files that cannot be read; nothing if there are none."""
    return [Part("## Damaged files"), Part(_list(sentences))] if sentences else []


def _list(texts: Sequence[str]) -> str:
    """Returns a list of texts in Markdown."""
    return "\n".join(f"- {escape_sentence(text)}" for text in texts)


def _differences(comparison: Comparison) -> str:
    """Returns a table of the settings that differ: a row a setting, a column a group."""
    names = ["setting", *(escape(group.label) for group in comparison.groups)]
    rows = [
        [escape(cell) for cell in (name, *values)] for name, values in comparison.settings.items()
    ]
    table = markdown_table(pd.DataFrame(rows, columns=names), escaped=True)
    return f"`{ABSENT}` stands for a setting that a group does not have.\n\n{table}"


def _setting_table(settings: Mapping[str, Value]) -> str:
    """Returns a table of settings, without those that are not set."""
    rows = [
        {"setting": escape(name), "value": escape(shown(value))}
        for name, value in settings.items()
        if value is not None
    ]
    return markdown_table(pd.DataFrame(rows, columns=["setting", "value"]), escaped=True)


def _protocol(comparison: Comparison) -> str:
    record = comparison.record
    if record is None:
        return "No run has a record, so there are no numbers yet."
    each = "each" if len(comparison.runs) > 1 else "the"
    last = f"the last evaluation of {each} training (`evaluation.csv`)"
    made = "`tfgans evaluate`"
    if len(comparison.in_training) == len(comparison.records):
        made = last
    elif comparison.in_training:
        made += f" and, of {_count(len(comparison.in_training), 'run')}, {last}"
    real, fake, extractor = record.real, record.fake, record.extractor
    accuracy = f", right on {extractor['accuracy']:.1%}" if "accuracy" in extractor else ""
    source, split, name = (
        escape(str(value)) for value in (real["source"], real["split"], extractor["name"])
    )
    seeds = [*map(str, sorted({each.seed for each in comparison.records.values()}))]
    return (
        f"Measured by {made} on {source}, split {split}: "
        f"{fake['num_examples']} generated against {real['num_examples']} real examples, features "
        f"of {name}{accuracy}, evaluation seed{'s' * (len(seeds) > 1)} {abbreviated(seeds)}."
        + " All records have this protocol, the same data and the same version of tfgans."
        * (len(comparison.records) > 1)
    )


def _group_tables(comparison: Comparison) -> tuple[str, str]:
    """Returns the groups with their first numbers, and tables with the others."""
    leading = [
        {
            escape(name): escape(value)
            for name, value in (group.columns or {"group": "all runs"}).items()
        }
        | {"seeds": _seeds_of(comparison, group)}
        for group in comparison.groups
    ]
    spent = [
        {
            "steps": _spread([run.steps for run in group.runs]),
            "CPU s": _spread([run.cpu_seconds for run in group.runs]),
        }
        for group in comparison.groups
    ]
    best = {name: comparison.best(name) for name in comparison.metrics}
    numbers = [
        {
            _heading(name): _cell(comparison, group, name, is_best=group in best[name])
            for name in comparison.metrics
        }
        for group in comparison.groups
    ]
    rows = [before | after for before, after in zip(spent, numbers, strict=True)]
    words = [_INTERVALS, _CPU] if comparison.metrics else [_CPU]
    if comparison.reference is not None:
        leading.append(
            dict.fromkeys(leading[0], "-") | {next(iter(leading[0])): _reference(comparison)}
        )
        rows.append(dict.fromkeys(rows[0], "-") | _reference_numbers(comparison))
    first, *more = _tables(leading, rows)
    return "\n\n".join([first, " ".join(words)]), "\n\n".join(more)


def _reference(comparison: Comparison) -> str:
    return f"*{escape(comparison.reference_label)}*"


def _heading(name: str) -> str:
    """Returns the head of the column of a number."""
    return escape(arrow(name))


def _reference_numbers(comparison: Comparison) -> dict[str, str]:
    """Returns the cells of the row of the reference, as far as it has the numbers."""
    reference = comparison.reference
    known = {} if reference is None else reference.metrics
    return {
        _heading(name): _with_interval(known[name].value, known[name].interval)
        for name in comparison.metrics
        if name in known
    }


def _tables(leading: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns Markdown tables of limited width, of which each begins with the leading columns.

    Args:
        leading: Names and cells of the leading columns of each row, in Markdown.
        rows: Those of the other columns.
    """
    first = pd.DataFrame(leading)
    blocks: list[list[str]] = [[]]
    start = width = sum(_width(first[name]) for name in first)
    table = pd.DataFrame(rows)
    for name in table:
        column = _width(table[name])
        if blocks[-1] and width + column > _TABLE_WIDTH:
            blocks.append([])
            width = start
        blocks[-1].append(name)
        width += column
    return [
        markdown_table(pd.concat([first, table[block]], axis=1), escaped=True) for block in blocks
    ]


def _width(column: pd.Series) -> int:
    """Returns the characters of a column, with the space beside it."""
    return max(map(len, [str(column.name), *column.astype(str)])) + 3


def _seeds_of(comparison: Comparison, group: Group) -> str:
    """Returns how many seeds a group has, with the runs that are repetitions or do not count."""
    seeds, runs = len({run.seeds for run in group.runs}), len(group.runs)
    unfinished = sum(run.name in comparison.unfinished for run in group.runs)
    damaged = sum(run.has_damaged_record for run in group.runs)
    lacking = runs - len(group.records) - unfinished - damaged
    stale = sum(comparison.is_stale(run) for run in group.runs if run.name in group.records)
    details = [f"{runs} runs"] * (runs > seeds)
    details += [f"{unfinished} unfinished"] * bool(unfinished)
    details += [f"{damaged} with damaged record"] * bool(damaged)
    details += [f"{lacking} without record"] * bool(lacking)
    details += [f"{stale} evaluated at an earlier step"] * bool(stale)
    return f"{seeds}" + f" ({', '.join(details)})" * bool(details)


def _cell(comparison: Comparison, group: Group, name: str, *, is_best: bool) -> str:
    values = group.numbers(name)
    if not len(values):
        return "-"
    median, low, high = comparison.summary(group, name)
    middle = f"**{median:.3g}**" if is_best else f"{median:.3g}"
    interval = (low, high) if len(values) > 1 else group.interval(name)
    return middle if interval is None else f"{middle} [{interval[0]:.3g}, {interval[1]:.3g}]"


def _spread(values: Sequence[float]) -> str:
    """Returns the median and the range of counts or seconds."""
    known = pd.Series(values, dtype="float64").dropna()
    if not len(known):
        return "-"
    low, middle, high = map(_rounded, (known.min(), known.median(), known.max()))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= _SMALL else f"{value:.2g}"


def _is_of_real(name: str) -> bool:
    """Returns whether a number describes the real examples alone."""
    quantity = quantity_of(name)
    return quantity is not None and quantity.is_of_real


def _tests(comparison: Comparison, names: Sequence[str]) -> str:
    """Returns the tests of numbers against the first group; "" if no other group has any."""
    base, *others = comparison.groups
    tests = [{name: comparison.test(name, group, base) for name in names} for group in others]
    known = [test for row in tests for test in row.values() if test is not None]
    if not known:
        return ""
    kinds = {test.name for test in known}
    tables = _tables(
        [{"group": escape(group.label)} for group in others],
        [
            {_heading(name): "-" if test is None else test.text() for name, test in row.items()}
            for row in tests
        ],
    )
    words = [
        f"Each group against **{escape(base.label)}**; p values are two-sided and not "
        "corrected for the number of tests."
    ]
    if "sign" in kinds:
        words.append(
            "Sign test of the pairs of runs with the same seed: in brackets, in how many of the "
            "pairs that are not equal the group is better (without a direction: larger)."
        )
    if "rank" in kinds:
        words.append(
            "Rank test of Mann, Whitney and Wilcoxon, without pairs: in brackets, the numbers of "
            "values of both groups."
        )
    strongest = min(known, key=lambda test: test.least_p_value)
    if strongest.num[0] and strongest.least_p_value >= LEVEL:
        values = " and ".join(map(str, strongest.num))
        counted = (
            _count(strongest.num[0], "pair") if strongest.name == "sign" else f"{values} values"
        )
        words.append(
            f"With {counted} p is at least {strongest.least_p_value:.2g}, whatever the difference. "
            f"To reach p < {LEVEL}, the sign test needs {_FEW_PAIRS} pairs, and the rank test "
            f"(`--test=rank`) {_FEW_VALUES} values in each group."
        )
    return "\n\n".join([" ".join(words), *tables])


def _run_table(comparison: Comparison) -> str:
    names = [*(run.name for run in comparison.runs), *comparison.absent]
    parents = {os.path.dirname(name) for name in names}
    mixed = "" in parents or len({os.path.isabs(place) for place in parents}) > 1
    parent = "" if mixed else os.path.commonpath(parents)
    rows = []
    for run in (run for group in comparison.groups for run in group.runs):
        record = comparison.records.get(run.name)
        row = {"run": escape(os.path.relpath(run.name, parent or ".")), "seed": shown(run.seed)}
        row |= {"state": escape(run.state), "steps": str(run.steps)}
        row |= {"CPU s": _spread([run.cpu_seconds])}
        numbers = {} if record is None else record.metrics
        for name in comparison.metrics[:_NUM_IN_RUNS]:
            row[_heading(name)] = (
                _with_interval(numbers[name].value, numbers[name].interval)
                if name in numbers
                else "-"
            )
        rows.append(row)
    for name, state in comparison.absent.items():
        rows.append({"run": escape(os.path.relpath(name, parent or ".")), "state": escape(state)})
    words = [f"In {as_code(parent)}."] if parent else []
    if comparison.metrics:
        words.append("Numbers with the 95 % interval of the record; `runs.csv` has all of them.")
    table = markdown_table(pd.DataFrame(rows).fillna("-"), escaped=True)
    return "\n\n".join([" ".join(words), table])


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.3g}" + ("" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]")


def _run_parts(run: RecordedRun) -> list[Part]:
    alone = Comparison([run])
    record = alone.record
    facts = {
        "model": shown(run.settings.get("model")),
        "data": f"{shown(run.settings.get('source'))}, split {shown(run.settings.get('split'))}",
        "state": run.state,
        "steps": str(run.steps),
        "CPU seconds of the steps": _spread([run.cpu_seconds]),
        "seconds": _spread([run.seconds]),
        "doctor": _doctor(run),
        "seed": shown(run.seed),
        "tfgans, TensorFlow, Keras": ", ".join(
            run.versions.get(name, "-") for name in ("tfgans", "tensorflow", "keras")
        ),
    }
    table = pd.DataFrame({"run": facts.keys(), "": map(escape, facts.values())})
    parts = [Part(markdown_table(table, escaped=True)), *_damage([*run.damage.values()])]
    parts += [Part("## Doctor"), Part(_findings(run)), Part("## Record")]
    if record is None and run.has_checkpoint:
        command = evaluate_command(run, like=None)
        parts.append(Part(f"None yet; add it by:\n\n```bash\n{command}\n```"))
    elif record is None:
        parts.append(Part("None, and there is no model that could be evaluated."))
    else:
        rows = [
            {
                "metric": _heading(name),
                "value": f"{number.value:.4g}",
                "95 % interval": "-"
                if number.interval is None
                else "{:.4g} to {:.4g}".format(*number.interval),
            }
            # Evaluations in training do not know how many examples each number is of.
            | (
                {}
                if run.name in alone.in_training
                else {"real": number.num_real, "generated": number.num_fake}
            )
            for name, number in record.metrics.items()
        ]
        parts.append(
            Part("\n\n".join([_protocol(alone), *map(escape_sentence, alone.stale_records())]))
        )
        parts.append(Part(markdown_table(pd.DataFrame(rows), escaped=True)))
    return [*parts, Part("## Settings"), Part(_setting_table(run.settings))]


def _doctor(run: RecordedRun) -> str:
    """Returns how many findings a run has, in words."""
    if not run.has_doctor:
        return "none"
    return "unknown" if run.has_damaged_findings else _count(len(run.findings), "finding")


def _findings(run: RecordedRun) -> str:
    if not run.has_doctor:
        return "No doctor checked this run (`--doctor_every=0`, or a run without `Doctor`)."
    if run.has_damaged_findings:
        return "The findings cannot be read."
    if not len(run.findings):
        checks = run.readings["step"]
        last = f", the last at step {checks.iloc[-1]:.0f}" if len(checks) else ""
        return f"No finding in {_count(len(checks), 'check')}{last}."
    table = run.findings.astype({"step": int, "rollbacks": int})
    table["what may help"] = table["symptom"].map(cure)
    words = ["symptom", "action", "what may help"]
    table[words] = table[words].map(escape_sentence)
    return markdown_table(table, escaped=True)


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
    parts = []
    for words, chosen in figures.samples(comparison).items():
        listed, damage = [], []
        for group, run, grid in chosen:
            caption = f"{group.label or run.name}: seed {run.seed}, step {grid.step}"
            name = f"samples-{len(pictures)}"
            try:
                pictures[name] = figures.thumbnail(grid)
            except ValueError as error:
                damage.append(f"{caption}: {error}")
            else:
                listed.append((name, caption))
        parts += [Part(words, False), Part(_side_by_side(listed, pictures), False)]
        parts += [Part(_list(damage), False)] if damage else []
    if not parts:
        return []
    text = (
        "Samples of the first seed of each group. For a mixture, each row shows one component, "
        "with its weight on the left."
    )
    return [Part("## Samples", False), Part(text, False), *parts]


def _side_by_side(listed: Sequence[tuple[str, str]], pictures: Mapping[str, bytes]) -> str:
    """Returns pictures with captions side by side, wide ones above each other, as HTML."""
    shown_pictures = [
        f'<figure{_kind(pictures[name])}><img src="{name}.png" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for name, caption in listed
    ]
    return f'<div class="pictures">{"".join(shown_pictures)}</div>'


def _kind(picture: bytes) -> str:
    with Image.open(io.BytesIO(picture)) as image:
        width, height = image.size
    return ' class="wide"' if width > _WIDE * height else ""


def _details(title: str, text: str) -> str:
    """Returns text that a click opens, as HTML."""
    return f'<details markdown="1"><summary>{html.escape(title)}</summary>\n\n{text}\n\n</details>'


def _count(num: int, noun: str) -> str:
    return f"{num} {noun}" + "s" * (num != 1)
