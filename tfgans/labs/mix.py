"""MIX + X against X: Arora et al. 2017, "Generalization and Equilibrium in GANs"."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, layers, metrics, networks
from tfgans.labs import effects, plots, sample_scores, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.verdicts import rank_tests, summaries
from tfgans.models import GAN, R3GAN, WGAN, WGANGP, NonSaturatingGAN

BATCH, RATE, DEPTH = 256, 1e-3, 3
NUM_SAMPLES, NUM_IMAGES = 10_000, 2000
PROPORTIONS = (0.5, 0.3, 0.15, 0.05)
NS, RARE, STACKED = "non_saturating", "unbalanced", "stacked_digits"
# How a game is made, and the betas of Adam.
GAMES: dict[str, tuple[Callable[..., GAN], tuple[float, float]]] = {
    NS: (NonSaturatingGAN, (0.5, 0.999)),
    "wgan": (functools.partial(WGAN, weight_clip=0.1, discriminator_steps=2), (0.0, 0.9)),
    "wgan_gp": (functools.partial(WGANGP, penalty_weight=0.1, discriminator_steps=2), (0.5, 0.9)),
    "r3gan": (R3GAN, (0.0, 0.99)),
}
# The rate of the weights and the weight of the entropy.
WEIGHTS = {
    "none": {},
    "learned": {},
    "uniform": {"weight_learning_rate": 0.0},
    "fast": {"weight_learning_rate": 0.1, "entropy_weight": 0.005},
}
# Updates of a single net of width 64 that cost the CPU time of four pairs of width 64.
UPDATES, EQUAL_CPU = 2500, 2
PAPER = "Arora et al. 2017"

PROTOCOL = f"""
The set-ups are ours: the paper's are image networks on CIFAR-10 and CelebA, which ask for a GPU.

- `grid`: 25 Gaussians; `ring`: 8; `unbalanced`: 4 at (+-1, +-1), standard deviation .1, with
  proportions {PROPORTIONS}. MLPs of {DEPTH} hidden layers of `width` units, latent dimension 2.
- `stacked_digits`: three of scikit-learn's digits as the channels of an image of 8x8, MLPs too,
  latent dimension 32.
- A mixture has `generators` and `discriminators` networks of `width` each. It routes by slices: a
  network sees batch / k rows. Weights learn by exponentiated gradient at rate .01 with entropy .05
  (`learned`), at rate .1 with entropy .005 (`fast`), or stay `uniform`.
- Four pairs of width 32 have as many parameters as one pair of width 64, and take as many updates.
  At equal CPU time a single pair of width 64 takes {EQUAL_CPU} times the updates of four pairs of
  width 64; `CPU seconds` in the table, tracing included, says how near that comes.
- Batch {BATCH}, Adam {RATE:g} that falls linearly to 0 over the discriminator's updates of a run,
  whatever its length; betas
  {", ".join(f"{betas} ({name})" for name, (_, betas) in GAMES.items())}. WGAN clips at .1; the
  penalty of WGAN-GP has weight .1. Both take 2 updates of the critic a step, so
  there the generator's rate falls to a half only. R3GAN's gamma is 1.

{NUM_SAMPLES} samples a run are measured ({NUM_IMAGES} of `stacked_digits`), beside as many real
draws. The rank tests are one-sided Mann-Whitney U tests over the seeds, not corrected for their
number.
"""

MEASURES = {
    "parameters": "of both players",
    **sample_scores.POINTS,
    "least_variation": "`unbalanced`: the least that any weights of the same generators could give",
    "frechet": f"`stacked_digits`: {sample_scores.FRECHET}",
    "probabilities": "of the generators, falling",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns what is run."""

    def arm(task: str, game: str, k: int, width: int, steps: int, **other: Any) -> dict[str, Any]:
        weights = other.pop("weights", "learned" if k > 1 else "none")
        about = {"task": task, "game": game, "generators": k, "discriminators": k}
        return {**about, "width": width, "updates": steps, "weights": weights, **other}

    critics = {"r3gan": UPDATES} if quick else {"wgan": 1000, "wgan_gp": 1000, "r3gan": UPDATES}
    equal_size = [
        arm("grid", game, k, width, steps)
        for game, steps in {NS: UPDATES, **critics}.items()
        for k, width in ((1, 64), (4, 32))
    ]
    if quick:
        return equal_size
    equal_cpu = [arm("grid", NS, 4, 64, UPDATES), arm("grid", NS, 1, 64, EQUAL_CPU * UPDATES)]
    parts = [
        arm("grid", NS, 2, 64, UPDATES),
        arm("grid", NS, 4, 64, UPDATES, generators=1),
        arm("grid", NS, 4, 64, UPDATES, discriminators=1),
    ]
    ring = [arm("ring", NS, k, width, 1000) for k, width in ((1, 64), (4, 32))]
    rare = [
        arm(RARE, NS, 4, 64, 1000, discriminators=1, weights=weights)
        for weights in ("uniform", "fast")
    ]
    stacked = [arm(STACKED, "r3gan", k, w, 800) for k, w in ((1, 128), (4, 128))]
    return [*equal_size, *equal_cpu, *parts, *ring, *rare, *stacked]


