"""One line that says what an object is."""

import inspect
import os
from typing import Any

from tfgans import checks


class SettingsRepr:
    """A `repr` of the arguments that the object was made with: `Ring(num_modes=8, radius=1.0)`.

    It reads them from the attributes of the same names, or with an underscore before; those that
    are None, or have no attribute, are left out. Long arrays are shown by shape and dtype.
    """

    def __repr__(self) -> str:
        settings = [f"{name}={_shown(value)}" for name, value in self._settings().items()]
        return f"{type(self).__name__.lstrip('_')}({', '.join(settings)})"

    def _settings(self) -> dict[str, Any]:
        """Returns what `repr` shows, by name."""
        names = inspect.signature(type(self)).parameters
        found = {name: getattr(self, name, getattr(self, f"_{name}", None)) for name in names}
        return {name: value for name, value in found.items() if value is not None}


def _shown(value: Any) -> str:
    if isinstance(value, SettingsRepr):
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    text = checks.short(value)
    return f"<{text}>" if text.startswith("array of shape") else text
