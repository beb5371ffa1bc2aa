"""Compares MIX + X with X: Arora et al. 2017, "Generalization and Equilibrium in GANs"."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, mixtures, networks
from tfgans.gan import GAN
from tfgans.labs import effects, plots, sample_scores, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.verdicts import rank_tests, summaries
from tfgans.methods import R3GAN, WGAN, WGANGP, NonSaturatingGAN

BATCH, RATE, DEPTH = 256, 1e-3, 3
NUM_SAMPLES, NUM_SHARES, NUM_IMAGES = 10_000, 100_000, 2000
PROPORTIONS = (0.5, 0.3, 0.15, 0.05)
NS, RARE, STACKED = "non_saturating", "unbalanced", "stacked_digits"
# The constructor of each game, and the betas of Adam.
GAMES: dict[str, tuple[Callable[..., GAN], tuple[float, float]]] = {
    NS: (NonSaturatingGAN, (0.5, 0.999)),
    "wgan": (functools.partial(WGAN, weight_clip=0.1, discriminator_steps=2), (0.0, 0.9)),
    "wgan_gp": (functools.partial(WGANGP, penalty_weight=0.1, discriminator_steps=2), (0.5, 0.9)),
    "r3gan": (R3GAN, (0.0, 0.99)),
}
# The rate of the weights and the weight of the entropy.
WEIGHTS: dict[str, dict[str, float]] = {
    "uniform": {"weight_learning_rate": 0.0},
    "fast": {"weight_learning_rate": 0.1, "entropy_weight": 0.005},
}
UPDATES = {NS: 2500, "wgan": 1000, "wgan_gp": 1000, "r3gan": 2500}  # Of the generator, grid.
# With so many times the updates a single pair takes about the CPU time of four pairs.
EQUAL_CPU = 3
# The width of a single pair, and of four pairs with as many parameters; for points and images.
WIDE, NARROW, WIDE_IMAGES, NARROW_IMAGES = 64, 32, 128, 48
PAPER, OURS = "Arora et al. 2017", "ours, after Arora et al. 2017"

PROTOCOL = f"""
The set-ups are ours: the paper's are image networks on CIFAR-10 and CelebA, which ask for a GPU.

- `grid`: 25 Gaussians; `ring`: 8; `unbalanced`: 4 at (+-1, +-1), standard deviation .1, with
  proportions {PROPORTIONS}. MLPs of {DEPTH} hidden layers of `width` units, latent dimension 2.
- `stacked_digits`: three of scikit-learn's digits as the channels of an image of 8x8, MLPs too,
  latent dimension 32.
- A mixture has `generators` and `discriminators` networks of `width` each. It routes by slices: a
  network sees batch / k rows. Weights learn by exponentiated gradient at rate .01 with entropy .05
  (`learned`), at rate .1 with entropy .005 (`fast`), or stay `uniform`.
- Four pairs of width {NARROW} have as many parameters as one pair of width {WIDE} (of images,
  {NARROW_IMAGES} and {WIDE_IMAGES}), and take as many updates. At equal CPU time a single pair of
  width {WIDE} takes {EQUAL_CPU} times the updates of four pairs of width {WIDE}; `cpu_seconds` in
  the table, tracing included, says which side that favors.
- Batch {BATCH}, Adam {RATE:g} that falls linearly to 0 over a player's updates; betas
  {", ".join(f"{betas} ({name})" for name, (_, betas) in GAMES.items())}. WGAN clips at .1; the
  penalty of WGAN-GP has weight .1; both take 2 updates of the critic a step. R3GAN's gamma is 1.
- Pilots (seeds 100, 101) were looked at first: images are compared at equal width, since at equal
  parameters the mixture was far worse. That comparison is a claim of its own. The rate and entropy
  of `fast` are the best of five that a benchmark before this lab tried, on the same seeds.

