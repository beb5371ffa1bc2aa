"""Collects the versions that results depend on, for run directories and records."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path

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
    """Returns the versions of Python, of tfgans and of the packages that results depend on.

    In a checkout of tfgans, "commit" is the commit.
    """
    from tfgans import __version__

    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    commit = checkout_commit()
    return {
        "tfgans": __version__,
        **({"commit": commit} if commit else {}),
        "python": platform.python_version(),
        **packages,
    }


@functools.cache
def checkout_commit() -> str:
    """Returns the commit of the checkout that holds this package, with "-dirty"; "" without one."""
    here = Path(__file__).parent
    if not (here.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip()