def measure(
    *,
    task: str,
    game: str,
    generators: int,
    discriminators: int,
    width: int,
    updates: int,
    weights: str,
    seed: int,
) -> dict[str, Any]:
    """Returns the measures of one run."""
    source = _source(task, seed)
    shape, latents = source.data_shape, 32 if task == STACKED else 2
    how: Any = {"width": width, "depth": DEPTH}
    first = 1000 * seed  # Networks of one run begin unlike those of the next.
    makers = [
        networks.mlp_generator(shape, latent_dim=latents, seed=first + index, **how)
        for index in range(generators)
    ]
    judges = [
        networks.mlp_discriminator(shape, seed=first + 500 + index, **how)
        for index in range(discriminators)
    ]
    pair = (
        _player(layers.MixtureGenerator, makers, WEIGHTS[weights]),
        _player(layers.MixtureDiscriminator, judges, WEIGHTS[weights]),
    )
    make, betas = GAMES[game]
    gan = make(*pair, seed=seed)
    training.train_falling(gan, source, updates, batch_size=BATCH, rate=RATE, betas=betas)
    known = gan.generator.probabilities if generators > 1 else np.ones(1)
    return {
        **dict.fromkeys(MEASURES),
        "parameters": float(sum(one.count_params() for one in pair)),
        "probabilities": sorted(map(float, known), reverse=True),
        **_scores(task, gan, source, seed),
    }


def _source(task: str, seed: int) -> Any:
    if task != RARE:
        return data.load(task, seed=seed)
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    return data.GaussianMixture(corners, std=0.1, proportions=PROPORTIONS, seed=seed)


def _player(mixture: Any, made: list[Any], options: dict[str, float]) -> Any:
    return made[0] if len(made) == 1 else mixture(made, **options)


def _scores(task: str, gan: GAN, source: Any, seed: int) -> dict[str, float]:
    if task == STACKED:
        samples, real = gan.sample(NUM_IMAGES, seed), source.sample(NUM_IMAGES, seed=-1)
        flat = (one.reshape(NUM_IMAGES, -1) for one in (samples, real))
        sliced = metrics.sliced_wasserstein_distance(*flat)
        return {"sliced": sliced, "frechet": sample_scores.frechet_of_digits(samples, real)}
    samples = gan.sample(NUM_SAMPLES, seed, batch_size=NUM_SAMPLES)
    scores = sample_scores.of_points(samples, source)
    if task == RARE:
        made = gan.sample_components(NUM_SAMPLES, seed)
        shares = [
            metrics.mode_coverage(samples[made == one], source.modes, source.std).shares
            for one in np.unique(made)
        ]
        least = sample_scores.least_variation(np.array(shares), source.proportions)
        scores["least_variation"] = least
    return scores


ONE, MIX = {"generators": 1, "discriminators": 1}, {"generators": 4, "discriminators": 4}
NARROW = {**MIX, "width": 32}


WIDE = {**MIX, "width": 64, "weights": "learned"}


def _gain(game: str, first: dict[str, Any], second: dict[str, Any]) -> Any:
    """Returns the effect: modes of the grid that one arm covers more than another."""
    grid = {"task": "grid", "game": game}
    return effects.difference("modes", {**grid, **first}, {**grid, **second})


