"""The names of classes, as pictures and pages show them, and the lookup of a class by its name."""

import difflib
import unicodedata
from collections.abc import Sequence
from typing import Any

from tfgans import checks

# Names in an error.
_NUM_LISTED = 20


def fill(num_classes: int, class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns a name for each of `num_classes` classes: its number if it has no other.

    Args:
        num_classes: Int of at least 1.
        class_names: Names of the classes 0, 1, ..., at most `num_classes`; or None.

    Raises:
        ValueError: If these are no strings, there are too many, or two are equal, also a name and
            the number of a class without a name.
    """
    names = () if class_names is None else tuple(class_names)
    is_text = not isinstance(class_names, str) and all(isinstance(name, str) for name in names)
    if not is_text or len(names) > num_classes or len(set(names)) < len(names):
        raise ValueError(
            f"`class_names` must be different strings, at most as many as the {num_classes} "
            f"classes. Received: {checks.short(class_names)}"
        )
    filled = (*names, *map(str, range(len(names), num_classes)))
    repeated = next((name for name in names if name in filled[len(names) :]), None)
    if repeated is not None:
        raise ValueError(
            f"Class {repeated} has no name, and {repeated!r} is the name of class "
            f"{names.index(repeated)}. Received: {checks.short(class_names)}. Name all "
            f"{num_classes} classes in `class_names`"
        )
    return filled


def check_order(
    place: str, class_names: Sequence[str] | None, expected: Sequence[str] | None
) -> None:
    """Raises ValueError if two datasets number the classes that both name differently.

    Args:
        place: The dataset, for the error.
        class_names: The names of its classes 0, 1, ..., or None if they have no names.
        expected: The names of the model's classes, in the same form.
    """
    pairs = zip(class_names or (), expected or (), strict=False)
    if all(name == other for name, other in pairs):
        return
    raise ValueError(
        f"The classes of {place} must be those of the training data, in the same order: "
        f"{checks.short(expected)}. Received: {checks.short(class_names)}. Give each "
        "split a folder for each class, or name the classes in dataset.json"
    )


def number(label: Any, class_names: Sequence[str] | None) -> int:
    """Returns the number of the class that `label` names: its name, else its number as text.

    Accented letters match however they are encoded: file names of macOS spell them in two codes.

    Args:
        label: String.
        class_names: Names of the classes 0, 1, ..., or None if they have no names.

    Raises:
        ValueError: If it is neither; up to 20 of the names are listed.
    """
    names = tuple(class_names or ())
    composed = [unicodedata.normalize("NFC", name) for name in names]
    label = unicodedata.normalize("NFC", label) if isinstance(label, str) else label
    if label in composed:
        return composed.index(label)
    if isinstance(label, str) and label.isascii() and label.isdigit():
        return int(label)
    listed = [repr(name) if "," in name else name for name in names[:_NUM_LISTED]]
    if len(names) > _NUM_LISTED:
        listed.append("...")
    known = f": {', '.join(listed)}" if names else ". These classes have no names"
    close = difflib.get_close_matches(str(label), composed, n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"A class must be a number from 0 on, or a name{known}. "
        f"Received: {checks.short(label)}{hint}"
    )
