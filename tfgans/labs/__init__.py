"""Reruns the experiments of the papers: a table, figures and verdicts for each.

`run` does the work of `tfgans experiment`. A lab is a module of this package with a `LAB`.
"""

import importlib

from tfgans import checks
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
    "diversity",
    "kl_wgan",
    "dcd",
    "objectives_by_penalties",
    "real_images",
)


def load(name: str) -> Lab:
    """Returns a lab by its name.

    Args:
        name: One of `NAMES`.

    Raises:
        ValueError: If no lab has the name.
    """
    checks.choice("lab", name, NAMES)
    lab: Lab = importlib.import_module(f"tfgans.labs.{name}").LAB
    return lab


__all__ = ["NAMES", "Claim", "Drawing", "Lab", "Outcome", "Verdict", "load", "run"]
