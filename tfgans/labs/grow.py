"""Compares mixtures that drop and split generators with mixtures of a fixed number."""

import functools
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from tfgans import callbacks, networks
from tfgans.labs import arms, effects, mix, plots, sample_scores, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.mix import BATCH, DEPTH, GAMES, GRID, NS, RARE, RATE, WIDE
from tfgans.labs.verdicts import sign_tests, summaries

# CPU seconds of training.
SECONDS = {GRID: 6.0, RARE: 3.0}
# Training steps between readings of the weights, and readings before a change.
EVERY, PATIENCE = 40, 4
NOISE = 0.1
# The rate of the weights and the weight of the entropy, of all arms.
WEIGHTS = {"weight_learning_rate": 0.1, "entropy_weight": 0.005}


class Arm(NamedTuple):
    """The generators of an arm, against one discriminator.

    Attributes:
        generators: Number at the start.
        most: Number up to which they are split; 0: none is split.
        drops: Whether those of small weight are dropped: 1 or 0.
    """

    generators: int
    most: int
    drops: int


ARMS = {
    "4 fixed": Arm(4, 0, 0),
    "8 fixed": Arm(8, 0, 0),
    "8, dropped": Arm(8, 0, 1),
    "2, split to 8": Arm(2, 8, 1),
}


def measure(
    *, task: str, game: str, generators: int, most: int, drops: int, seconds: float, seed: int
) -> dict[str, Any]:
    """Returns the measures of a run."""
    source = mix.source_of(task, seed)
    build_generator = functools.partial(
        networks.mlp_generator, source.data_shape, latent_dim=2, width=WIDE, depth=DEPTH
    )
    build_discriminator = functools.partial(
        networks.mlp_discriminator, source.data_shape, width=WIDE, depth=DEPTH
    )
    pair = arms.players(
        arms.Arm(generators, 1, "none", WIDE),
        build_generator,
        build_discriminator,
        seed=seed,
        weights=WEIGHTS,
    )
    make, betas = GAMES[game]
    gan = make(*pair, seed=seed)
    adapt = callbacks.AdaptComponents(
        every_steps=EVERY, patience=PATIENCE, max_components=most or None, noise=NOISE
    )
    spent = training.spend(
        gan,
        source,
        seconds=seconds,
        batch_size=BATCH,
        rate=RATE,
        betas=betas,
        callbacks=[adapt] if drops else [],
    )
    return {
        **dict.fromkeys(MEASURES),
        "num_updates": float(spent.updates),
        "train_seconds": spent.cpu_seconds,
        "change_seconds": spent.change_seconds,
        "probabilities": sorted(map(float, gan.generator.probabilities), reverse=True),
        "num_generators": float(gan.generator.num_components),
        **mix.scores_of(task, gan, source, seed),
    }


MEASURES = {
    "num_updates": "updates of the generator",
    "train_seconds": "CPU seconds of training, without tracing, changes, sampling and measuring",
    "change_seconds": "CPU seconds of changes and of tracing the step again after them",
    "num_generators": "generators at the end",
    **sample_scores.POINTS,
    "least_variation": "`unbalanced`: the least that any weights of the same generators could give",
    "probabilities": "of the generators at the end, falling",
}
