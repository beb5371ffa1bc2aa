"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

import importlib
import sys
from types import ModuleType
from typing import Any

import lazy_loader
import wrapt

__version__ = "0.1.0"

# Whoever only asks a server for samples (`tfgans.serving.client`) needs no TensorFlow, nor the
# seconds that it takes to import. So the names, which are in __init__.pyi, come when they are used.
_import_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ and name != "serving":
        importlib.import_module("keras")
    return _import_name(name)


@wrapt.when_imported("keras")
def _register(_: ModuleType) -> None:
    """Imports everything as soon as Keras is there too, so that Keras can load our classes."""
    rooms = {f"tfgans.{name}" for name in [*__all__, "models"] if name != "serving"}
    # A room that is being imported by its own name brings what it needs; the others would find it
    # half finished.
    if not rooms & sys.modules.keys():
        for name in __all__:
            _import_name(name)
