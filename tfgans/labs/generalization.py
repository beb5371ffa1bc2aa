"""Measures how distances of few samples generalize: Arora et al. 2017."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import special

from tfgans import data, games, metrics, networks
from tfgans.labs import training
from tfgans.labs.effects import Effect, value
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.methods import NonSaturatingGAN
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

SAME, MEMORY, TRAINED = "same", "memory", "trained"
# The time of an exact W1 grows with the cube of the number of samples.
SIZES, WASSERSTEIN_SIZES = (64, 256, 1024, 4096), (64, 256, 1024)
MEMORIES = (16, 64, 256, 1024, 4096)
HELD_OUT, NUM_REAL = 2048, 16_384
EPSILON, DIM, BATCH, STEPS = 0.1, 20, 64, 1500
PAPER = "Arora et al. 2017"

PROTOCOL = f"""
The set-ups are ours; the paper proves, and shows no numbers of them. Distances are of
`phi(t) = t`: `sup_D E_real D + E_fake (1 - D) - 1`, which lies in [0, 1]. Discriminators have one
hidden layer of `width` and a sigmoid; the supremum is what 1000 steps of Adam (3e-3 falling to 0,
batch 256) reach, which may fall short of it more where samples are many.

- `same`: two samples of `size` draws each of N(0, I / dim), the distribution of the paper's Lemma
  1 (which takes one sample and the distribution). The true distance is 0. The neural net distance
  is taken on the samples and, of the same discriminator, on {HELD_OUT} fresh draws of each side.
  Beside it, on `size` of these draws each, are the exact W1 (up to {WASSERSTEIN_SIZES[-1]}) and the
  Jensen-Shannon divergence.
- `memory`: real draws of N(0, I) in {DIM} dimensions, and a generator that is uniform on `size`
  memorized ones. The discriminator learns from {NUM_REAL} draws of each side, and the distance is
  what it reaches on {HELD_OUT} more: a lower bound on that of the distributions themselves. The
  size that is needed is where it falls to {EPSILON}, on a line between two sizes on log axes.
- `trained`: a non-saturating GAN (generator: MLP of two layers of 32, latents {DIM}; discriminator:
  two of `width`) trained on `num` draws of the same N(0, I): {STEPS} steps, batch {BATCH}, Adam
  1e-3, betas (0.5, 0.999). Ten times it is seen how much more its discriminator gives to the
  training examples than to 8192 fresh ones, `E_train D - E_fresh D`.
