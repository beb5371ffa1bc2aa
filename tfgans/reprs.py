"""Formats objects by their constructor arguments."""

import inspect
import os
from typing import Any

from tfgans import checks


class SettingsRepr:
    """Adds a `repr` with the constructor arguments: `Ring(num_modes=8, radius=1.0)`.

    Reads each argument from the attribute of the same name, or of that name with an underscore
    before. Leaves out arguments that are None or have no attribute. Shows long arrays by shape and
    dtype.
    """

    def __repr__(self) -> str:
        settings = [f"{name}={_shown(value)}" for name, value in self._settings().items()]
        return f"{type(self).__name__.lstrip('_')}({', '.join(settings)})"

    def _settings(self) -> dict[str, Any]:
        """Returns the arguments to show, by name."""
        names = inspect.signature(type(self)).parameters
        values = {name: getattr(self, name, getattr(self, f"_{name}", None)) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def _shown(value: Any) -> str:
    if isinstance(value, SettingsRepr):
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    text = checks.short(value)
    return f"<{text}>" if text.startswith("array of shape") else text
