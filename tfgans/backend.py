"""Refuses another backend of Keras than TensorFlow in one sentence, before Keras fails on it."""

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

# They use neither Keras nor TensorFlow: a program that asks a server for samples may use JAX.
_ANY_BACKEND = frozenset(
    {
        "tfgans.backend",
        "tfgans.checks",
        "tfgans.serving",
        "tfgans.serving.client.client",
        "tfgans.serving.client.grpc_transport",
        "tfgans.serving.client.inputs",
        "tfgans.serving.client.rest",
        "tfgans.serving.client.rest_format",
        "tfgans.serving.client.transport",
    }
)


def chosen() -> tuple[str, str]:
    """Returns the name of Keras's backend, and where it was chosen.

    Once Keras is imported, the name is what it runs on; before, what it would choose by
    `KERAS_BACKEND` or, without it, by its file keras.json.
    """
    if (keras := sys.modules.get("keras")) is not None:
        return keras.config.backend(), "the imported keras"
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "KERAS_BACKEND"
    file = _keras_folder() / "keras.json"
    try:
        settings = json.loads(file.read_text())
    except (OSError, ValueError):  # Keras then takes its default, or tells of the file itself.
        settings = {}
    return settings.get("backend", "tensorflow"), str(file)


def check() -> None:
    """Raises ImportError unless Keras runs on TensorFlow, or will when it is imported."""
    name, place = chosen()
    if name != "tensorflow":
        raise ImportError(
            f"tfgans needs the TensorFlow backend of Keras, received {name!r} from {place}: set "
            "KERAS_BACKEND=tensorflow before importing keras"
        )


class BackendCheck(importlib.abc.MetaPathFinder):
    """Checks the backend before a module of tfgans is imported that uses Keras; finds none."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (Python calls it with all three)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns None, or raises ImportError as `check` does."""
        if fullname.startswith("tfgans.cli"):
            return None  # The commands, whose help works with any backend.
        if fullname.startswith("tfgans.") and fullname not in _ANY_BACKEND:
            check()
        return None

    @classmethod
    def install(cls) -> None:
        """Puts the check before all finders of modules, once."""
        if not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.insert(0, cls())


def _keras_folder() -> Path:
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"]).expanduser()
    home = Path.home()
    # As Keras does, which has its file there where the home cannot be written.
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"  # noqa: S108