CLAIMS = (
    *(
        Claim(
            f"MIX + {name} beats {name} of as many parameters",
            PAPER,
            "modes of 25 that four pairs of width 32 cover more than one of width 64, equal "
            "updates",
            _gain(game, NARROW, {**ONE, **more}),
            above=0.0,
        )
        for name, game, more in (
            ("the non-saturating GAN", NS, {"updates": UPDATES}),
            ("WGAN", "wgan", {}),
            ("WGAN-GP", "wgan_gp", {}),
            ("R3GAN", "r3gan", {}),
        )
    ),
    Claim(
        "It is not the CPU time of the mixture that wins",
        f"{PAPER} (a single network of the mixture's size); by time, ours",
        f"modes of 25 that four pairs of width 64 cover more than one with {EQUAL_CPU} times the "
        "updates",
        _gain(NS, WIDE, {**ONE, "updates": EQUAL_CPU * UPDATES}),
        above=0.0,
    ),
    Claim(
        "Images gain too",
        PAPER,
        "Frechet distance of four pairs less that of one of the same width, stacked digits",
        effects.difference("frechet", {"task": STACKED, **MIX}, {"task": STACKED, **ONE}),
        below=0.0,
    ),
    Claim(
        "Weights that learn beat uniform ones where modes are not equally likely",
        f"{PAPER} (weights are learned); the task is ours",
        "total variation of the samples' shares of 4 modes, learned (rate .1) less uniform",
        effects.difference(
            "variation", {"task": RARE, "weights": "fast"}, {"task": RARE, "weights": "uniform"}
        ),
        below=0.0,
    ),
    Claim(
        "MIX + DCGAN and MIX + WGAN have higher Inception Scores on CIFAR-10",
        PAPER,
        "it needs the data, the Inception network and a GPU",
    ),
)


def _arms(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with the name of their arm."""
    names = [
        f"{one.generators}x{one.discriminators}, width {one.width}, {one.updates} updates"
        + (f", {one.weights}" if one.weights in ("uniform", "fast") else "")
        for one in rows.itertuples()
    ]
    return rows.assign(arm=names)


def _draw(rows: pd.DataFrame) -> Figure:
    rows = _arms(rows[rows["task"] == "grid"])
    games = list(dict.fromkeys(rows["game"]))
    figure, axes = plots.panels(len(games), 2, size=(6.4, 2.4))
    for row, game in zip(axes, games, strict=True):
        arms = list(rows[rows["game"] == game].groupby("arm", sort=False))
        for axis, name in zip(row, ("modes", "high_quality"), strict=True):
            plots.boxes(axis, {arm: ours[name] for arm, ours in arms})
            texts = [arm.replace(" updates", "").replace(", ", "\n") for arm, _ in arms]
            axis.set_xticks(axis.get_xticks(), texts)
            axis.tick_params(axis="x", labelsize=7)
            axis.set(title=game, ylabel=name.replace("_", " "))
    return figure


def _table(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    shown = ["parameters", *columns, "cpu_seconds"]
    return summaries(_arms(rows), ["task", "game", "arm"], shown)


def _ranks(rows: pd.DataFrame) -> pd.DataFrame:
    sides = {"modes": "greater", "high_quality": "greater"}
    sides |= dict.fromkeys(("sliced", "variation", "frechet"), "less")
    return rank_tests(_arms(rows), by=["task", "game"], arm="arm", sides=sides)


LAB = Lab(
    name="mix",
    title="MIX + X against X",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "grid": Drawing(
            "25 Gaussians: modes covered, and the share of good samples, of `generators` x "
            "`discriminators` networks, by width and updates. A point is a seed.",
            _draw,
        )
    },
    tables={
        "Points": lambda rows: _table(
            rows[rows["task"].isin(("grid", "ring"))], list(sample_scores.POINTS)
        ),
        "Modes that are not equally likely": lambda rows: _table(
            rows[rows["task"] == RARE], ["variation", "least_variation", "sliced", "high_quality"]
        ),
        "Images": lambda rows: _table(rows[rows["task"] == STACKED], ["frechet", "sliced"]),
        "Rank tests": _ranks,
    },
)
