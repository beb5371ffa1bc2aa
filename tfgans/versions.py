"""The versions that numbers depend on, for run directories and records."""

import importlib.metadata
import platform

_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow-datasets",
    "POT",
)


def versions() -> dict[str, str]:
    """Returns the versions of Python, of this package and of those whose numbers it relies on."""
    from tfgans import __version__

    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"tfgans": __version__, "python": platform.python_version(), **found}
