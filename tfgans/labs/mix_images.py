"""Compares MIX + X with X on real images: DCGAN networks on Fashion-MNIST."""

import functools
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, evaluation, metrics, networks
from tfgans.data.fashion_mnist import CLASS_NAMES
from tfgans.gan import GAN
from tfgans.labs import arms, effects, training
from tfgans.labs.arms import Arm
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.verdicts import sign_tests
from tfgans.methods import R3GAN, SNGAN, WGANGP, NonSaturatingGAN
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

BATCH, RATE, LATENT_DIM = 64, 2e-4, 64
# The width of a network, and of the generators of which four have as many parameters.
WIDE, NARROW = 32, 12
SECONDS = 600.0  # CPU seconds of training.
NUM_SAMPLES, NUM_NEIGHBORS = 10_000, 5000
NS, FASHION, DIGITS = "non_saturating", "fashion_mnist", "digits"
# The constructor of each game, the betas of Adam, and the discriminator's normalization.
GAMES: dict[str, tuple[Callable[..., GAN], tuple[float, float], str]] = {
    NS: (NonSaturatingGAN, (0.5, 0.999), "none"),
    "r3gan": (R3GAN, (0.0, 0.99), "none"),
    "wgan_gp": (functools.partial(WGANGP, discriminator_steps=2), (0.5, 0.9), "none"),
    "sngan": (functools.partial(SNGAN, discriminator_steps=2), (0.0, 0.9), "spectral"),
}
NAMES = {NS: "the non-saturating GAN", "r3gan": "R3GAN", "wgan_gp": "WGAN-GP", "sngan": "SNGAN"}
ARMS = {
    "1x1": Arm(1, 1, "none", WIDE),
    "4x1": Arm(4, 1, "none", WIDE),
    "4x1 narrow": Arm(4, 1, "none", NARROW),
    "4x4 slices": Arm(4, 4, "slices", WIDE),
    "4x4 all": Arm(4, 4, "all", WIDE),
}

PROTOCOL = f"""
`fashion_mnist`: 28x28, the 60 000 training images; the quick form takes `digits` of 8x8. DCGAN
networks of width {WIDE}, latent dimension {LATENT_DIM}; a generator normalizes by its batch (in a
mixture: by its slice of it).

- An arm has `generators` x `discriminators` networks. A generator of a mixture makes its slice of a
  batch. Four discriminators judge a quarter of the examples each (`slices`) or all (`all`).
  `narrow`: generators of width {NARROW}, of which four have as many parameters as one of width
  {WIDE}; the discriminator has width {WIDE} in every arm.
- A run trains until its process has spent `seconds` CPU seconds in training: {SECONDS:g} in the
  full form, or what `--seconds` says. The clock starts after the first call, which traces; that
  call counts as the mean of the others. The rate falls linearly to 0 as the seconds are spent.
- All runs of a seed follow one another in a process with one thread, in reverse order for every
  second seed.
- Batch {BATCH}, Adam {RATE:g}; betas
  {", ".join(f"{betas} ({name})" for name, (_, betas, _) in GAMES.items())}. WGAN-GP and SNGAN take
  2 updates of the discriminator a step. R3GAN's gamma is 1.
- Seeds 1001 and up, which no trial had: a check of the lab by runs of 20 s had seed 1000.

{NUM_SAMPLES} samples are measured beside the 10 000 test images, in the features of
`tfgans.evaluation.ImageClassifier`, trained on the training images; `accuracy` is its share of
right answers on the test images. `real_frechet` is the distance of the first {NUM_SAMPLES}
training images from the test images.
"""

