"""The one place where names become methods, games and penalties."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import tfgans
from tfgans import objectives, penalties

MODELS: dict[str, Callable[..., tfgans.GAN]] = {
    "gan": tfgans.GAN,
    "minimax": tfgans.MinimaxGAN,
    "non_saturating": tfgans.NonSaturatingGAN,
    "least_squares": tfgans.LeastSquaresGAN,
    "hinge": tfgans.HingeGAN,
    "wgan": tfgans.WGAN,
    "wgan_gp": tfgans.WGANGP,
    "gan_gp": tfgans.GANGP,
    "dragan": tfgans.DRAGAN,
    "fgan": tfgans.FGAN,
    "kl_wgan": tfgans.KLWGAN,
    "r3gan": tfgans.R3GAN,
    "sngan": tfgans.SNGAN,
    "dcd": tfgans.DCD,
}


OBJECTIVES: dict[str, Callable[..., objectives.Objective]] = {
    "minimax": objectives.Minimax,
    "non_saturating": objectives.NonSaturating,
    "least_squares": objectives.LeastSquares,
    "hinge": objectives.Hinge,
    "wasserstein": objectives.Wasserstein,
    "kl_wasserstein": objectives.KLWasserstein,
    "relativistic": objectives.Relativistic,
    "f_divergence": lambda divergence="jensen_shannon", non_saturating=False: (
        objectives.FDivergence(divergence, non_saturating=non_saturating)
    ),
}
PENALTIES: dict[str, Callable[..., Any]] = {
    "gradient": penalties.GradientPenalty,
    "dragan": penalties.DRAGANPenalty,
    "r1": penalties.R1Penalty,
    "r2": penalties.R2Penalty,
    "r1_r2": lambda weight=0.5: penalties.PenaltySum(
        (penalties.R1Penalty(weight=weight), penalties.R2Penalty(weight=weight))
    ),
}
# Arguments that are objects, or the same for every method: flags make them in other ways.
_OTHERS = {"self", "generator", "discriminator", "objective", "options", "langevin"}
_OTHERS |= {"instance_noise", "num_classes", "ema", "seed", "name"}


def arguments(make: Callable[..., Any]) -> dict[str, Any]:
    """Returns the arguments of a class or function that flags may set, and their defaults."""
    found = inspect.signature(make).parameters.values()
    return {one.name: one.default for one in found if one.name not in _OTHERS}


def takers(names: set[str]) -> list[str]:
    """Returns the flags of the methods, objectives and penalties that take one of the arguments."""
    tables: dict[str, Any] = {"model": MODELS, "objective": OBJECTIVES, "penalty": PENALTIES}
    return [
        f"--{flag}={name}"
        for flag, table in tables.items()
        for name, make in table.items()
        if names & arguments(make).keys()
    ]


def describe() -> Iterator[str]:
    """Yields a line a method: its name, its paper's defaults and its optimizers."""
    for name, model in MODELS.items():
        own = ", ".join(f"{key}={value}" for key, value in arguments(model).items())
        note = re.search(r"Default optimizers: (.+?)(?:\n\n|$)", model.__doc__ or "", re.DOTALL)
        said = " ".join(note[1].split()) if note else "Adam 2e-4, betas (0.5, 0.999)"
        yield f"- {name}: {own}; {said.split('. ')[0].rstrip('.')}"
