"""Measures the distance of trained mixtures to an equilibrium of their game: Arora et al. 2017."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, games, metrics, networks
from tfgans.labs import training
from tfgans.labs.effects import Effect, differences, ratio, ratios
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.methods import NonSaturatingGAN
from tfgans.mixtures import MixtureDiscriminator, MixtureGenerator
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

BATCH, LATENTS, DEPTH, WIDTH = 256, 2, 3, 32
# Components of the mixture, and the width of a single network with as many parameters.
K, WIDE = 8, 94
RATE, BETAS = 1e-3, (0.5, 0.999)
NUM_HELD_OUT, NUM_EVALUATED = 4096, 2048
GAME_VALUE = -2 * math.log(2)
PAPER = "Arora et al. 2017"

PROTOCOL = f"""
The set-up is ours; the paper proves that equilibria exist and scores images.

Data: 25 Gaussians (`tfgans.data.Grid`). Both players are mixtures of `k` MLPs of {DEPTH} hidden
layers of `width`, latents {LATENTS}; k = 1 is one pair of plain networks, and one of width {WIDE}
has the parameters of {K} of width {WIDTH}. Non-saturating cost, slices of the batch of {BATCH},
exponentiated gradient .01, entropy weight .05, Adam {RATE:g} (not falling, so that what circles
goes on), betas {BETAS}, `updates` of each player.

A payoff is what the discriminators earn on held-out examples, E log D + E log(1 - D), in nats:
-2 log 2 where they only guess, which is the value that the paper promises to
mixtures of enough generators, whatever the discriminator.

- The payoff matrix of the components is taken on {NUM_HELD_OUT} held-out examples; `exploitability`
  is what both sides together gain by their best pure replies among the components. One pair has no
  other components: its exploitability is 0 and says nothing.
- So a new reply is trained too, the same for all arms: a discriminator of width {WIDTH},
  1000 steps of Adam (falling to 0), against the frozen generators, on {NUM_HELD_OUT} draws of each
  side; what it earns above -2 log 2 is taken on as many others. It is a neural net distance of
  phi = log, and a lower bound on how far the generators are from an equilibrium.
- `payoff` is looked at 20 times over the training, on {NUM_EVALUATED} examples: of a game that has
  settled it stands still, or drifts as the generators learn.
