"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

import sys
from types import ModuleType

import lazy_loader
import wrapt

from tfgans import backend

__version__ = "0.2.0"

# The client and `tfgans --help` need no TensorFlow, whose import takes seconds: a name of
# __init__.pyi is imported at its first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
backend.BackendCheck.install()

# These need packages of the extra `labs`, and register no classes.
_OPTIONAL = {"comparison", "labs"}
_REGISTERED = [name for name in __all__ if name not in _OPTIONAL]
_PACKAGES = {f"tfgans.{name}" for name in ["gan", "methods", *_REGISTERED] if name.islower()}
_imported: set[str] = set()


def _register_classes(module: ModuleType) -> None:
    """Imports all of tfgans once Keras is imported, since Keras loads only registered classes.

    If a package of tfgans imports Keras, the other packages cannot import that package yet. Then
    the end of its import calls this again.
    """
    _imported.add(module.__name__)
    complete = _PACKAGES & sys.modules.keys() <= _imported
    if complete and "keras" in _imported and backend.chosen()[0] == "tensorflow":
        for name in _REGISTERED:
            __getattr__(name)


for _name in sorted({"keras"} | _PACKAGES):
    wrapt.register_post_import_hook(_register_classes, _name)
