"""Compares samples before and after refinement by DCD: Song et al. 2020."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfgans import data, metrics, networks
from tfgans.labs import effects, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.methods import DCD, SNGAN
from tfgans.refinement import Langevin
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

BATCH, WIDTH, DEPTH = 256, 64, 3
RATE, TUNING_RATE, BETAS = 1e-3, 2e-4, (0.5, 0.9)
NUM_SAMPLES, NUM_DRAWN = 5000, 400
STAGES = ("before", "refined", "tuned")
PAPER = "Song et al. 2020"
DATA_SPACE = Langevin(
    space="data", steps=20, step_size=0.2, noise_scale=0.02, noise_mode="gradient_norm"
)

PROTOCOL = f"""
As in the authors' toy experiments: MLPs of {DEPTH} hidden layers, the critic's
spectrally normalized, batch {BATCH}, latents N(0, I_2); then the
generator is frozen, and the critic is tuned on samples that it has refined itself.

- `before`: samples of the pretrained SNGAN. `refined`: the same latents, moved up the pretrained
  critic. `tuned`: moved up the critic after DCD's tuning, in the same way.
- Refinement: x <- x + s grad D + |grad D| sqrt(s) c N(0, I), s = {DATA_SPACE.step_size:g},
  {DATA_SPACE.steps} steps, in the space of the data.

