"""Reruns the experiments of the papers: a table, figures and verdicts for each.

`run` does the work of `tfgans experiment`. A lab is a module with a `LAB`: of this package, or a
file of the user.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

from tfgans import checks, files
from tfgans.labs.experiment import Outcome, run
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.verdicts import Verdict

NAMES = (
    "many_paths",
    "vanishing_gradients",
    "generalization",
    "equilibrium",
    "mix",
    "mix_images",
    "limited_data",
    "grow",
    "diversity",
    "kl_wgan",
    "dcd",
    "objectives_by_penalties",
    "real_images",
)


def load(name: str) -> Lab:
    """Returns a lab by its name, or of a file.

    Args:
        name: One of `NAMES`; or the path of a Python file, which ends in .py and has a `Lab` named
            `LAB`. The file is executed, here and in the processes of the runs, which import it by
            its name: its folder is added to `sys.path`.

    Raises:
        ValueError: If no lab has the name, or the file has no lab, fails, or has the name of
            another module.
    """
    if name.endswith(".py"):
        return _load_file(files.path(name).absolute())
    checks.choice("lab", name, NAMES)
    lab: Lab = importlib.import_module(f"tfgans.labs.{name}").LAB
    return lab


def _load_file(path: Path) -> Lab:
    if not path.is_file():
        raise ValueError(f"A lab must be a Python file. Received: {path}, which is no file")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    importlib.invalidate_caches()
    # The processes of the runs import it by this name, as pickle needs it.
    spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    if spec is None or Path(spec.origin or "").resolve() != path.resolve():
        other = "a module cannot have this name" if spec is None else spec.origin
        raise ValueError(
            f"The file of a lab is imported by its name, {path.stem!r}. Received: {path}, and "
            f"{other}. Rename the file"
        )
    try:
        lab = getattr(importlib.import_module(path.stem), "LAB", None)
    except Exception as error:  # Whatever the code of the user raises.
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    if not isinstance(lab, Lab):
        raise ValueError(
            f"{path} must define LAB, a `tfgans.labs.Lab`. Received: "
            + ("no LAB" if lab is None else checks.short(lab))
        )
    return lab


__all__ = ["NAMES", "Claim", "Drawing", "Lab", "Outcome", "Verdict", "load", "run"]
