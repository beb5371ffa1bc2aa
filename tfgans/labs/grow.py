"""Compares mixtures that drop and split generators with mixtures of a fixed number."""

import functools
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from tfgans import callbacks, networks
from tfgans.labs import arms, effects, mix, sample_scores, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.mix import BATCH, DEPTH, GAMES, GRID, NS, RARE, RATE, WIDE
from tfgans.labs.verdicts import sign_tests
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

# CPU seconds of training.
SECONDS = {GRID: 5.0, RARE: 3.0}
NUM_SAMPLES = 20_000
# Training steps between readings of the weights, and readings before a change.
EVERY, PATIENCE = 40, 2
NOISE = 0.1
# The rate of the weights and the weight of the entropy, of all arms.
WEIGHTS = {"weight_learning_rate": 0.3, "entropy_weight": 0.001}


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
FOUR, EIGHT, DROPPED, SPLIT = ARMS

PROTOCOL = f"""
No paper has this: mixtures of MIX+GAN have a fixed number of networks. The tasks, the networks, the
optimizers and the clock are those of the lab `mix`: {NS} and R3GAN on 25 Gaussians (`grid`), and
{NS} on four of unequal shares (`unbalanced`), against one discriminator.

- `4 fixed`, `8 fixed`: that many generators to the end.
- `8, dropped`: 8 at the start. A generator whose weight was under 1 / (4 k) at each of
  {PATIENCE} readings, {EVERY} training steps apart, is dropped.
- `2, split to 8`: 2 at the start. Every {PATIENCE * EVERY} steps a generator is dropped by the same
  rule, or else that of the largest weight is split while there are fewer than 8: its copy, with
  noise of {NOISE:g} times the root mean square of each variable, gets half of its weight.
- Equal CPU time: {SECONDS[GRID]:g} CPU seconds of training on the grid, {SECONDS[RARE]:g} on the
  unbalanced task; the rate falls linearly to 0 over them. TensorFlow traces the step again after
  each change. This is not in these seconds, as the first tracing is not: `tracing_seconds` says how
  long it took. It is as long however long the training is, and longer than these short runs.
- In all arms the weights learn at rate {WEIGHTS["weight_learning_rate"]:g} with entropy
  {WEIGHTS["entropy_weight"]:g}: fast, so that some die. In trials (seed 100, 4 readings) no
  generator was dropped at rate .1 with entropy .005. Noise of .5 was tried, too.
- Seeds 1000 and up, which no trial had. The machine was busy with other jobs, so a CPU second
  bought fewer updates than on an idle one, and not as many in each run (`num_updates`).

{NUM_SAMPLES} samples a run are measured, beside as many real draws.
"""

MEASURES = {
    "num_updates": "updates of the generator",
    "train_seconds": "CPU seconds of training, without tracing, sampling and measuring",
    "tracing_seconds": "CPU seconds of tracing the step, at the start and after each change",
    "num_generators": "generators at the end",
    **sample_scores.POINTS,
    "least_variation": "`unbalanced`: the least that any weights of the same generators could give",
    "probabilities": "of the generators at the end, falling",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer if `quick`."""
    settings = [(GRID, NS)] if quick else [(GRID, NS), (GRID, "r3gan"), (RARE, NS)]
    return [
        {"task": task, "game": game, **arm._asdict(), "seconds": SECONDS[task]}
        for task, game in settings
        for arm in ARMS.values()
    ]


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
        "tracing_seconds": spent.tracing_seconds,
        "probabilities": sorted(map(float, gan.generator.probabilities), reverse=True),
        "num_generators": float(gan.generator.num_components),
        **mix.scores_of(task, gan, source, NUM_SAMPLES, seed),
    }


def _gain(measure: str, task: str, game: str, first: str, second: str) -> effects.Effect:
    """Returns the effect: a measure of an arm minus that of another."""
    pair = ({"task": task, "game": game, **ARMS[name]._asdict()} for name in (first, second))
    return effects.difference(measure, *pair)


def _claims(task: str, game: str) -> list[Claim]:
    """Returns the claims about the arms that change their number."""
    coverage = ("modes", "modes", "above")
    if task == RARE:
        coverage = ("variation", "total variation of the shares of the modes", "below")
    return [
        Claim(
            f"`{first}` beats `{second}` on `{task}` ({game}), by {described}",
            "ours",
            f"{described}: {first} less {second}, {SECONDS[task]:g} CPU seconds both",
            _gain(measure, task, game, first, second),
            **{side: 0.0},
        )
        for first, second in ((DROPPED, EIGHT), (SPLIT, EIGHT), (SPLIT, FOUR))
        for measure, described, side in (coverage, ("sliced", "sliced W1", "below"))
    ]


CLAIMS = tuple(
    claim
    for task, game in ((GRID, NS), (GRID, "r3gan"), (RARE, NS))
    for claim in _claims(task, game)
)


def _draw(rows: pd.DataFrame) -> Figure:
    rows = arms.named(rows, ARMS, Arm._fields)
    groups = list(rows.groupby(["task", "game"], sort=False))
    figure, axes = plots.panels(len(groups), 2, size=(5.4, 2.2))
    for row, ((task, game), ours) in zip(axes, groups, strict=True):
        names = ("variation" if task == RARE else "modes", "sliced")
        for axis, name in zip(row, names, strict=True):
            plots.boxes(axis, {arm: runs[name] for arm, runs in ours.groupby("arm", sort=False)})
            axis.set(title=f"{task}, {game}", ylabel=name.replace("sliced", "sliced W1"))
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in MEASURES if name != "probabilities"]
    return summaries(arms.named(rows, ARMS, Arm._fields), ["task", "game", "arm"], names)


def _signs(rows: pd.DataFrame) -> pd.DataFrame:
    better = {"modes": "greater", "variation": "less", "sliced": "less", "high_quality": "greater"}
    return sign_tests(
        arms.named(rows, ARMS, Arm._fields),
        by=["task", "game"],
        arm="arm",
        baseline="4 fixed",
        better=better,
    )


LAB = Lab(
    name="grow",
    title="Generators that are dropped and split",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "arms": Drawing(
            "What each arm reaches: modes covered, or total variation of the shares of the modes, "
            "and sliced W1. A point is a seed.",
            _draw,
        )
    },
    tables={"Arms": _table, "Sign tests, seed by seed: better than `4 fixed`": _signs},
    first_seed=1000,
    one_at_a_time=True,
)
