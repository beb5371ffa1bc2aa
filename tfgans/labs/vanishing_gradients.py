"""Measures vanishing and noisy gradients: Arjovsky & Bottou 2017, figures 1 to 3."""

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, games, networks
from tfgans.labs import shapes, training
from tfgans.labs.effects import Cell, Effect, at_end, value
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.layers import InstanceNoise
from tfgans.methods import MinimaxGAN, NonSaturatingGAN
from tfgans.objectives import Minimax, NonSaturating
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

LINES, DIGITS, ANNEALING = "lines", "digits", "annealing"
BATCH, LATENTS, WIDTH = 64, 16, 16
# With beta_2 = .999 the discriminator takes far longer to fall by five orders of magnitude.
BETAS = (0.5, 0.9)
RATE = 1e-3
SETTINGS: Any = {"batch_size": BATCH, "learning_rate": RATE, "betas": BETAS}
NOISE = 0.5
NUM_EVALUATED = 360
REACHED = 0.05  # The distance below which the lines count as met.
OLDEST = {"task": DIGITS, "epochs": 25, "noise": 0.0}
COSTS = {"minimax": Minimax(), "non_saturating": NonSaturating()}
PAPER = "Arjovsky & Bottou 2017"

PROTOCOL = f"""
The set-ups are ours; the paper's are image DCGANs of 1, 10 and 25 epochs. (The numbers of its
figures and theorems are from memory.)

- `digits`: a DCGAN (8x8, width {WIDTH}, latents {LATENTS}) is trained on scikit-learn's digits with
  the non-saturating cost for `epochs`, and frozen. A new discriminator is trained against it, on
  the 1437 training digits; {NUM_EVALUATED} others tell its accuracy.
- `lines`: data (0, t), generator frozen at (1, u), t and u ~ U(0, 1). JSD = log 2, W1 = 1. The
  discriminator is an MLP 2-64-64-1.
- `noise` is the standard deviation of Gaussian noise on both sides while the discriminator learns.
  What is measured is the gradient at the clean samples, as in the paper's Theorem 3.2.
- `annealing`: the generator of `lines` is trained too, by the minimax cost with 5 updates of the
  discriminator: without noise, and with noise that falls linearly to 0 over the first 3/4 of the
  steps.
  The bound of Theorem 3.3, drawn beside, is a formula and not put to a test: it needs bounded
  noise, whose diameter is that of noise cut at 4 standard deviations, and takes the exact
  divergence of noisy lines of equal length.

Batch {BATCH}, Adam {RATE:g}, betas {BETAS}, for both players. Gradients are over the generator's
parameters, of 10 batches of {BATCH}, networks at inference. The claims about noise were worded anew
after the full run: they had compared runs with noise to runs without.
"""

MEASURES = {
    "steps": "discriminator updates (in `annealing`: generator updates) at which it was looked",
    "accuracy": f"of the discriminator on {NUM_EVALUATED} new real and as many fake, with noise",
    "loss": "its minimax loss there, a plain sum, nats: 2 log 2 by guessing",
    "minimax_norm": "norm of the mean gradient of E log(1 - D)",
    "non_saturating_norm": "norm of the mean gradient of -E log D",
    "non_saturating_variance": "its variance over batches, mean over the parameters",
    "non_saturating_noise": "the root of that over the norm",
    "offset": "`annealing`: the distance |theta| of the lines, which is W1 if their lengths agree",
    "bound": "`annealing`: the upper bound on W1 of Theorem 3.3 at the noise of that step",
}


class _Frozen(training.FrozenGenerator, NonSaturatingGAN):
    """Trains the discriminator only."""


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    steps, annealed = (500, 1500) if quick else (1000, 3000)
    stages = [(DIGITS, epochs, steps) for epochs in ((25,) if quick else (1, 10, 25))]
    return [
        {"task": task, "epochs": epochs, "noise": noise, "last_step": last_step}
        for task, epochs, last_step in [(LINES, 0, steps), *stages, (ANNEALING, 0, annealed)]
        for noise in (0.0, NOISE)
    ]


