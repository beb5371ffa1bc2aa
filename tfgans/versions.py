"""Collects the versions that results depend on, for run directories and records."""

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
    """Returns the versions of Python, of tfgans and of the packages that results depend on."""
    from tfgans import __version__

    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"tfgans": __version__, "python": platform.python_version(), **packages}
