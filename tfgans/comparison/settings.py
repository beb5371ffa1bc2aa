"""Which settings tell groups of runs apart."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

# A JSON value that is no object.
Value: TypeAlias = bool | int | float | str | list["Value"] | None

ABSENT = "-"
_LONGEST_VALUE = 40
# What `tfgans.training.settings.describe` computes from a network, whatever makes the difference.
_COMPUTED = ("parameters", "architecture")


def flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, Value]:
    """Returns settings with dotted names in place of objects in objects.

    An object of Keras, `{"class_name": ..., "config": {...}}`, is its class, and the entries of its
    config follow under its name.

    Example:

    >>> from tfgans.comparison.settings import flatten
    >>> flatten({"penalty": {"class_name": "R1Penalty", "config": {"weight": 2.0}}})
    {'penalty': 'R1Penalty', 'penalty.weight': 2.0}
    """
    flat: dict[str, Value] = {}
    for key, value in settings.items():
        name, parts = f"{prefix}{key}", value
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            parts = {str(index): item for index, item in enumerate(value)}
        if isinstance(parts, dict) and isinstance(parts.get("config"), dict):
            flat[name] = str(parts.get("class_name"))
            parts = parts["config"]
        if isinstance(parts, dict):
            flat |= flatten(parts, f"{name}.")
        else:
            flat[name] = parts  # type: ignore[assignment]
    return flat


def canonical(value: Value) -> str:
    """Returns a text that two values share if they are the same setting, such as 2 and 2.0."""
    if isinstance(value, list):
        return f"[{', '.join(map(canonical, value))}]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value)


def is_seed(name: str) -> bool:
    """Returns whether a setting is a seed, which makes no difference but by chance."""
    return _last_part(name).endswith(("seed", "seeds"))


def shown(value: Value) -> str:
    """Returns a setting as a short text."""
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def differing(groups: Sequence[Mapping[str, Value]]) -> dict[str, list[str]]:
    """Returns the settings that are not the same in all groups: their values by short name.

    A setting that is None counts as absent. Settings with equal values in every group and the same
    last part of their name, such as the learning rates of both players, are merged into one. A name
    is shortened to its last part if no other setting ends with it: the learning rate of the
    generator alone keeps its whole name.

    Args:
        groups: The settings of each group.
    """
    names = list(dict.fromkeys(name for settings in groups for name in settings))
    values = {name: [settings.get(name) for settings in groups] for name in names}
    merged: dict[tuple[str, str], str] = {}
    for name in names:
        if not is_seed(name) and len(set(map(canonical, values[name]))) > 1:
            merged.setdefault((_last_part(name), _key(values[name])), name)
    kinds: dict[str, set[str]] = {}
    for name in names:
        if any(value is not None for value in values[name]):
            kinds.setdefault(_last_part(name), set()).add(_key(values[name]))
    return {
        (last if len(kinds[last]) == 1 else name): _told_apart(values[name])
        for (last, _), name in merged.items()
    }


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def _key(values: Sequence[Value]) -> str:
    """Returns a text that is the same for the same values in all groups."""
    return repr(list(map(canonical, values)))


def _told_apart(values: Sequence[Value]) -> list[str]:
    """Returns values as texts, short ones unless different values would have the same."""
    short = [shown(value) for value in values]
    if len(set(short)) == len(set(map(canonical, values))):
        return short
    whole = [ABSENT if value is None else str(value) for value in values]
    if len(set(whole)) == len(set(map(canonical, values))):
        return whole
    return [ABSENT if value is None else repr(value) for value in values]


def distinguishing(
    settings: Mapping[str, Sequence[str]], flags: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Returns what tells all groups apart: the flags that differ, and as few settings as needed.

    All flags that are passed are kept, since the user has chosen them. Settings are added only
    while they separate groups that are still equal: first those with the most different values, and
    last those that are computed from others.

    Args:
        settings: Values of the groups by setting, as of `differing`.
        flags: Values of the groups by flag, of flags that are not the same in all groups.

    Example:

    >>> from tfgans.comparison.settings import distinguishing
    >>> distinguishing({"model": ["GAN", "WGAN", "WGAN"], "critics": ["1", "5", "5"]}, {})
    {'model': ['GAN', 'WGAN', 'WGAN']}
    """
    order = list(settings)

    def rank(name: str) -> tuple[bool, int, int]:
        is_computed = _last_part(name) in _COMPUTED
        return is_computed, -len(set(settings[name])), order.index(name)

    chosen = dict(flags)
    for name in sorted(settings, key=rank):
        cells = set(zip(*chosen.values(), strict=True))
        more = set(zip(*chosen.values(), settings[name], strict=True))
        if len(more) > len(cells):
            chosen[name] = settings[name]
    # The model first, as in `run.json`.
    return dict(sorted(chosen.items(), key=lambda item: item[0] not in order))