"""

MEASURES = {
    "size": f"`same`: draws of each side, {SIZES}; `memory`: memorized draws, {MEMORIES}",
    "sample_distance": "neural net distance on the examples that the discriminator was trained on",
    "distance": "that of the same discriminator on fresh draws",
    "wasserstein": f"`same`: exact W1 of the two samples, of sizes {WASSERSTEIN_SIZES}",
    "divergence": "`same`: Jensen-Shannon divergence of the two samples, nats",
    "step": "`trained`: training steps at which it was looked",
    "train_excess": "`trained`: E D over the training examples less E D over fresh ones",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    same = [(SAME, dim, 4, 0) for dim in ((100, 300) if quick else (10, 100, 300))]
    memory = [(MEMORY, DIM, width, 0) for width in ((4, 64) if quick else (4, 16, 64))]
    widths, nums = ((64,), (64, 4096)) if quick else ((16, 64), (64, 512, 4096))
    trained = [(TRAINED, DIM, width, num) for width in widths for num in nums]
    names = ("task", "dim", "width", "num")
    return [dict(zip(names, cell, strict=True)) for cell in same + memory + trained]


def measure(*, task: str, dim: int, width: int, num: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    run = {SAME: _same, MEMORY: _memory, TRAINED: _trained}[task]
    return {**dict.fromkeys(MEASURES), **run(dim, width, num, seed)}


def _same(dim: int, width: int, _: int, seed: int) -> dict[str, Any]:
    columns: Any = {name: [] for name in list(MEASURES)[1:5]}
    for size in SIZES:
        first, second = (
            _normal(size + HELD_OUT, dim, seed, size, side) / math.sqrt(dim) for side in (0, 1)
        )
        seen = _distance(first, second, width, seed)
        first, second = first[:size], second[:size]
        columns["sample_distance"].append(seen.train_distance)
        columns["distance"].append(seen.distance)
        columns["divergence"].append(sample_divergence(first, second))
        if size in WASSERSTEIN_SIZES:
            columns["wasserstein"].append(metrics.wasserstein_distance(first, second))
    return {"size": list(SIZES), **columns}


def _memory(dim: int, width: int, _: int, seed: int) -> dict[str, Any]:
    seen = []
    for size in MEMORIES:
        count = NUM_REAL + HELD_OUT
        real, known = _normal(count, dim, seed, size, 0), _normal(size, dim, seed, size, 1)
        chosen = np.random.default_rng([seed, size, 2]).integers(size, size=count)
        seen.append(_distance(real, known[chosen], width, seed))
    return {
        "size": list(MEMORIES),
        "sample_distance": [result.train_distance for result in seen],
        "distance": [result.distance for result in seen],
    }


def _trained(dim: int, width: int, num: int, seed: int) -> dict[str, Any]:
    known, fresh = _normal(num, dim, seed, 0), _normal(8192, dim, seed, 1)
    generator = networks.mlp_generator((dim,), latent_dim=dim, width=32, depth=2, seed=seed)
    discriminator = networks.mlp_discriminator((dim,), width=width, depth=2, seed=seed + 1000)

    def excess(gan: Any) -> float:
        logits = map(gan.discriminator.predict_on_batch, (known, fresh))
        on_known, on_fresh = (float(special.expit(values).mean()) for values in logits)
        return on_known - on_fresh

    measure_steps = list(range(STEPS // 10, STEPS + 1, STEPS // 10))
    values = training.train(
        NonSaturatingGAN(generator, discriminator, seed=seed),
        data.from_array(known, seed=seed),
        measure_steps=measure_steps,
        measure=excess,
        batch_size=BATCH,
        learning_rate=1e-3,
        betas=(0.5, 0.999),
    )
    return {"step": measure_steps, "train_excess": values}


def _normal(count: int, dim: int, *entropy: int) -> np.ndarray:
    """Returns float32 draws of N(0, I)."""
    return np.random.default_rng(entropy).normal(size=(count, dim)).astype(np.float32)


def _distance(first: np.ndarray, second: np.ndarray, width: int, seed: int) -> Any:
    dim = first.shape[1]
    return games.neural_net_distance(
        first,
        second,
        discriminator=lambda: networks.mlp_discriminator((dim,), width=width, depth=1, seed=seed),
        phi="linear",
        steps=1000,
        learning_rate=3e-3,
        held_out=HELD_OUT / len(first),
        seed=seed,
    )


def sample_divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the Jensen-Shannon divergence, in nats, of two samples of the same size.

    None has a point twice: each point that they do not share adds its weight times log 2.
    """
    shared = {row.tobytes() for row in first} & {row.tobytes() for row in second}
    return math.log(2) * (1 - len(shared) / len(first))


def slope(sizes: Any, values: Any) -> float:
    """Returns the exponent a of the power law `size^a` of the least-squares fit on log axes."""
    # Noise around 0 may be negative.
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-3)), 1)[0])


def size_needed(sizes: Sequence[float], distances: Sequence[float]) -> float:
    """Returns the size at which a falling distance reaches `EPSILON`, or NaN."""
    logs = np.log(np.maximum(distances, 1e-3) / EPSILON)
    below = np.flatnonzero(logs <= 0)
    if not len(below):
        return float("nan")
    around = [below[0], max(below[0] - 1, 0)]
    return math.exp(np.interp(0.0, logs[around], np.log(sizes)[around]))


def _capacity_slopes(rows: pd.DataFrame) -> list[float]:
    """Returns the exponent of the size needed, in the number of parameters, by seed."""
    return [
        slope(
            # Each unit has `DIM` weights, a bias and an output weight; the output has a bias.
            runs["width"] * (DIM + 2) + 1,
            [size_needed(MEMORIES, distances) for distances in runs["distance"]],
        )
        for _, runs in rows.groupby("seed")
    ]


def _excess_slopes(rows: pd.DataFrame) -> list[float]:
    """Returns the exponent of the largest excess in the number of examples, by seed."""
    return [
        slope(runs["num"], [np.abs(excess).max() for excess in runs["train_excess"]])
        for _, runs in rows.groupby("seed")
    ]


