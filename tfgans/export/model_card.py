"""The model card of an export: origin, quality, limits, versions and checksums."""

import datetime
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks, files, pictures
from tfgans.export.publish import is_saved_model, saved_models
from tfgans.export.signatures import Signature
from tfgans.versions import versions

# What `write_card` adds.
WRITTEN = ("name", "picture", "created", "signatures", "versions", "checksums")
CARD = Path("assets.extra", "model_card.json")
TEXT = Path("assets.extra", "model_card.md")
SAMPLES = Path("assets.extra", "samples.png")
_NUM_SAMPLES = 64
# Text for people and names of classes, which may hold slashes.
_TEXTS = ("license", "limits", "class_names")
# The first name without spaces: "/ or /" and "~5 % black/white" are text.
_ABSOLUTE_PATH = re.compile(r"/+[^/\s]+(/.*)?|~([A-Za-z_][\w.-]*)?/.*")
# Settings that tell little about a model, or that another entry has.
_HIDDEN_SETTINGS = {
    *("model", "num_classes", "source", "split", "num_examples", "data_shape", "data"),
}
_LIMITS = (
    "Samples follow the training data, with its gaps and biases. They do not depict anything that "
    "exists, except that they may repeat training examples.",
    "The metrics hold only for the data, the extractor and the numbers of examples that are stated "
    "with them.",
    "The discriminator is not part of the export: served samples are not refined by it.",
)


def check_entries(entries: Mapping[str, object]) -> None:
    """Raises ValueError unless the entries of a card can be written and shown.

    Args:
        entries: Values by name, see `export_generator`.
    """
    if not isinstance(entries, Mapping):
        raise ValueError(
            f"`card` must be a dictionary of JSON values by name. Received: {checks.short(entries)}"
        )
    try:
        json.dumps(entries, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`card` must hold JSON values. Received: {error}") from error
    reserved = sorted(entries.keys() & set(WRITTEN))
    if reserved:
        raise ValueError(
            f"`card` must not have the entries that every card has. Received: {', '.join(reserved)}"
        )
    limits = entries.get("limits") or []
    if not isinstance(limits, list | tuple) or not all(isinstance(text, str) for text in limits):
        raise ValueError(
            "The entry 'limits' of `card` must be a list of strings. Received: "
            f"{checks.short(limits)}"
        )
    try:
        card_text({**{name: {} for name in WRITTEN}, **entries})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "The entries 'model', 'run' and 'evaluation' of `card` must be as `tfgans export` "
            f"writes them: the last is `Record.to_dict()`. Received: {error!r}"
        ) from error


def write_card(
    folder: Path,
    signatures: Mapping[str, Signature],
    entries: Mapping[str, object],
    *,
    name: str,
    samples: np.ndarray,
) -> None:
    """Writes the card of a SavedModel whose other files are complete: as JSON and as Markdown.

    Strings that are absolute paths are cut to their last part, those of data too:
    `folder:/home/me/cats` becomes `folder:cats`. The entries "license" and "limits" and the names
    of classes stay as they are.

    Args:
        folder: The SavedModel.
        signatures: The card lists their inputs.
        entries: JSON values by name, say the scores of an evaluation.
        name: String, the name of the model.
        samples: Float32 [num, ...], samples of the model for the picture.
    """
    (folder / CARD).parent.mkdir(exist_ok=True)
    # Of vectors and images; there is no picture of other examples.
    has_picture = samples.ndim in (2, 4)
    if has_picture:
        pictures.save_png(folder / SAMPLES, samples)
    card = {
        "name": name,
        **{
            entry: value if entry in _TEXTS else _without_paths(value)
            for entry, value in entries.items()
        },
        "picture": SAMPLES.name if has_picture else None,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "signatures": {key: _inputs(each.inputs) for key, each in signatures.items()},
        "versions": versions(),
        "checksums": checksums(folder),
    }
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / TEXT).write_text(card_text(card), encoding="utf-8")


def sample_seeds() -> tf.Tensor:
    """Returns int64 [num]: the seeds of the samples on a card."""
    return tf.range(_NUM_SAMPLES, dtype=tf.int64)