MEASURES = {
    "parameters": "of both players",
    "num_updates": "updates of the generator",
    "train_seconds": "CPU seconds of training, without tracing, sampling and measuring",
    "frechet": "Frechet distance to the test images, in the features of the classifier",
    "real_frechet": "the same of training images",
    "precision": f"of the first {NUM_NEIGHBORS} samples and test images, in the same features",
    "recall": "likewise",
    "accuracy": "of the classifier, on the test images",
    "probabilities": "of the generators, in the order of `drawn`",
    "drawn": "share of the 10 classes among the samples of the first generator, the second, ...",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    games, names = ((NS,), ("1x1", "4x1")) if quick else (GAMES, ARMS)
    about = (
        {"dataset": DIGITS, "seconds": 10.0} if quick else {"dataset": FASHION, "seconds": SECONDS}
    )
    return [{"game": game, **ARMS[name]._asdict(), **about} for game in games for name in names]


def measure(
    *,
    game: str,
    generators: int,
    discriminators: int,
    routing: str,
    width: int,
    dataset: str,
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """Returns the measures of a run."""
    source = data.load(dataset, seed=seed)
    make, betas, normalization = GAMES[game]
    build_generator = functools.partial(
        networks.dcgan_generator, source.image_shape, latent_dim=LATENT_DIM, width=width
    )
    build_discriminator = functools.partial(
        networks.dcgan_discriminator, source.image_shape, width=WIDE, normalization=normalization
    )
    arm = Arm(generators, discriminators, routing, width)
    pair = arms.players(arm, build_generator, build_discriminator, seed=seed)
    gan = make(*pair, seed=seed)
    spent = training.spend(
        gan, source, seconds=seconds, batch_size=BATCH, rate=RATE, betas=betas, at_once=10
    )
    known = gan.generator.probabilities if generators > 1 else np.ones(1)
    return {
        "parameters": float(sum(network.count_params() for network in pair)),
        "num_updates": float(spent.updates),
        "train_seconds": spent.cpu_seconds,
        "probabilities": [float(value) for value in known],
        **_scores(gan, dataset, seed),
    }


@functools.cache
def _judge(dataset: str) -> tuple[evaluation.ImageClassifier, np.ndarray, float]:
    """Returns the classifier, the features of the test images, and `real_frechet`."""
    train, test = (
        cast(data.ArraySource, data.load(dataset, split=split)) for split in ("train", "test")
    )
    classifier = evaluation.ImageClassifier.train(train)
    real, others = (classifier(source.array[:NUM_SAMPLES]).features for source in (test, train))
    return classifier, real, metrics.frechet_distance(real, others)


def _scores(gan: GAN, dataset: str, seed: int) -> dict[str, Any]:
    classifier, real, floor = _judge(dataset)
    samples = gan.sample(NUM_SAMPLES, seed, batch_size=500)
    parts = gan.sample_components(NUM_SAMPLES, seed)
    about = {"real_frechet": floor, "accuracy": classifier.accuracy}
    if not np.isfinite(samples).all():
        return {**about, "frechet": math.inf, "precision": 0.0, "recall": 0.0, "drawn": None}
    features, probabilities = classifier(samples)
    near = metrics.precision_recall(real[:NUM_NEIGHBORS], features[:NUM_NEIGHBORS])
    return {
        **about,
        "frechet": metrics.frechet_distance(real, features),
        "precision": near["precision"],
        "recall": near["recall"],
        "drawn": drawn_classes(np.asarray(probabilities).argmax(axis=1), parts).ravel().tolist(),
    }


def drawn_classes(classes: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Returns the shares of the classes among the samples of each component: [components, 10].

    Args:
        classes: The class of each sample, from 0 to 9.
        parts: The component of each sample. Each component up to the last has samples, or zeros.
    """
    table = np.zeros((1 + parts.max(), 10))
    np.add.at(table, (parts, classes), 1)
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def _gain(game: str, arm: str) -> effects.Effect:
    """Returns the effect: the Frechet distance of an arm minus that of the single pair."""
    return effects.difference(
        "frechet",
        *({"dataset": FASHION, "game": game, **ARMS[name]._asdict()} for name in (arm, "1x1")),
    )


_TEXTS = {
    "4x1": "with four generators and one discriminator",
    "4x1 narrow": "with four generators of as many parameters as one",
    "4x4 slices": "with four pairs, a slice for each discriminator",
    "4x4 all": "with four pairs, where each discriminator sees all",
}
CLAIMS = tuple(
    Claim(
        f"MIX + {name} beats {name} on Fashion-MNIST in as much CPU time, {text}",
        "ours, after Arora et al. 2017",
        f"Frechet distance in a classifier's features: {arm} less 1x1",
        _gain(game, arm),
        below=0.0,
    )
    for game, name in NAMES.items()
    for arm, text in _TEXTS.items()
)


def _draw_distances(rows: pd.DataFrame) -> Figure:
    rows = arms.named(rows, ARMS, arms.Arm._fields)
    games = list(dict.fromkeys(rows["game"]))
    figure, axes = plots.panels(1, len(games))
    for axis, game in zip(axes[0], games, strict=True):
        ours = rows[rows["game"] == game].groupby("arm", sort=False)
        plots.boxes(axis, {arm.replace(" ", "\n"): runs["frechet"] for arm, runs in ours})
        axis.set(title=game, ylabel="Frechet distance", ylim=(0, None))
    return figure


def _draw_classes(rows: pd.DataFrame) -> Figure:
    """Draws what the components of 4x1 draw, at the first seed."""
    rows = arms.named(rows, ARMS, arms.Arm._fields)
    rows = rows[(rows["arm"] == "4x1") & (rows["seed"] == rows["seed"].min())]
    figure, axes = plots.panels(max(len(rows), 1), 1, size=(7.0, 2.4))
    for axis, row in zip(axes[:, 0], rows.itertuples(), strict=False):
        classes = CLASS_NAMES if row.dataset == FASHION else range(10)
        if not isinstance(row.drawn, list):
            continue
        shares = np.reshape(row.drawn, (-1, 10))
        names = [f"generator {index}" for index in range(len(shares))]
        table = pd.DataFrame(shares, index=names, columns=classes)
        plots.heat_map(axis, table, title=row.game, best="high")
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    shown = ["parameters", "num_updates", "train_seconds", "frechet", "precision", "recall"]
    return summaries(
        arms.named(rows, ARMS, arms.Arm._fields), ["dataset", "game", "seconds", "arm"], shown
    )


def _floor(rows: pd.DataFrame) -> pd.DataFrame:
    return summaries(
        rows.assign(features="ImageClassifier"), ["features"], ["accuracy", "real_frechet"]
    )


def _signs(rows: pd.DataFrame) -> pd.DataFrame:
    better = {"frechet": "less", "precision": "greater", "recall": "greater"}
    return sign_tests(
        arms.named(rows, ARMS, arms.Arm._fields),
        by=["dataset", "game", "seconds"],
        arm="arm",
        baseline="1x1",
        better=better,
    )


LAB = Lab(
    name="mix_images",
    title="MIX + X against X on Fashion-MNIST",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "frechet": Drawing(
            "Frechet distance of each arm, `generators` x `discriminators`. A point is a seed.",
            _draw_distances,
        ),
        "drawn": Drawing(
            "The share of each class among the samples of each of four generators against one "
            "discriminator, by the classifier; first seed.",
            _draw_classes,
        ),
    },
    tables={
        "Arms": _table,
        "Sign tests, seed by seed: better than 1x1": _signs,
        "The classifier, and real images against real images": _floor,
    },
    first_seed=1001,
    one_at_a_time=True,
)
