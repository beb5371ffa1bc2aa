"""The model card of an export: origin, quality, versions and checksums."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from tfgans.export.signatures import Signature
from tfgans.versions import versions

CARD = Path("assets.extra", "model_card.json")


def write_card(
    folder: Path, signatures: Mapping[str, Signature], entries: Mapping[str, object]
) -> None:
    """Writes model_card.json into a SavedModel whose other files are complete.

    Args:
        folder: The SavedModel.
        signatures: The card lists their inputs.
        entries: JSON values by name, say the scores of an evaluation.
    """
    generated = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "signatures": {name: _inputs(specs) for name, (_, specs) in signatures.items()},
        "versions": versions(),
        "checksums": checksums(folder),
    }
    path = folder / CARD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**entries, **generated}, indent=2) + "\n", encoding="utf-8")


def checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file of a SavedModel except its card, by relative path."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix(): hashlib.sha256((folder / path).read_bytes()).hexdigest()
        for path in files
        if path != CARD
    }


def _inputs(specs: list[tf.TensorSpec]) -> dict[str, str]:
    shapes = {
        spec.name: ["batch" if size is None else size for size in spec.shape] for spec in specs
    }
    return {
        spec.name: f"{spec.dtype.name} [{', '.join(map(str, shapes[spec.name]))}]" for spec in specs
    }