def read_card(folder: Path) -> dict[str, Any]:
    """Returns the card of a version.

    Raises:
        ValueError: If the folder has no card, or the card is damaged.
    """
    path = folder / CARD
    if not path.is_file():
        raise ValueError(f"{folder} must be an export of tfgans. There is no {CARD}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(card, dict) or not isinstance(card.get("checksums"), dict):
        raise ValueError(f"{path} is damaged: expected a JSON object with checksums")
    return card


def version_folder(path: str | os.PathLike[str]) -> Path:
    """Returns the folder of a version: the path itself, or the newest version below it.

    Raises:
        ValueError: If there is no version.
    """
    folder = files.path(path)
    if is_saved_model(folder):
        return folder
    versions = saved_models(folder) if folder.is_dir() else []
    if not versions:
        raise ValueError(f"{folder} must be an export, or the folder of its versions")
    return versions[-1]


def checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file of a SavedModel except its card, by relative path."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix(): files.sha256(folder / path) for path in paths if path not in (CARD, TEXT)
    }


def card_text(card: Mapping[str, Any]) -> str:
    """Returns a card as Markdown for people.

    Raises:
        ValueError: If the card is of an earlier version of tfgans.
    """
    missing = {"name", "created", "signatures", "versions"} - card.keys()
    if missing:
        raise ValueError(
            "the card is of an earlier version of tfgans: expected the entries "
            f"{', '.join(sorted(missing))} too. Export the model again"
        )
    model, run = card.get("model") or {}, card.get("run") or {}
    names, picture = card.get("class_names"), card.get("picture")
    sections = [
        f"# Model card: {card['name']}",
        *([f"![Samples of the seeds 0 to {_NUM_SAMPLES - 1}]({picture})"] if picture else []),
        "## Model",
        _list(model),
        "## Data",
        _list(_data(run)) if run else "Not recorded.",
        *(["Classes: " + ", ".join(map(str, names)) + "."] if names else []),
        "## Training",
        _list(_training(run)) if run else "Not recorded.",
        "## Evaluation",
        _evaluation(card.get("evaluation")),
        "## License",
        str(card.get("license") or "Not stated: ask the author before you use the model."),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*_LIMITS, *(card.get("limits") or ()))),
        "## Signatures",
        _list({f"`{key}`": inputs for key, inputs in card["signatures"].items()}),
        "## Versions",
        _list({"created": card["created"], **card["versions"]}),
        f"`{CARD.name}` has the checksums; `tfgans verify` checks them.",
    ]
    return "\n\n".join(sections) + "\n"


def _data(run: Mapping[str, Any]) -> dict[str, Any]:
    settings, data = run.get("settings") or {}, run.get("data") or {}
    shown = {key: value for key, value in data.items() if value not in (None, False)}
    kept = ("num_examples", "data_shape")
    shown |= {key: settings[key] for key in kept if settings.get(key) is not None}
    return {**shown, **({"checksum": settings["data"]} if settings.get("data") else {})}


def _training(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.get("class_name", value) if isinstance(value, dict) else value
        for key, value in (run.get("settings") or {}).items()
        if key not in _HIDDEN_SETTINGS and value is not None
    }


def _evaluation(record: Mapping[str, Any] | None) -> str:
    if not record:
        return "Not evaluated. `tfgans evaluate` measures the model."
    lines = ["| metric | value | 95 % interval | real | generated |", "|---|---|---|---|---|"]
    for name, number in record["metrics"].items():
        ends = number["interval"]
        interval = "" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"
        counts = f"{number['num_real']} | {number['num_fake']}"
        lines.append(f"| {name} | {number['value']:.4g} | {interval} | {counts} |")
    protocol = {part: record[part] for part in ("real", "fake", "extractor")}
    return "\n".join(lines) + "\n\nProtocol:\n\n" + _list(protocol)


def _list(entries: Mapping[str, Any]) -> str:
    return "\n".join(f"- {key}: {_value(value)}" for key, value in entries.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list):
        is_shape = all(isinstance(part, int) for part in value)
        listed = (" x " if is_shape else ", ").join(map(str, value))
        return listed if len(value) < 5 else f"{len(value)} values"
    return "none" if value is None else str(value)


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: part if key == "class_names" else _without_paths(part)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_paths(part) for part in value]
    if isinstance(value, str):
        if _ABSOLUTE_PATH.fullmatch(value):
            return Path(value).name
        kind, _, place = value.partition(":")
        # Not the address of a page.
        if kind.isalnum() and _ABSOLUTE_PATH.fullmatch(place) and not place.startswith("//"):
            return f"{kind}:{Path(place).name}"
    return value


def _inputs(specs: list[tf.TensorSpec]) -> dict[str, str]:
    shapes = {
        spec.name: ["batch" if size is None else size for size in spec.shape] for spec in specs
    }
    return {
        spec.name: f"{spec.dtype.name} [{', '.join(map(str, shapes[spec.name]))}]" for spec in specs
    }
