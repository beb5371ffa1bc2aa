"""Estimates the support of GANs by the birthday paradox test of Arora & Zhang 2017."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist

from tfgans import data, metrics, networks
from tfgans.labs import training
from tfgans.labs.effects import Effect, ratio, value
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.methods import NonSaturatingGAN
from tfgans.mixtures import MixtureGenerator
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

MEMORY, TRAINED = "memory", "trained"
SHAPE, LATENTS, WIDTH, BATCH = (8, 8, 1), 16, 16, 64
RATE, BETAS = 2e-3, (0.5, 0.9)
# The part of the real images that has another real image within the distance.
QUANTILE = 0.05
NUM_BATCHES = 200
PAPER = "Arora & Zhang 2017"

PROTOCOL = f"""
The set-up is ours; the paper's images are of CelebA and CIFAR-10, and people judge what is a
duplicate among the closest pairs.

The estimate is the number n of equally likely images of which so many batches as were seen, of
{NUM_BATCHES}, would have two alike. For unequal shares it is 1 / sum p^2, a lower bound. Distances
are Euclidean, of pixels in [-1, 1].

- `memory`: a generator that is uniform on `num` images of random pixels, each time with Gaussian
  noise of 0.01 on each pixel; duplicates lie within 1. The truth is `num`.
- `trained`: a DCGAN (8x8, width {WIDTH}, latents {LATENTS}) on scikit-learn's digits (1437 to
  train on), by the non-saturating cost, against a DCGAN discriminator of `width`; `k` generators of
  that kind are mixed. Batch {BATCH}, Adam, whose rate falls from {RATE:g} to 0, betas {BETAS},
  `num` steps. Duplicates are as near as only
  {QUANTILE:.0%} of the real images are to another one; the support of the data at that distance is
  1 over the share of pairs of real images that lie within it.
- A sample is a copy when a training image is as near. New draws of the data would be copies about
  as often as {QUANTILE:.0%}. `precision` and `recall` (nearest 5, pixels, as many samples) say
  whether what is diverse is also like the data.
