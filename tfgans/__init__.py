"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

import sys
from types import ModuleType

import lazy_loader
import wrapt

from tfgans import backend

__version__ = "0.1.0"

# The client (`tfgans.serving.client`) and `tfgans --help` need no TensorFlow, whose import takes
# seconds. So each name in __init__.pyi is imported when it is first used. If Keras has another
# backend than TensorFlow, the first use raises ImportError.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
backend.BackendCheck.install()
_ROOMS = [
    f"tfgans.{name}"
    for name in [*__all__, "gan", "methods"]
    if name.islower() and name != "serving"
]


def _register(imported: ModuleType) -> None:
    """Imports everything once Keras is there too, so that Keras can load our classes.

    While one of our packages is being imported, the others would see it half finished: the end of
    its import calls this again.
    """
    busy = [
        name
        for name in _ROOMS
        if name in sys.modules
        and name != imported.__name__
        and getattr(sys.modules[name].__spec__, "_initializing", False)
    ]
    # With another backend whoever imported Keras asks for none of them.
    if "keras" in sys.modules and not busy and backend.chosen()[0] == "tensorflow":
        for name in __all__:
            __getattr__(name)


for _name in ["keras", *_ROOMS]:
    wrapt.register_post_import_hook(_register, _name)
