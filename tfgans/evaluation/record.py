"""Records of evaluations: how they are made, written, read and shown."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from tfgans import checks, files
from tfgans.evaluation.intervals import CONFIDENCE
from tfgans.versions import versions

FORMAT = 1


def make(
    measured: dict[str, Any], protocol: dict[str, Any], fake: dict[str, Any], dim: int | None
) -> dict[str, Any]:
    """Returns the record of what was measured, as JSON values.

    Args:
        measured: Numbers by name.
        protocol: What `Evaluator.protocol` returns.
        fake: What made the examples.
        dim: Of a feature.
    """
    return {
        "format": FORMAT,
        "metrics": measured,
        "confidence": CONFIDENCE,
        "seed": protocol["seed"],
        "real": protocol["real"],
        "fake": fake,
        "extractor": protocol["extractor"] | {"dim": dim},
        "versions": versions(),
    }


def write(path: str | os.PathLike[str], record: dict[str, Any]) -> None:
    """Writes a record as JSON, whole or not at all."""
    files.write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns a record that `evaluate` wrote.

    Raises:
        ValueError: If the file holds none.
        OSError: If it cannot be read.
    """
    try:
        return checked(json.loads(files.path(path).read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no record of `tfgans.evaluation.evaluate`: {error}") from error


def checked(record: Any) -> dict[str, Any]:
    """Returns the record, or raises ValueError if it is none."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(
            f"A record of `tfgans.evaluation.evaluate` must have the format {FORMAT}. Received: "
            f"{checks.short(record)}"
        )
    parts = ("extractor", "fake", "metrics", "real", "versions")
    lacking = [name for name in parts if not isinstance(record.get(name), dict)]
    if lacking:
        raise ValueError(f"A record must have the parts {', '.join(lacking)}. They are missing")
    return record


def table(record: dict[str, Any]) -> str:
    """Returns the numbers of a record and what they rest on, as text for a terminal."""
    rows = [("metric", "value", f"{record['confidence']:.0%} interval", "real", "fake", "error by")]
    for name, found in record["metrics"].items():
        interval = found["interval"]
        low_high = "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
        counts = f"{found['num_real']}", f"{found['num_fake']}"
        rows.append((name, f"{found['value']:.4g}", low_high, *counts, found["how"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    real, fake, extractor = record["real"], record["fake"], record["extractor"]
    left_out = {"checksum", "class_shares"} | (
        {"classes"} if fake.get("classes") is None else set()
    )
    made = ", ".join(f"{name} {value}" for name, value in fake.items() if name not in left_out)
    return "\n".join(
        [
            *lines,
            "",
            f"real       {real['source']}, split {real['split']}, shape {real['data_shape']}",
            f"fake       {made}",
            f"extractor  {extractor['name']}, resizing {extractor['resizing']}, checksum "
            f"{(extractor['checksum'] or 'unknown')[:16]}",
        ]
    )


@contextlib.contextmanager
def progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[int, str], None]]:
    """Yields a function (examples done, what is being done) that moves a bar on stderr."""
    if not shown:
        yield lambda *_: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="example", dynamic_ncols=True) as bar:

        def advance(count: int, doing: str) -> None:
            bar.set_description(doing, refresh=False)
            bar.update(count)

        yield advance