CLAIMS = (
    Claim(
        "Samples of one distribution are at least 1.1 apart in W1",
        f"{PAPER}, Lemma 1 (which says log 2 in Jensen-Shannon divergence, too: so of any density)",
        f"W1 of {WASSERSTEIN_SIZES[-1]} draws each, dimension 300",
        value("wasserstein", {"task": SAME, "dim": 300}),
        above=1.1,
    ),
    Claim(
        "The neural net distance generalizes: its error falls like the root of the sample size",
        f"{PAPER}, Theorem 3.1",
        f"exponent of the distance of two samples in their size, {SIZES[0]} to {SIZES[-1]}, "
        "dimension 100 (theory: -0.5; one that falls faster passes too)",
        Effect(
            lambda rows: [slope(SIZES, values) for values in rows["sample_distance"]],
            [{"task": SAME, "dim": 100}],
        ),
        below=-0.4,
    ),
    Claim(
        "Discriminators of bounded capacity do not see that a generator only memorized",
        f"{PAPER}, Theorem 3.1",
        f"distance of {MEMORIES[-1]} memorized draws, width 4",
        value("distance", {"task": MEMORY, "width": 4}),
        below=EPSILON,
    ),
    Claim(
        "The memory that fools must grow with the discriminator's capacity",
        f"{PAPER}, Theorem 3.1",
        f"exponent of the size at distance {EPSILON} in the number of parameters (the bound: 1)",
        Effect(_capacity_slopes, [{"task": MEMORY}]),
        above=0.2,
    ),
    Claim(
        "All through training, enough training examples stand for the distribution",
        f"{PAPER}, the corollary of Theorem 3.1",
        "exponent in the number of training examples of the largest excess of E D over them",
        Effect(_excess_slopes, [{"task": TRAINED, "width": 64}]),
        below=-0.5,
    ),
)


def _draw(rows: pd.DataFrame) -> Figure:
    figure, axes = plots.panels(1, 3)
    same, memory = (rows[rows["task"] == task] for task in (SAME, MEMORY))
    for (dim, runs), color in zip(same.groupby("dim"), plots.COLORS, strict=False):
        label = f"dimension {dim}"
        plots.curve(axes[0, 0], SIZES, runs["sample_distance"], label=label, color=color)
        plots.curve(axes[0, 1], WASSERSTEIN_SIZES, runs["wasserstein"], label=label, color=color)
    for (width, runs), color in zip(memory.groupby("width"), plots.COLORS, strict=False):
        label = f"width {width}"
        plots.curve(axes[0, 2], MEMORIES, runs["distance"], label=label, color=color)
    axes[0, 2].axhline(EPSILON, color=plots.COLORS[-1], lw=0.8)
    titles = ("same: neural net distance", "same: W1", "memory: neural net distance")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set(xscale="log", yscale="log", title=title, xlabel="size")
        axis.legend()
    axes[0, 1].set_yscale("linear")
    return figure


def _draw_training(rows: pd.DataFrame) -> Figure:
    widths = rows[rows["task"] == TRAINED].groupby("width")
    figure, axes = plots.panels(1, len(widths), sharey=True)
    for axis, (width, group) in zip(axes[0], widths, strict=True):
        for (num, runs), color in zip(group.groupby("num"), plots.COLORS, strict=False):
            label, steps = f"{num} training examples", runs["step"].iloc[0]
            plots.curve(axis, steps, runs["train_excess"], label=label, color=color)
        axis.set(title=f"width {width}", xlabel="training steps")
    axes[0, 0].set_ylabel("E D, training less fresh")
    axes[0, 0].legend()
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["sample_distance", "distance"]
    each = rows[rows["task"] != TRAINED].explode(["size", *columns])
    return summaries(each, ["task", "dim", "width", "size"], columns)


LAB = Lab(
    name="generalization",
    title="What generalizes, and what is fooled by a memory",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "distances": Drawing(
            "Two samples of one distribution; and a generator that memorized so many draws, as "
            "seen by discriminators of several widths. Medians and ranges of the seeds.",
            _draw,
        ),
        "training": Drawing(
            "E D over the training examples less that over fresh ones.", _draw_training
        ),
    },
    tables={"Neural net distances": _table},
)
