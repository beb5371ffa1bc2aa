"""Trains every game with every penalty, beyond Fedus et al. 2018, "Many Paths to Equilibrium"."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, networks, objectives, penalties
from tfgans.gan import GAN
from tfgans.labs import effects, sample_scores, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

OBJECTIVES: dict[str, Callable[[], objectives.Objective]] = {
    "minimax": objectives.Minimax,
    "non_saturating": objectives.NonSaturating,
    "least_squares": objectives.LeastSquares,
    "hinge": objectives.Hinge,
    "wasserstein": objectives.Wasserstein,
    "relativistic": objectives.Relativistic,
    "kl_wasserstein": objectives.KLWasserstein,
    "f_kl": lambda: objectives.FDivergence("kl"),
}
NONE = "none"
PENALTIES: dict[str, Callable[[], Any]] = {
    NONE: lambda: None,
    "gradient": lambda: penalties.GradientPenalty(weight=0.1),
    "dragan": lambda: penalties.DRAGANPenalty(weight=0.1),
    "r1": lambda: penalties.R1Penalty(weight=0.1),
    "r1_r2": lambda: penalties.PenaltySum(
        (penalties.R1Penalty(weight=0.1), penalties.R2Penalty(weight=0.1))
    ),
}
DIGITS, NUM_SAMPLES, NUM_IMAGES = "digits", 10_000, 1437
BATCH, RATE, BETAS = 256, 1e-3, (0.5, 0.9)
FEDUS, LUCIC = "Fedus et al. 2018", "Lucic et al. 2018"
# The measure of each heat map, whether low or high is best, and the tasks.
SHOWN = {
    "modes": ("high", ("ring", "grid")),
    "high_quality": ("high", ("ring", "grid")),
    "sliced": ("low", ("ring", "grid")),
    "frechet": ("low", (DIGITS,)),
}

PROTOCOL = f"""
The set-ups are ours: they ask which game needs which penalty where a run costs seconds, not what
images of 64x64 would say.

- `ring`, `grid`: 8 and 25 Gaussians; MLPs of three hidden layers of 64, latent dimension 2.
  `digits`: scikit-learn's digits of 8x8; MLPs of three hidden layers of 128, latent dimension 16.
  No normalization.
- Batch {BATCH}, one update of the discriminator a step. Adam {RATE:g}, betas {BETAS}; the rate
  falls linearly to 0. No cell is tuned, and a method's own rate may be better for it.
- All penalties have weight .1 (R1, R2: .1 times the squared norm): points are of unit scale with
  modes much narrower, where the weights of the papers, made for images, flatten what is to be seen.

{NUM_SAMPLES} samples of a run are measured, of `digits` {NUM_IMAGES} beside all real ones.
"""

MEASURES = {**sample_scores.POINTS, "frechet": f"`digits`: {sample_scores.FRECHET}"}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    games, terms, tasks = list(OBJECTIVES), list(PENALTIES), ["ring", "grid", DIGITS]
    if quick:
        games = ["non_saturating", "wasserstein", "relativistic"]
        terms, tasks = [NONE, "gradient", "r1"], ["ring"]
    return [
        {"task": task, "objective": game, "penalty": term, "steps": 600}
        for task in tasks
        for game in games
        for term in terms
    ]


def measure(*, task: str, objective: str, penalty: str, steps: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    source: Any = data.load(task, seed=seed)
    images = task == DIGITS
    width, latents = (128, 16) if images else (64, 2)
    generator = networks.mlp_generator(
        source.data_shape, latent_dim=latents, width=width, depth=3, seed=seed
    )
    discriminator = networks.mlp_discriminator(source.data_shape, width=width, depth=3, seed=seed)
    gan = GAN(
        generator,
        discriminator,
        objective=OBJECTIVES[objective](),
        penalty=PENALTIES[penalty](),
        seed=seed,
    )
    training.train_falling(gan, source, steps, batch_size=BATCH, rate=RATE, betas=BETAS)
    return {**dict.fromkeys(MEASURES), **_scores(task, gan, source, seed)}


def _scores(task: str, gan: GAN, source: Any, seed: int) -> dict[str, float]:
    num = NUM_IMAGES if task == DIGITS else NUM_SAMPLES
    samples = gan.sample(num, seed, batch_size=num)
    if task == DIGITS:
        real = source.rows(np.arange(NUM_IMAGES)).numpy()
        return sample_scores.of_digits(samples, real)
    return sample_scores.of_points(samples, source)


def _by_cell(rows: pd.DataFrame, task: str, column: str) -> pd.DataFrame:
    """Returns a measure with a row per seed and a column per (objective, penalty)."""
    ours = rows[rows["task"] == task]
    table: pd.DataFrame = ours.pivot_table(
        values=column, index="seed", columns=["objective", "penalty"], dropna=False
    )
    return table


def _gain(
    task: str, column: str, first: tuple[str, str], second: tuple[str, str]
) -> effects.Effect:
    """Returns the effect: the measure of one (objective, penalty) minus that of another."""
    names = ("task", "objective", "penalty")
    cells = [dict(zip(names, (task, *pair), strict=True)) for pair in (first, second)]
    return effects.difference(column, *cells)


def _spread_saved(rows: pd.DataFrame) -> list[float]:
    """Returns by how much R1 reduces the spread of the games' sliced distances, by seed."""
    table = _by_cell(rows, "ring", "sliced")
    spreads = [
        table.xs(penalty, axis=1, level="penalty").apply(np.ptp, axis=1) for penalty in (NONE, "r1")
    ]
    return list(spreads[0] - spreads[1])


