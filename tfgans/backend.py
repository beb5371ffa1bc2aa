"""Raises ImportError if the backend of Keras is not TensorFlow, before an import of Keras fails."""

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

# These modules, and those below them, need neither Keras nor TensorFlow: the client works in a
# program that uses JAX, and `tfgans --help` answers without the import of TensorFlow.
_ANY_BACKEND = (
    *("tfgans.backend.", "tfgans.checks.", "tfgans.class_names.", "tfgans.cli."),
    "tfgans.serving.client.",
)


def chosen() -> tuple[str, str]:
    """Returns the name of the Keras backend, and the setting that chose it.

    Reads the backend from Keras if Keras is imported. Otherwise follows Keras's rules: the
    environment variable `KERAS_BACKEND`, then the file keras.json, then TensorFlow.
    """
    if (keras := sys.modules.get("keras")) is not None:
        return keras.config.backend(), "the imported keras"
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "KERAS_BACKEND"
    file = _keras_folder() / "keras.json"
    try:
        settings = json.loads(file.read_text())
    except (OSError, ValueError):  # Keras uses its default, or reports the file itself.
        settings = {}
    return settings.get("backend", "tensorflow"), str(file)


def check() -> None:
    """Raises ImportError unless the backend of Keras is TensorFlow."""
    name, place = chosen()
    if name != "tensorflow":
        raise ImportError(
            f"tfgans needs the TensorFlow backend of Keras. Received: {name!r} from {place}. Set "
            "KERAS_BACKEND=tensorflow before importing keras"
        )


class BackendCheck(importlib.abc.MetaPathFinder):
    """Checks the backend before the import of each module of tfgans that uses Keras.

    As a finder it finds no module: the next finder of `sys.meta_path` imports it.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (the import system passes all arguments)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns None, or raises ImportError as `check` does."""
        free = fullname == "tfgans.serving" or f"{fullname}.".startswith(_ANY_BACKEND)
        if fullname.startswith("tfgans.") and not free:
            check()
        return None

    @classmethod
    def install(cls) -> None:
        """Inserts the check before all finders, unless it is there."""
        if not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.insert(0, cls())


def _keras_folder() -> Path:
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"]).expanduser()
    home = Path.home()
    # Keras uses /tmp where the home is not writable.
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"  # noqa: S108
