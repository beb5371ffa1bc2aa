"""TF-GAN as an oracle: its package cannot be imported on this TensorFlow, its leaf modules can."""

import contextlib
import importlib
import importlib.util
import sys
import types
import warnings


@contextlib.contextmanager
def leaf(name):
    """Yields a module, say `losses.losses_impl`, and leaves no trace of the package."""
    root = importlib.util.find_spec("tensorflow_gan").submodule_search_locations[0]
    for folder in ("", "/python", f"/python/{name.split('.')[0]}"):
        package = types.ModuleType(f"tensorflow_gan{folder.replace('/', '.')}")
        package.__path__ = [root + folder]
        sys.modules[package.__name__] = package
    try:
        with warnings.catch_warnings():
            # Its imports warn of their age.
            warnings.simplefilter("ignore")
            module = importlib.import_module(f"tensorflow_gan.python.{name}")
        yield module
    finally:
        for loaded in [name for name in sys.modules if name.startswith("tensorflow_gan")]:
            del sys.modules[loaded]