def measure(*, task: str, epochs: int, noise: float, last_step: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    if task == ANNEALING:
        return _anneal(noise, last_step, seed)
    source, generator, discriminator = _players(task, epochs, seed)
    level = InstanceNoise(noise, schedule="constant") if noise else None
    gan = _Frozen(generator, discriminator, instance_noise=level, seed=seed)
    test: Any = data.load("digits", split="test")
    num = NUM_EVALUATED
    real = source.sample(num, -1) if task == LINES else test.rows(np.arange(num)).numpy()
    fake = gan.sample(num, seed)
    measure_steps = [step for step in (0, 50, 100, 250, 500, 1000) if step <= last_step]
    measure = functools.partial(_measure, real=real, fake=fake, noise=noise)
    seen = training.train(gan, source, measure_steps=measure_steps, measure=measure, **SETTINGS)
    columns = {name: [measures[name] for measures in seen] for name in seen[0]}
    return {"steps": measure_steps, **columns, "offset": None, "bound": None}


def _players(task: str, epochs: int, seed: int) -> tuple[Any, Any, Any]:
    if task == LINES:
        discriminator = networks.mlp_discriminator((2,), width=64, depth=2, seed=seed)
        source: Any = data.ParallelLines(seed=seed)
        return source, shapes.parallel_line(source), discriminator
    source = data.load("digits", seed=seed)
    generator = networks.dcgan_generator((8, 8, 1), latent_dim=LATENTS, width=WIDTH, seed=seed)
    first, second = (
        networks.dcgan_discriminator((8, 8, 1), width=WIDTH, seed=seed + 1000 * index)
        for index in (1, 2)
    )
    gan = NonSaturatingGAN(generator, first, seed=seed)
    steps = math.ceil(epochs * len(source.array) / BATCH)
    training.train(gan, source, measure_steps=[steps], measure=lambda _: None, **SETTINGS)
    return source, gan.generator, second


def _measure(gan: Any, real: np.ndarray, fake: np.ndarray, noise: float) -> dict[str, float]:
    rng = np.random.default_rng(0)
    on_real, on_fake = (
        gan.discriminator.predict_on_batch(
            (side + noise * rng.normal(size=side.shape)).astype(np.float32)
        ).astype(np.float64)
        for side in (real, fake)
    )
    norms = games.generator_gradient_norms(gan, objectives=COSTS, batch_size=BATCH)
    other = norms["non_saturating"]
    return {
        "accuracy": float(((on_real > 0).mean() + (on_fake <= 0).mean()) / 2),
        "loss": float(np.logaddexp(0, -on_real).mean() + np.logaddexp(0, on_fake).mean()),
        "minimax_norm": norms["minimax"].mean_norm,
        "non_saturating_norm": other.mean_norm,
        "non_saturating_variance": other.variance,
        "non_saturating_noise": math.sqrt(other.variance) / max(other.mean_norm, 1e-30),
    }


def _anneal(noise: float, last_step: int, seed: int) -> dict[str, Any]:
    source = data.ParallelLines(seed=seed)
    generator = shapes.parallel_line(source)
    discriminator = networks.mlp_discriminator((2,), width=64, depth=2, seed=seed)
    ends = 3 * last_step // 4
    level = InstanceNoise(noise, schedule="linear", decay_steps=ends) if noise else None
    gan = MinimaxGAN(
        generator, discriminator, discriminator_steps=5, instance_noise=level, seed=seed
    )
    measure_steps = list(range(0, last_step + 1, last_step // 20))
    offsets = training.train(gan, source, measure_steps=measure_steps, measure=_offset, **SETTINGS)
    levels = [noise * max(0.0, 1 - step / ends) for step in measure_steps]
    bounds = [shapes.lines_bound(*pair) for pair in zip(offsets, levels, strict=True)]
    return {**dict.fromkeys(MEASURES), "steps": measure_steps, "offset": offsets, "bound": bounds}


def _offset(gan: Any) -> float:
    return abs(float(gan.generator.layers[-1].offset.numpy()))


def _fall(cell: Cell) -> Effect:
    """Returns the effect: the orders of magnitude that the minimax gradient fell from its highest.

    Its norm counts as 1e-30 at least, which stands for a gradient that is 0 in float32.
    """

    def fall(norms: list[float]) -> float:
        return float(np.log10(np.maximum(max(norms), 1e-30) / np.maximum(norms[-1], 1e-30)))

    return Effect(lambda rows: [fall(norms) for norms in rows["minimax_norm"]], [cell])


def _growth(name: str, cell: Cell) -> Effect:
    """Returns the effect: the orders of magnitude that a measure grew after 50 updates."""
    return Effect(
        lambda rows: [float(np.log10(values[-1] / values[1])) for values in rows[name]], [cell]
    )


CLAIMS = (
    Claim(
        "A new discriminator against a frozen generator becomes perfect",
        f"{PAPER}, Theorem 2.2, figure 1",
        "accuracy at the last look, digits of 25 epochs",
        value("accuracy", OLDEST),
        above=0.98,
    ),
    Claim(
        "Then the gradient of the minimax cost vanishes, by up to five orders of magnitude",
        f"{PAPER}, Theorem 2.4, figure 2",
        "orders of magnitude that its norm fell from its highest, parallel lines",
        _fall({"task": LINES, "noise": 0.0}),
        above=5.0,
    ),
    Claim(
        "On images too",
        f"{PAPER}, figure 2",
        "orders of magnitude that its norm fell from its highest, digits of 25 epochs",
        _fall(OLDEST),
        above=1.0,
    ),
    Claim(
        "The gradient of -log D does not vanish: it grows",
        f"{PAPER}, figure 3",
        "orders of magnitude that its norm grew after 50 updates, digits of 25 epochs",
        _growth("non_saturating_norm", OLDEST),
        above=0.3,
    ),
    Claim(
        "Its noise grows faster than itself",
        f"ours, after {PAPER}, Theorem 2.6",
        "orders of magnitude that its standard deviation over its norm grew after 50 updates",
        _growth("non_saturating_noise", OLDEST),
        above=0.0,
    ),
    Claim(
        "With noise on both sides the minimax gradient does not vanish",
        f"{PAPER}, section 3",
        "orders of magnitude that its norm fell from its highest, parallel lines",
        _fall({"task": LINES, "noise": NOISE}),
        below=1.0,
    ),
    Claim(
        "With noise it does not vanish on images",
        f"{PAPER}, section 3",
        "orders of magnitude that its norm fell from its highest, digits of 25 epochs",
        _fall({**OLDEST, "noise": NOISE}),
        below=1.0,
    ),
    Claim(
        "Annealed noise lets the minimax game reach the data",
        f"{PAPER}, section 3",
        "final |theta|",
        value("offset", {"task": ANNEALING, "noise": NOISE}),
        below=REACHED,
    ),
    Claim(
        "Without noise it does not reach them by then",
        f"{PAPER}, Theorem 2.4",
        "final |theta|",
        value("offset", {"task": ANNEALING, "noise": 0.0}),
        above=REACHED,
    ),
)


def _draw(rows: pd.DataFrame) -> Figure:
    shown = ("accuracy", "minimax_norm", "non_saturating_norm", "non_saturating_variance")
    kinds = rows[rows["task"] != ANNEALING].groupby(["task", "epochs"], sort=False)
    figure, axes = plots.panels(len(shown), len(kinds), size=(3.4, 2.4), sharex=True)
    for place, ((task, epochs), ours) in enumerate(kinds):
        for row, name in enumerate(shown):
            axis = axes[row, place]
            for index, (noise, runs) in enumerate(ours.groupby("noise")):
                label = f"noise {noise:g}" if noise else "no noise"
                color = plots.COLORS[1 - index]
                plots.curve(axis, runs["steps"].iloc[0], runs[name], label=label, color=color)
            axis.set_yscale("log" if row else "linear")
            axis.set(title="" if row else f"{task}, {epochs} epochs" if epochs else task)
            axis.set(ylabel="" if place else name.replace("_", " "))
    axes[0, 0].legend()
    figure.supxlabel("updates of a new discriminator")
    return figure


def _draw_annealing(rows: pd.DataFrame) -> Figure:
    figure, axes = plots.panels(1, 1)
    axis = axes[0, 0]
    for index, (noise, runs) in enumerate(rows[rows["task"] == ANNEALING].groupby("noise")):
        steps = runs["steps"].iloc[0]
        label = f"|theta|, noise {noise:g} to 0" if noise else "|theta|, no noise"
        plots.curve(axis, steps, runs["offset"], label=label, color=plots.COLORS[1 - index])
        if noise:
            plots.curve(axis, steps, runs["bound"], label="bound on W1", color=plots.COLORS[2])
    axis.set(xlabel="updates of the generator", ylabel="distance", yscale="symlog")
    axis.legend()
    return figure


def _table(rows: pd.DataFrame, annealed: bool = False) -> pd.DataFrame:
    shown = ["offset"] if annealed else list(MEASURES)[1:-2]
    ours = at_end(rows[(rows["task"] == ANNEALING) == annealed], shown)
    return summaries(ours, ["task", "epochs", "noise"], shown)


LAB = Lab(
    name="vanishing_gradients",
    title="Why gradients vanish",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "gradients": Drawing(
            "A new discriminator against a frozen generator: its accuracy, and the generator's "
            "gradient under both costs. Medians and ranges of the seeds.",
            _draw,
        ),
        "annealing": Drawing(
            "The minimax game on parallel lines, with and without annealed instance noise, and "
            "the bound of Theorem 3.3.",
            _draw_annealing,
        ),
    },
    tables={
        "At the last look": _table,
        "Annealing, at the end": functools.partial(_table, annealed=True),
    },
)