"""

MEASURES = {
    "step": "updates at which the payoff was looked at",
    "payoff": "what the discriminators earn then, by the mixtures' weights, nats",
    "oscillation": "its deviation (RMS) from a line over the second half of the training, nats",
    "pair_oscillation": "that of one generator and one discriminator, mean over the pairs, nats",
    "reply": "what a new discriminator earns above -2 log 2 against the trained generators, nats",
    "value": "payoff of the trained mixtures on held-out examples, nats",
    "matrix_value": "value of the payoff matrix, nats",
    "exploitability": "gains of the best pure replies among the components, both sides, nats",
    "pure_exploitability": "the least of any pair of one generator and one discriminator, nats",
    "standard_error": "mean standard error of an entry of the payoff matrix, nats",
    "modes": "modes covered, of 25",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    updates = 800 if quick else 1500
    arms = [(1, WIDTH), (K, WIDTH)] if quick else [(k, WIDTH) for k in (1, 2, 4, 8)]
    return [{"k": k, "width": width, "updates": updates} for k, width in [*arms, (1, WIDE)]]


def measure(*, k: int, width: int, updates: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    source = data.Grid(seed=seed)
    gan = NonSaturatingGAN(*_players(k, width, seed), seed=seed)
    real = source.sample(NUM_EVALUATED, seed=-1)
    measure_steps = list(range(updates // 20, updates + 1, updates // 20))
    seen = training.train(
        gan,
        source,
        measure_steps=measure_steps,
        measure=lambda gan: _measure(gan, real),
        batch_size=BATCH,
        learning_rate=RATE,
        betas=BETAS,
    )
    payoffs = [payoff for payoff, _ in seen]
    pairs = np.array([pairs.ravel() for _, pairs in seen]).T
    late = len(seen) // 2
    result = games.equilibrium(gan, source.sample(NUM_HELD_OUT, seed=-2), seed=seed)
    values = result.payoff.values
    samples = gan.sample(10_000, seed=seed + 1, batch_size=10_000)
    return {
        "step": measure_steps,
        "payoff": payoffs,
        "oscillation": oscillation(payoffs[late:]),
        "pair_oscillation": float(np.mean([oscillation(pair[late:]) for pair in pairs])),
        "reply": _reply(source, samples[: 2 * NUM_HELD_OUT], seed),
        "value": result.value,
        "matrix_value": result.game.value,
        "exploitability": result.generator_gain + result.discriminator_gain,
        "pure_exploitability": pure_exploitability(values),
        "standard_error": float(result.payoff.standard_errors.mean()),
        "modes": float(metrics.mode_coverage(samples, source.modes, source.std).modes),
    }


def _players(k: int, width: int, seed: int) -> tuple[Any, Any]:
    shape: Any = {"width": width, "depth": DEPTH}
    first = 1000 * seed  # Other first weights for each network of each run.
    generators = [
        networks.mlp_generator((2,), latent_dim=LATENTS, seed=first + i, **shape) for i in range(k)
    ]
    discriminators = [
        networks.mlp_discriminator((2,), seed=first + 500 + i, **shape) for i in range(k)
    ]
    if k == 1:
        return generators[0], discriminators[0]
    return MixtureGenerator(generators), MixtureDiscriminator(discriminators)


def _payoffs(gan: Any, real: np.ndarray) -> np.ndarray:
    """Returns E log D + E log(1 - D) of each generator (row) and discriminator (column)."""

    def logits(examples: np.ndarray) -> np.ndarray:
        return np.asarray(gan.discriminator.predict_on_batch(examples), np.float64)

    num, count = len(real), len(_weights(gan.generator))
    components = range(count) if count > 1 else [None]
    fakes = [gan.sample(num, seed=0, batch_size=num, component=index) for index in components]
    on_fake = [np.logaddexp(0, logits(fake)).mean(axis=0) for fake in fakes]
    payoffs: np.ndarray = -np.logaddexp(0, -logits(real)).mean(axis=0) - np.array(on_fake)
    return payoffs


def _weights(player: Any) -> np.ndarray:
    return np.asarray(getattr(player, "probabilities", np.ones(1)), np.float64)


def _measure(gan: Any, real: np.ndarray) -> tuple[float, np.ndarray]:
    payoffs = _payoffs(gan, real)
    return float(_weights(gan.generator) @ payoffs @ _weights(gan.discriminator)), payoffs


def oscillation(values: Sequence[float]) -> float:
    """Returns the root mean square of the residuals of a straight line fitted to a series."""
    places = np.arange(len(values))
    return float(np.std(values - np.polyval(np.polyfit(places, values, 1), places)))


def _reply(source: Any, fake: np.ndarray, seed: int) -> float:
    result = games.neural_net_distance(
        source.sample(len(fake), seed=-3),
        fake,
        discriminator=lambda: networks.mlp_discriminator((2,), width=WIDTH, depth=DEPTH, seed=seed),
        seed=seed,
    )
    return result.distance


def pure_exploitability(payoff: np.ndarray) -> float:
    """Returns the least exploitability of a pure pair, a row and a column."""
    # The best column against row i gains max_j F_ij, the best row against column j min_i F_ij.
    gaps = payoff.max(axis=1)[:, np.newaxis] - payoff.min(axis=0)[np.newaxis]
    return float(gaps.min())


MIXED = {"k": K, "width": WIDTH}


def _ratio(name: str, *, width: int) -> Effect:
    """Returns the effect: the measure of `K` components over that of one pair of this width."""
    return ratio(name, MIXED, {"k": 1, "width": width})


CLAIMS = (
    Claim(
        "Mixtures come nearer to the equilibrium than one pair",
        PAPER,
        f"what a new discriminator earns above -2 log 2: k = {K} over k = 1, same width",
        _ratio("reply", width=WIDTH),
        below=0.8,
    ),
    Claim(
        "Not by their size alone",
        f"{PAPER}; the comparison is ours",
        f"the same: k = {K} over one pair of as many parameters",
        _ratio("reply", width=WIDE),
        below=1.0,
    ),
    Claim(
        "One pair goes round where mixtures settle",
        f"{PAPER}; the measure is ours",
        f"oscillation of the payoff: k = {K} over k = 1, same width",
        _ratio("oscillation", width=WIDTH),
        below=0.8,
    ),
    Claim(
        "Not by averaging alone: each of its pairs is calmer than the single one",
        "ours",
        f"oscillation of a pair's payoff: mean over the pairs of k = {K} over k = 1, same width",
        _ratio("pair_oscillation", width=WIDTH),
        below=1.0,
    ),
    Claim(
        "The components of a trained mixture have no equilibrium in pure strategies",
        f"{PAPER} (of networks; of trained components, ours)",
        f"exploitability of the best pure pair over the standard error of an entry, k = {K}",
        Effect(lambda rows: ratios(rows["pure_exploitability"], rows["standard_error"]), [MIXED]),
        above=2.0,
    ),
    Claim(
        "The learned weights are nearer to the equilibrium of the components than any pure pair",
        PAPER,
        f"exploitability of the best pure pair less that of the weights, k = {K}, nats",
        Effect(
            lambda rows: differences(rows["pure_exploitability"], rows["exploitability"]), [MIXED]
        ),
        above=0.0,
    ),
    Claim(
        "MIX+DCGAN and MIX+WGAN have higher Inception scores than DCGAN and WGAN on CIFAR-10",
        PAPER,
        "it needs the Inception network and GPU-days",
    ),
)
_LABELS = {(1, WIDE): f"one pair, width {WIDE}"}


def _label(k: int, width: int) -> str:
    return _LABELS.get((k, width), "one pair" if k == 1 else f"k = {k}")


def _draw(rows: pd.DataFrame) -> Figure:
    arms = rows.sort_values(["width", "k", "seed"]).groupby(["width", "k"])
    figure, axes = plots.panels(1, 3)
    for (width, k), runs in arms:
        if (k, width) in ((1, WIDTH), (K, WIDTH)):
            for index, payoff in enumerate(runs["payoff"]):
                label = _label(k, width) if not index else None
                color = plots.COLORS[k == 1]
                axes[0, 0].plot(runs["step"].iloc[0], payoff, color=color, label=label, lw=0.8)
    axes[0, 0].axhline(GAME_VALUE, color=plots.COLORS[-1], lw=0.8)
    axes[0, 0].set(xlabel="updates", ylabel="payoff (nats)")
    axes[0, 0].legend()
    for axis, name in zip(axes[0, 1:], ("reply", "oscillation"), strict=True):
        plots.boxes(axis, {_label(k, width): runs[name].tolist() for (width, k), runs in arms})
        axis.set_ylabel(f"{name} (nats)")
        axis.set_ylim(bottom=0)
        axis.tick_params(axis="x", rotation=30)
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    shown = [name for name in MEASURES if name not in ("step", "payoff")]
    return summaries(rows, ["k", "width"], shown)


LAB = Lab(
    name="equilibrium",
    title="How near mixtures come to an equilibrium",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "equilibrium": Drawing(
            "Left: what the discriminators earn over the training, a line a seed; gray is -2 log "
            "2, where they only guess. Middle: what a new discriminator earns above it after the "
            "training. Right: how much the payoff still moves in the second half.",
            _draw,
        ),
    },
    tables={"After the training": _table},
)
