"""What travels with an export: how it was made, how good it was, and what it is to the bit."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfgans.export.signatures import Signature
from tfgans.versions import versions

CARD = Path("assets.extra", "model_card.json")


def write_card(folder: Path, signatures: Mapping[str, Signature], given: Mapping[str, Any]) -> None:
    """Writes model_card.json into a SavedModel whose other files are finished.

    Args:
        folder: The SavedModel.
        signatures: Their inputs are told.
        given: What the caller tells of the model, as JSON values by name.
    """
    own = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "signatures": {name: _inputs(specs) for name, (_, specs) in signatures.items()},
        "versions": versions(),
        "checksums": checksums(folder),
    }
    path = folder / CARD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**given, **own}, indent=2) + "\n", encoding="utf-8")


def checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file of a SavedModel, but for its card, by its path in there."""
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
