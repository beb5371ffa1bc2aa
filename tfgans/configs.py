"""Configs of networks without what does not change their outputs."""

from collections.abc import Callable
from typing import Any

# Settings that Keras counts in a process, or that only its loading reads.
_INCIDENTAL = frozenset({"name", "module", "registered_name", "build_config", "shared_object_id"})
# The settings of a network that refer to layers by name.
_REFERENCES = frozenset({"keras_history", "input_layers", "output_layers"})


def without(config: Any, is_left_out: Callable[[str], bool]) -> Any:
    """Returns a config without some of its settings, at any depth.

    Args:
        config: JSON values.
        is_left_out: Function of the name of a setting.
    """
    if isinstance(config, dict):
        return {
            key: without(value, is_left_out)
            for key, value in config.items()
            if not is_left_out(str(key))
        }
    if isinstance(config, list):
        return [without(value, is_left_out) for value in config]
    return config


def essential(config: Any) -> Any:
    """Returns a config without the settings that do not change the output, at any depth."""
    return without(config, _INCIDENTAL.__contains__)


def renamed(config: Any) -> Any:
    """Returns a network's config without what differs between two builds of the same network."""
    names: dict[str, int] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("name"), str):
                names.setdefault(value["name"], len(names))
            for part in value.values():
                collect(part)
        elif isinstance(value, list | tuple):
            for part in value:
                collect(part)

    def rename(value: Any, refers: bool = False) -> Any:
        if isinstance(value, dict):
            return {
                key: rename(part, refers or key in _REFERENCES)
                for key, part in value.items()
                if key not in _INCIDENTAL
            }
        if isinstance(value, list | tuple):
            return [rename(part, refers) for part in value]
        return names.get(value, value) if refers and isinstance(value, str) else value

    collect(config)
    return rename(config)