{NUM_SAMPLES} samples a run are measured ({NUM_SHARES} of `unbalanced`, {NUM_IMAGES} of
`stacked_digits`), beside as many real draws. The rank tests are one-sided Mann-Whitney U tests,
not corrected for their number.
"""

MEASURES = {
    "parameters": "of both players",
    **sample_scores.POINTS,
    "least_variation": "`unbalanced`: the least that any weights of the same generators could give",
    "frechet": f"`stacked_digits`: {sample_scores.FRECHET}",
    "probabilities": "of the generators, falling",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""

    def arm(task: str, game: str, k: int, width: int, steps: int, **other: Any) -> dict[str, Any]:
        weights = other.pop("weights", "learned" if k > 1 else "none")
        about = {"task": task, "game": game, "generators": k, "discriminators": k}
        return {**about, "width": width, "updates": steps, "weights": weights, **other}

    equal_size = [
        arm("grid", game, k, width, UPDATES[game])
        for game in ((NS, "r3gan") if quick else GAMES)
        for k, width in ((1, WIDE), (4, NARROW))
    ]
    if quick:
        return equal_size
    equal_cpu = [
        arm("grid", game, k, WIDE, times * UPDATES[game])
        for game in GAMES
        for k, times in ((4, 1), (1, EQUAL_CPU))
    ]
    sweep = [arm("grid", NS, k, WIDE, UPDATES[NS]) for k in (2, 8)]
    parts = [
        arm("grid", NS, 4, WIDE, UPDATES[NS], **{player: 1})
        for player in ("generators", "discriminators")
    ]
    ring = [arm("ring", game, k, w, 1000) for game in GAMES for k, w in ((1, WIDE), (4, NARROW))]
    rare = [
        arm(RARE, NS, 4, WIDE, 1000, discriminators=1, weights=weights)
        for weights in ("uniform", "learned", "fast")
    ]
    stacked = [arm(STACKED, game, k, WIDE_IMAGES, 800) for game in GAMES for k in (1, 4)]
    small = arm(STACKED, "r3gan", 4, NARROW_IMAGES, 800)
    return [*equal_size, *equal_cpu, *sweep, *parts, *ring, *rare, *stacked, small]


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
    """Returns the measures of a run."""
    source = _source(task, seed)
    build_generator = functools.partial(
        networks.mlp_generator,
        source.data_shape,
        latent_dim=32 if task == STACKED else 2,
        width=width,
        depth=DEPTH,
    )
    build_discriminator = functools.partial(
        networks.mlp_discriminator, source.data_shape, width=width, depth=DEPTH
    )
    first = 1000 * seed  # No two runs share the seeds of their networks.

    def player(mixture: Any, build: Callable[..., keras.Model], count: int, first: int) -> Any:
        made = [build(seed=first + index) for index in range(count)]
        return made[0] if count == 1 else mixture(made, **WEIGHTS.get(weights, {}))

    pair = (
        player(mixtures.MixtureGenerator, build_generator, generators, first),
        player(mixtures.MixtureDiscriminator, build_discriminator, discriminators, first + 500),
    )
    make, betas = GAMES[game]
    gan = make(*pair, seed=seed)
    training.train_falling(gan, source, updates, batch_size=BATCH, rate=RATE, betas=betas)
    known = gan.generator.probabilities if generators > 1 else np.ones(1)
    return {
        **dict.fromkeys(MEASURES),
        "parameters": float(sum(network.count_params() for network in pair)),
        "probabilities": sorted(map(float, known), reverse=True),
        **_scores(task, gan, source, seed),
    }


def _source(task: str, seed: int) -> Any:
    if task != RARE:
        return data.load(task, seed=seed)
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    return data.GaussianMixture(corners, std=0.1, proportions=PROPORTIONS, seed=seed)


def _scores(task: str, gan: GAN, source: Any, seed: int) -> dict[str, float]:
    if task == STACKED:
        samples, real = gan.sample(NUM_IMAGES, seed), source.sample(NUM_IMAGES, seed=-1)
        return sample_scores.of_digits(samples, real)
    num = NUM_SHARES if task == RARE else NUM_SAMPLES
    samples = gan.sample(num, seed, batch_size=NUM_SAMPLES)
    scores = sample_scores.of_points(samples, source)
    if task == RARE:
        made = gan.sample_components(num, seed)
        scores["least_variation"] = sample_scores.least_of_parts(samples, made, source)
    return scores


def _gain(measure: str, task: str, game: str, *, width: int, times: int = 1) -> Any:
    """Returns the effect: a measure of four pairs of a width minus that of one wide pair."""
    about = {"task": task, "game": game}
    mixture = {**about, "generators": 4, "discriminators": 4, "width": width}
    single = {**about, "generators": 1, "discriminators": 1}
    if task == "grid":
        single["updates"] = times * UPDATES[game]
    return effects.difference(measure, mixture, single)


def _claims(name: str, game: str) -> list[Claim]:
    """Returns the claims about MIX + X for a game X."""
    narrow = f"four pairs of width {NARROW} less one of {WIDE}, equal updates"
    longer = f"four pairs of width {WIDE} less one at {EQUAL_CPU} times the updates"
    both = f"four pairs less one, width {WIDE_IMAGES} both"
    grid, ring, images = ((task, game) for task in ("grid", "ring", STACKED))
    slower = _gain("modes", *grid, width=WIDE, times=EQUAL_CPU)
    small, ring_ = _gain("modes", *grid, width=NARROW), _gain("sliced", *ring, width=NARROW)
    wide = _gain("frechet", *images, width=WIDE_IMAGES)
    source = PAPER if game in (NS, "wgan") else OURS  # MIX + DCGAN and MIX + WGAN are the paper's.
    return [
        Claim(f"MIX + {name} beats {name} {text}", paper, said, effect, **{side: 0.0})
        for text, paper, said, effect, side in (
            ("of as many parameters, 25 Gaussians", source, f"modes: {narrow}", small, "above"),
            ("of as much CPU time, 25 Gaussians", OURS, f"modes: {longer}", slower, "above"),
            ("of as many parameters, 8 Gaussians", source, f"sliced W1: {narrow}", ring_, "below"),
            ("of the same width, images", source, f"Frechet distance: {both}", wide, "below"),
        )
    ]


NAMES = {NS: "the non-saturating GAN", "wgan": "WGAN", "wgan_gp": "WGAN-GP", "r3gan": "R3GAN"}
CLAIMS = (
    *(claim for game, name in NAMES.items() for claim in _claims(name, game)),
    Claim(
        "Images gain at equal parameters, too",
        OURS,
        f"Frechet distance, stacked digits, R3GAN: four pairs of width {NARROW_IMAGES} less one",
        _gain("frechet", STACKED, "r3gan", width=NARROW_IMAGES),
        below=0.0,
    ),
    Claim(
        "It is the generators that win, not the discriminators",
        "ours; the paper mixes both",
        f"modes: four generators, one discriminator less the reverse, width {WIDE}",
        effects.difference(
            "modes",
            {"task": "grid", "generators": 4, "discriminators": 1},
            {"task": "grid", "generators": 1, "discriminators": 4},
        ),
        above=0.0,
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
        f"{row.generators}x{row.discriminators}, width {row.width}, {row.updates} updates"
        + (f", {row.weights}" if row.weights in ("uniform", "fast") else "")
        for row in rows.itertuples()
    ]
    return rows.assign(arm=names)


def _draw(rows: pd.DataFrame) -> Figure:
    pairs = rows["generators"] == rows["discriminators"]
    rows = _arms(rows[pairs & (rows["task"] == "grid")])
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
    better = {"modes": "greater", "high_quality": "greater"}
    better |= dict.fromkeys(("sliced", "variation", "frechet"), "less")
    return rank_tests(_arms(rows), by=["task", "game"], arm="arm", better=better)


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
