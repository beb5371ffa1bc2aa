"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

import sys
from types import ModuleType

import lazy_loader
import wrapt

from tfgans import backend

__version__ = "0.1.0"

# The client and `tfgans --help` need no TensorFlow, whose import takes seconds: a name of
# __init__.pyi is imported at its first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
backend.BackendCheck.install()

_PACKAGES = [f"tfgans.{name}" for name in ["gan", "methods", *__all__] if name.islower()]


def _register_classes(imported: ModuleType) -> None:
    """Imports all of tfgans once Keras is imported, since Keras loads only registered classes.

    If a package of tfgans imports Keras, the other packages cannot import that package yet. Then
    the end of its import calls this again.
    """
    loading = any(
        sys.modules[name].__spec__._initializing  # type: ignore[union-attr]
        for name in _PACKAGES
        if name in sys.modules and name != imported.__name__
    )
    if "keras" in sys.modules and backend.chosen()[0] == "tensorflow" and not loading:
        for name in __all__:
            __getattr__(name)


for _name in ["keras", *_PACKAGES]:
    wrapt.register_post_import_hook(_register_classes, _name)