def _helps(text: str, paper: str, objective: str, penalty: str) -> list[Claim]:
    """Returns the claim that a penalty helps a game, on the ring and on the grid."""
    return [
        Claim(
            text,
            paper,
            f"sliced W1 to the {task}, {objective} with {penalty} less without",
            _gain(task, "sliced", (objective, penalty), (objective, NONE)),
            below=0.0,
        )
        for task in ("ring", "grid")
    ]


CLAIMS = (
    *_helps(
        "A gradient penalty helps the non-saturating GAN, though no theory of divergences asks it",
        FEDUS,
        "non_saturating",
        "gradient",
    ),
    *_helps("So does the penalty of DRAGAN", FEDUS, "non_saturating", "dragan"),
    Claim(
        "On images too",
        FEDUS,
        "Frechet distance on digits, with the penalty of WGAN-GP less without",
        _gain(DIGITS, "frechet", ("non_saturating", "gradient"), ("non_saturating", NONE)),
        below=0.0,
    ),
    *_helps("R1 helps the relativistic game", "Huang et al. 2024", "relativistic", "r1"),
    Claim(
        "A Wasserstein critic without a bound does not train",
        "Arjovsky et al. 2017, section 3",
        "sliced W1 to the ring, without a penalty less with R1",
        _gain("ring", "sliced", ("wasserstein", NONE), ("wasserstein", "r1")),
        above=0.05,
    ),
    Claim(
        "Under a penalty the games differ less",
        f"ours, after {LUCIC} (where all games are tuned)",
        "range of the sliced W1 over the games but Wasserstein, without a penalty less with R1, "
        "ring",
        # The Wasserstein game has no bound without a penalty.
        effects.Effect(
            _spread_saved,
            [
                {"task": "ring", "objective": objective, "penalty": penalty}
                for objective in OBJECTIVES
                if objective != "wasserstein"
                for penalty in (NONE, "r1")
            ],
        ),
        above=0.0,
    ),
)


def _heat_maps(rows: pd.DataFrame, column: str) -> Figure:
    best, tasks = SHOWN[column]
    shown = [task for task in tasks if (rows["task"] == task).any()]
    figure, axes = plots.panels(1, max(len(shown), 1), size=(4.4, 3.6))
    for axis, task in zip(axes.flat, shown, strict=False):
        medians = _by_cell(rows, task, column).median().unstack("penalty")
        order = [penalty for penalty in PENALTIES if penalty in medians.columns]
        games = [objective for objective in OBJECTIVES if objective in medians.index]
        plots.heat_map(axis, medians.loc[games, order], title=f"{task}: {column}", best=best)
    return figure


def _table(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return summaries(rows, ["task", "objective", "penalty"], columns)


def _drawing(column: str) -> Drawing:
    best, _ = SHOWN[column]
    text = f"Median over the seeds of `{column}`, objectives by penalties; {best} is good."
    return Drawing(text, lambda rows: _heat_maps(rows, column))


LAB = Lab(
    name="objectives_by_penalties",
    title="Objectives by penalties",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={column: _drawing(column) for column in SHOWN},
    tables={
        "Points": lambda rows: _table(rows[rows["task"] != DIGITS], list(sample_scores.POINTS)),
        "Digits": lambda rows: _table(rows[rows["task"] == DIGITS], ["frechet", "sliced"]),
    },
)