"""

MEASURES = {
    "support": "the estimate of the number of different images",
    "support_low": "lower end of its 95 % interval",
    "support_high": "upper end",
    "relative_support": "the estimate over the support of the data (`memory`: over `num`)",
    "batch_size": "images in a batch, at which about half of the batches have a duplicate",
    "copy_share": "share of samples as near to a training image as a duplicate",
    "precision": "share of samples on the manifold of the data",
    "recall": "share of the data on the manifold of the samples",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    widths, steps = ((2, 16), 1000) if quick else ((2, 4, 8, 16, 32), 1500)
    memories = [(MEMORY, 0, 1, num) for num in (100, 1000, 10_000)]
    trained = [(TRAINED, width, 1, steps) for width in widths]
    names = ("task", "width", "k", "num")
    every = [*memories, *trained, (TRAINED, 16, 3, steps)]
    return [dict(zip(names, cell, strict=True)) for cell in every]


def measure(*, task: str, width: int, k: int, num: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    return _memory(num, seed) if task == MEMORY else _trained(width, k, num, seed)


def _memory(num: int, seed: int) -> dict[str, Any]:
    sample = memorizing(num, seed)
    known = np.random.default_rng([seed, 0]).uniform(-1, 1, [num, *SHAPE])
    near = metrics.nearest_neighbors(sample(1000, -1), known, copy_quantile=QUANTILE)
    return {
        **dict.fromkeys(MEASURES),
        **_estimate(sample, threshold=1.0, truth=num, seed=seed),
        "copy_share": near.copy_share,
    }


def memorizing(num: int, seed: int) -> Callable[[int, int], np.ndarray]:
    """Returns the `sample` function of a generator that draws uniformly from `num` images."""
    known = np.random.default_rng([seed, 0]).uniform(-1, 1, [num, *SHAPE])

    def sample(count: int, draw: int) -> np.ndarray:
        rng = np.random.default_rng([seed, 1, draw % 2**64])
        chosen = known[rng.integers(num, size=count)]
        return chosen + 0.01 * rng.normal(size=chosen.shape)

    return sample


def _trained(width: int, k: int, steps: int, seed: int) -> dict[str, Any]:
    source: Any = data.load("digits", seed=seed)
    real = source.rows(np.arange(len(source.array))).numpy()
    generators = [
        networks.dcgan_generator(SHAPE, latent_dim=LATENTS, width=WIDTH, seed=1000 * seed + index)
        for index in range(k)
    ]
    generator = MixtureGenerator(generators) if k > 1 else generators[0]
    judge = networks.dcgan_discriminator(SHAPE, width=width, seed=1000 * seed + 500)
    gan = NonSaturatingGAN(generator, judge, seed=seed)
    training.train_falling(gan, source, steps, batch_size=BATCH, rate=RATE, betas=BETAS)
    samples = gan.sample(len(real), seed=seed)
    near = metrics.nearest_neighbors(samples, real, copy_quantile=QUANTILE)
    quality = metrics.precision_recall(_flat(real), _flat(samples))
    sample = lambda count, draw: gan.sample(count, draw, batch_size=count)  # noqa: E731
    truth = collision_size(_flat(real), near.threshold)
    return {
        **_estimate(sample, threshold=near.threshold, truth=truth, seed=seed),
        "copy_share": near.copy_share,
        "precision": quality["precision"],
        "recall": quality["recall"],
    }


def _estimate(sample: Any, *, threshold: float, truth: float, seed: int) -> dict[str, float]:
    estimate = metrics.birthday_paradox(
        sample, threshold=threshold, num_batches=NUM_BATCHES, max_batch_size=1024, seed=seed
    )
    return {
        "support": estimate.support_size,
        "support_low": estimate.interval[0],
        "support_high": estimate.interval[1],
        "relative_support": estimate.support_size / truth,
        "batch_size": float(estimate.batch_size),
    }


def collision_size(points: np.ndarray, threshold: float) -> float:
    """Returns 1 / share, of the pairs of different rows that lie within `threshold`."""
    return float(1 / np.mean(pdist(points) <= threshold))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), math.prod(SHAPE))


def _worst_error(rows: pd.DataFrame) -> list[float]:
    """Returns the largest error of the estimates of known supports, by seed."""
    return [
        float(np.abs(np.log(runs["relative_support"])).max()) for _, runs in rows.groupby("seed")
    ]


def _growth(rows: pd.DataFrame) -> list[float]:
    """Returns the exponent of the support in the width of the discriminator, by seed."""
    return [
        float(np.polyfit(np.log(runs["width"]), np.log(runs["support"]), 1)[0])
        for _, runs in rows.groupby("seed")
    ]


PLAIN = {"task": TRAINED, "width": 16, "k": 1}

CLAIMS = (
    Claim(
        "The test finds the size of a known support",
        f"{PAPER}, the test; the check is ours",
        "largest error of log n of supports of 100, 1000 and 10 000",
        Effect(_worst_error, [{"task": MEMORY}]),
        below=0.5,
    ),
    Claim(
        "A trained GAN makes fewer different images than there are",
        f"{PAPER}, faces",
        "support over that of the data, width 16",
        value("relative_support", PLAIN),
        below=1.0,
    ),
    Claim(
        "Against a discriminator of twice the width, too (put in after the full run)",
        f"{PAPER}, faces",
        "support over that of the data, width 32 (what is unlike the data counts as different)",
        value("relative_support", {**PLAIN, "width": 32}),
        below=1.0,
    ),
    Claim(
        "Diversity grows with the size of the discriminator",
        f"{PAPER}, diversity against discriminator size",
        "exponent of the support in the discriminator's width (paper: near 2, then a plateau)",
        Effect(_growth, [{"task": TRAINED, "k": 1}]),
        above=0.2,
    ),
    Claim(
        "Three generators that share a batch and a discriminator are not more diverse than one",
        f"ours, after {PAPER}, whose MIX+DCGAN mixes both players and is hardly more diverse",
        "support of k = 3 over that of k = 1, width 16",
        ratio("support", {**PLAIN, "k": 3}, PLAIN),
        below=1.0,
    ),
    Claim(
        "Samples are no copies of training images",
        f"{PAPER}, faces (of duplicates)",
        f"share of samples as near to a training image as {QUANTILE:.0%} of those to another one, "
        "width 16 (what is unlike the data is no copy either: see `precision`)",
        value("copy_share", PLAIN),
        below=0.2,
    ),
    Claim(
        "Of 400 faces of a DCGAN two are alike at least half of the time",
        f"{PAPER}, faces",
        "it needs CelebA, GPU-hours, and people who judge",
    ),
)


def _draw(rows: pd.DataFrame) -> Figure:
    figure, axes = plots.panels(1, 3)
    memory, trained = (rows[rows["task"] == task] for task in (MEMORY, TRAINED))
    axes[0, 0].plot(memory["num"], memory["support"], ".", color=plots.COLORS[0])
    ends = [memory["num"].min(), memory["num"].max()]
    axes[0, 0].plot(ends, ends, color=plots.COLORS[-1], lw=0.8)
    axes[0, 0].set(xscale="log", yscale="log", xlabel="true support", ylabel="estimate")
    arms = trained.sort_values(["k", "width"]).groupby(["k", "width"])
    for axis, name in zip(axes[0, 1:], ("relative_support", "precision"), strict=True):
        groups = {
            f"{width}" if k == 1 else f"{width}, k = {k}": runs[name].tolist()
            for (k, width), runs in arms
        }
        plots.boxes(axis, groups)
        axis.set(xlabel="width of the discriminator", ylabel=name.replace("_", " "))
    axes[0, 1].set_yscale("log")
    axes[0, 1].axhline(1, color=plots.COLORS[-1], lw=0.8)
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    return summaries(rows[rows["task"] == TRAINED], ["width", "k"], list(MEASURES))


LAB = Lab(
    name="diversity",
    title="How many different images",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "support": Drawing(
            "Left: the estimate of a support that is known, a point a run; gray is the truth. "
            "Middle: the support of trained DCGANs over that of the data. Right: which part of "
            "their samples is like the data.",
            _draw,
        ),
    },
    tables={"Trained models": _table},
)