Ours: {WIDTH} units a layer (theirs: 128); one update of the critic a step before tuning (theirs: 5,
as ours while tuning); the hinge
loss in both stages (theirs: the Wasserstein loss, while tuning with 10 times the squared logits
added); c = {DATA_SPACE.noise_scale:g} (theirs: .2, wider than a mode of these sets);
{DATA_SPACE.steps} steps of refinement (theirs: 60 while tuning, 200 after); Adam {RATE:g} for
`steps` steps, and {TUNING_RATE:g} for a tenth of as many while tuning, both falling linearly to 0
(theirs: 1e-4, 50 000 steps), betas {BETAS}. {NUM_SAMPLES} samples of a run are measured, beside as
many real draws.
"""

_TEXTS = {
    "sliced": "sliced Wasserstein-1 distance to real draws",
    "distance": "mean distance of a sample from the nearest of the real draws",
    "high_quality": "share of the samples within 3 std of a mode (`ring`, `grid`)",
}
MEASURES = {
    f"{name}_{stage}": f"{text}, {stage}" for name, text in _TEXTS.items() for stage in STAGES
} | {
    f"{axis}_{stage}": f"of the first {NUM_DRAWN} samples, {stage}, for the figure"
    for axis in "xy"
    for stage in STAGES
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    tasks = ("grid", "swiss_roll") if quick else ("ring", "grid", "swiss_roll")
    return [{"task": task, "steps": 500 if quick else 1000} for task in tasks]


def measure(*, task: str, steps: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    source: Any = data.load(task, seed=seed)
    gan = SNGAN(
        networks.mlp_generator((2,), latent_dim=2, width=WIDTH, depth=DEPTH, seed=seed),
        networks.mlp_discriminator(
            (2,), normalization="spectral", width=WIDTH, depth=DEPTH, seed=seed
        ),
        discriminator_steps=1,
        seed=seed,
    )
    training.train_falling(gan, source, steps, batch_size=BATCH, rate=RATE, betas=BETAS)
    tuned = DCD.from_gan(gan, langevin=DATA_SPACE, seed=seed)
    training.train_falling(
        tuned, source, steps // 10, batch_size=BATCH, rate=TUNING_RATE, betas=BETAS
    )
    samples = {
        "before": gan.sample(NUM_SAMPLES, seed, batch_size=NUM_SAMPLES),
        "refined": gan.sample(NUM_SAMPLES, seed, batch_size=NUM_SAMPLES, refine=DATA_SPACE),
        "tuned": tuned.sample(NUM_SAMPLES, seed, batch_size=NUM_SAMPLES),
    }
    real = source.sample(NUM_SAMPLES, seed=-1)
    measures: dict[str, Any] = dict.fromkeys(MEASURES)
    for stage, made in samples.items():
        for name, value in score(made, real, source).items():
            measures[f"{name}_{stage}"] = value
        for index, axis in enumerate("xy"):
            coordinates = made[:NUM_DRAWN, index]
            measures[f"{axis}_{stage}"] = [round(float(value), 3) for value in coordinates]
    return measures


def score(samples: np.ndarray, real: np.ndarray, source: Any) -> dict[str, float]:
    """Returns the scores of samples [num, 2]; the last only for data that have modes."""
    from scipy.spatial import KDTree

    scores = {
        "sliced": metrics.sliced_wasserstein_distance(samples, real),
        "distance": float(KDTree(real).query(samples)[0].mean()),
    }
    if source.modes is not None:
        coverage = metrics.mode_coverage(samples, source.modes, source.std)
        scores["high_quality"] = coverage.high_quality
    return scores


def _gain(column: str, task: str, first: str, second: str) -> effects.Effect:
    """Returns the effect: the measure at one stage minus that at another, per seed."""
    return effects.Effect(
        lambda rows: list(rows[f"{column}_{first}"] - rows[f"{column}_{second}"]),
        [{"task": task}],
    )


CLAIMS = (
    *(
        Claim(
            f"Samples of the {name} lie nearer to the data after DCD",
            PAPER,
            "mean distance to the nearest real draw, after less before",
            _gain("distance", task, "tuned", "before"),
            below=0.0,
        )
        for name, task in (("ring", "ring"), ("grid", "grid"), ("Swiss roll", "swiss_roll"))
    ),
    Claim(
        "And as a whole the distribution is nearer",
        PAPER,
        "sliced Wasserstein-1 distance, after less before, grid",
        _gain("sliced", "grid", "tuned", "before"),
        below=0.0,
    ),
    Claim(
        "Tuning matters: the pretrained critic refines less well",
        PAPER,
        "mean distance to the nearest real draw, by the tuned critic less by the other, Swiss roll",
        _gain("distance", "swiss_roll", "tuned", "refined"),
        below=0.0,
    ),
    Claim(
        "DCD improves Inception Score and FID of SNGAN on CIFAR-10 and STL-10",
        PAPER,
        "it needs the data, the Inception network and a GPU",
    ),
)


def _draw(rows: pd.DataFrame) -> Figure:
    rows = rows[rows["seed"] == rows["seed"].min()]
    figure, axes = plots.panels(len(rows), len(STAGES), size=(3.0, 3.0))
    for line, run in zip(axes, rows.itertuples(), strict=True):
        real = data.load(run.task).sample(2000, seed=-1)  # type: ignore[attr-defined]
        for axis, stage in zip(line, STAGES, strict=True):
            axis.plot(*real.T, ".", color=plots.COLORS[-1], ms=1, alpha=0.5)
            where = getattr(run, f"x_{stage}"), getattr(run, f"y_{stage}")
            axis.plot(*where, ".", color=plots.COLORS[0], ms=2)
            axis.set_title(f"{run.task}: {stage}", fontsize=10)
    return figure


def _draw_distances(rows: pd.DataFrame) -> Figure:
    tasks = list(dict.fromkeys(rows["task"]))
    figure, axes = plots.panels(2, len(tasks), size=(3.0, 2.5))
    for column, task in enumerate(tasks):
        ours = rows[rows["task"] == task]
        for row, name in enumerate(("distance", "sliced")):
            axis = axes[row, column]
            plots.boxes(axis, {stage: ours[f"{name}_{stage}"] for stage in STAGES})
            axis.set_title("" if row else task)
            axis.set_ylabel("" if column else _LABELS[name])
    return figure


_LABELS = {"distance": "distance to real", "sliced": "sliced W1"}


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    return summaries(rows, ["task"], list(MEASURES)[:6])


def _qualities(rows: pd.DataFrame) -> pd.DataFrame:
    return summaries(rows[rows["task"] != "swiss_roll"], ["task"], list(MEASURES)[6:9])


LAB = Lab(
    name="dcd",
    title="Samples before and after refinement",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "samples": Drawing("Samples (blue) on real draws (gray), of the first seed.", _draw),
        "distances": Drawing("Mean distance to the data, and sliced W1.", _draw_distances),
    },
    tables={"Distances": _table, "Share near a mode": _qualities},
)
