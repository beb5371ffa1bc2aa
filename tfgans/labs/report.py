"""Writes the report of a lab as Markdown, and as one HTML file that holds the figures."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tfgans import files
from tfgans.labs.lab import Lab
from tfgans.labs.rows import OK
from tfgans.labs.verdicts import Verdict
from tfgans.reports import document
from tfgans.reports.document import markdown_table

_DPI = 120


@dataclasses.dataclass(frozen=True)
class About:
    """The origin of a report.

    Attributes:
        command: The command line.
        quick: Whether the lab ran in its smaller form.
        versions: Versions of the packages that the numbers depend on.
        date: The date of the report.
        num_wanted: Number of runs of as many seeds with all cells.
    """

    command: str
    quick: bool
    versions: Mapping[str, str]
    date: str
    num_wanted: int


def write(
    lab: Lab,
    frame: pd.DataFrame,
    verdicts: Sequence[Verdict],
    about: About,
    folder: Path,
) -> None:
    """Writes `report.md`, `report.html` and each figure as PNG and SVG.

    Args:
        lab: The lab.
        frame: All rows.
        verdicts: One verdict per claim.
        about: The origin of the report.
        folder: The folder to write to.
    """
    good = frame[frame["status"] == OK].reset_index(drop=True)
    pictures, missing = _draw(lab, good, folder) if len(good) else ({}, {})
    text = "\n\n".join(_sections(lab, frame, good, verdicts, about, list(pictures), missing))
    files.write_text(folder / "report.md", text + "\n")
    files.write_text(folder / "report.html", document.page(lab.title, text, pictures))


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Returns the verdicts as a table in Markdown."""
    return markdown_table(
        pd.DataFrame(
            [
                {
                    "claim": verdict.claim.text,
                    "paper": verdict.claim.paper,
                    "measure": verdict.claim.measure,
                    "claimed": verdict.claim.margin or "-",
                    "measured: median [interval]": verdict.measured(),
                    "verdict": f"**{verdict.word}**"
                    + (f" ({verdict.reason})" if verdict.reason else ""),
                }
                for verdict in verdicts
            ]
        )
    )


def _sections(
    lab: Lab,
    frame: pd.DataFrame,
    good: pd.DataFrame,
    verdicts: Sequence[Verdict],
    about: About,
    pictures: Sequence[str],
    missing: Mapping[str, str],
) -> list[str]:
    parts = [f"# {lab.title}"]
    if about.quick:
        parts.append("**A quick run, smaller than the lab: for trying, not for quoting.**")
    if verdicts:
        parts += ["## Verdicts", verdict_table(verdicts), _RULE]
    for name in pictures:
        parts.append(f"![{name}]({name}.png)\n\n*{lab.drawings[name].caption}*")
    parts += [f"*No figure `{name}`: {reason}*" for name, reason in missing.items()]
    for heading, make in lab.tables.items() if len(good) else ():
        try:
            table = make(good)
        except Exception as error:  # As of a figure.
            parts += [f"## {heading}", f"*No table: {_reason(error)}*"]
            continue
        if len(table):
            parts += [f"## {heading}", markdown_table(table)]
    parts += ["## Protocol", lab.protocol.strip(), *_columns(lab), _origin(frame, about)]
    if lab.history:
        parts += ["## Earlier versions", lab.history.strip()]
    failed = frame[frame["status"] != OK]
    if len(failed):
        listed = failed[[*lab.settings(), "seed", "error"]]
        text = (
            "Tracebacks are in `log.txt`. A verdict leaves out the seeds at which a run that it "
            "takes failed. Figures and tables are of the runs that ended well."
        )
        parts += ["## Failed runs", text, markdown_table(listed)]
    return parts


_RULE = (
    "A claim is reproduced if its measure lies beyond the bound at so many seeds that a one-sided "
    "sign test rejects chance at 5 %: all of 5 to 7 seeds, 7 of 8, 9 of 10. Neither verdicts nor "
    "the p values of tables are corrected for their number. The interval is the 95 % one of the "
    "median, by order statistics: of six to eight seeds it is their range; of fewer it is the "
    "range too, which covers less (94 % of 5)."
)


def _columns(lab: Lab) -> list[str]:
    if not lab.measures:
        return []
    lines = [f"- `{name}`: {text}" for name, text in lab.measures.items()]
    return ["\n".join(["Measured in each run (`rows.csv`):", "", *lines])]


def _origin(frame: pd.DataFrame, about: About) -> str:
    known = sorted(set(frame["commit"].astype(str)))
    commits = ", ".join(known) + "; `rows.csv` says which run is of which" * (len(known) > 1)
    versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
    missing = about.num_wanted - len(frame)
    part = f" of the {about.num_wanted} that all cells of these seeds have" if missing > 0 else ""
    ran = (
        f"- {len(frame)} runs{part}, seeds {frame['seed'].min()} to {frame['seed'].max()}, "
        f"{frame['cpu_seconds'].sum():.0f} CPU seconds, a run in one thread\n- Code: {commits}"
    )
    facts = [
        f"- Command: `{about.command}`" if about.command else "",
        ran if len(frame) else "- No runs",
        f"- {versions}",
        f"- {about.date}",
    ]
    return "## Where it comes from\n\n" + "\n".join(fact for fact in facts if fact)


def _draw(lab: Lab, good: pd.DataFrame, folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Writes the figures; returns them as SVG by name, and why there are no others."""
    drawn, missing = {}, {}
    for name, drawing in lab.drawings.items():
        # Rows that a figure needs may not be among these. That must not cost the report.
        try:
            figure = drawing.draw(good)
            drawn[name] = document.svg(figure, salt=lab.name)
        except Exception as error:
            missing[name] = _reason(error)
            continue
        with files.atomic_write(folder / f"{name}.svg") as path:
            path.write_bytes(drawn[name])
        with files.atomic_write(folder / f"{name}.png") as path:
            figure.savefig(path, dpi=_DPI, format="png", bbox_inches="tight")
    return drawn, missing


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
