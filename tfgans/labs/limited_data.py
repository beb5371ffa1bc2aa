"""Tests augmentation and LeCam on few images: DCGAN networks on Fashion-MNIST and on digits."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from tfgans import augmentation, data, evaluation, metrics, networks, regularizers
from tfgans.gan import GAN
from tfgans.images import from_uint8
from tfgans.labs import effects, training
from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.labs.verdicts import sign_tests
from tfgans.methods import NonSaturatingGAN
from tfgans.reports import plots
from tfgans.reports.seeds import summaries

FASHION, DIGITS = "fashion_mnist", "digits"
NONE, DIFFAUGMENT, ADA, LECAM = "none", "diffaugment", "ada", "lecam"
ARMS = (NONE, DIFFAUGMENT, ADA, LECAM)
NAMES = {DIFFAUGMENT: "DiffAugment", ADA: "ADA", LECAM: "LeCam"}
PAPERS = {
    DIFFAUGMENT: "Zhao et al. 2020",
    ADA: "Karras et al. 2020",
    LECAM: "Tseng et al. 2021",
}
# Training images; the most are the control.
FEW, MORE, MANY = 500, 1000, 10_000
FEW_DIGITS = 100
BATCH, RATE, BETAS, LATENT_DIM = 32, 1e-3, (0.0, 0.99), 64
# The half-life of the generator's average, in parts of the run.
HALF_LIFE = 0.05
NUM_TIMES = 8
# Most images of each kind whose logits are compared, and in which copies are sought.
NUM_JUDGED, NUM_NEIGHBORS = 500, 2500
TARGET, P_MAX, KIMG = 0.6, 0.8, 20.0
LECAM_WEIGHT, LECAM_SHARE = 0.3, 1 / 12
# A pixel of the fill of DiffAugment, 0, is one this near to it.
TOLERANCE = 0.1


class Task(NamedTuple):
    """What depends on the data.

    Attributes:
        side: Pixels a side; the images are resized to it.
        width: Of both networks.
        depth: Of the discriminator.
        steps: Updates of the generator.
        policy: Of DiffAugment.
        num_reference: Held-out images that samples are compared with.
        num_samples: Samples at each look.
    """

    side: int
    width: int
    depth: int
    steps: int
    policy: str
    num_reference: int
    num_samples: int


TASKS = {
    FASHION: Task(16, 16, 3, 1500, "translation,cutout", 5000, 2000),
    DIGITS: Task(8, 16, 2, 1500, "color,translation", 600, 600),
}

PROTOCOL = f"""
The protocol is ours. It asks whether the gain of each arm depends on the number of training images.

- `fashion_mnist`, resized to {TASKS[FASHION].side}x{TASKS[FASHION].side}: `num` of the training
  images, {FEW}, {MORE} or {MANY} as a control; held out: the 10 000 test images. `digits`, 8x8:
  {FEW_DIGITS} of the training digits; held out: all others. The seed decides which images are
  trained on, and a smaller set is part of a larger. Nothing is mirrored.
- The non-saturating game without a penalty; DCGAN networks without normalization in the
  discriminator, of width {TASKS[FASHION].width}; the discriminator has 65 000 parameters on
  `fashion_mnist` (three convolutions) and 13 000 on `digits` (two). Batch {BATCH}, Adam {RATE:g},
  betas {BETAS}. Samples are of an average of the generator with a half-life of {HALF_LIFE:.0%} of
  the run.
- All arms of a seed have the same images, initial weights and order. All runs have the same number
  of updates, `steps`, whatever `num` is; the CPU time of an arm is in the table.
- Arms: `none`; `diffaugment` with the policy "{TASKS[FASHION].policy}", on `digits`
  "{TASKS[DIGITS].policy}"; `ada` with "bg", target {TARGET}, p at most {P_MAX}, `kimg` {KIMG:g};
  `lecam` of weight {LECAM_WEIGHT:g}, from 1/12 of the run on.
- At {NUM_TIMES} steps the discriminator judges up to {NUM_JUDGED} training images, as many held-out
  images and samples, none of them augmented. {TASKS[FASHION].num_samples} samples are compared with
  {TASKS[FASHION].num_reference} held-out images ({TASKS[DIGITS].num_samples} with
  {TASKS[DIGITS].num_reference} on `digits`) in the features of a classifier: `ImageClassifier`,
  trained on all training images, or `DigitsClassifier`, trained on most digits.
- `turned`: extremely randomized trees (scikit-learn, 50 of them) are trained to tell real images
  from quarter turns of real images. On `digits` they are trained on the images of `real_turned`
  too, which is 0 there for that reason: compare the arms with each other.
- Chosen at seed 100, which is not among the seeds: with `none` and 500 images, the size of the
  images, the rate and the steps (at 28x28 with a rate of 5e-4 the discriminator had learned nothing
  by heart after 1000 updates, AUC 0.49; at 16x16 with 1e-3 its AUC was 0.68 after 1500); with
  `lecam`, its weight (0.01, 0.1, 0.3: best distances 5.62, 5.24, 5.06). Nothing was tuned for
  `diffaugment`, `ada` and `digits`, or with more images.
"""

MEASURES = {
    "step": "updates at which it was looked",
    "frechet": "Frechet distance to held-out images in the features of the classifier",
    "auc": "membership: how often the logit of a training image is above that of a held-out image; "
    "0.5 of a discriminator that does not tell them apart",
    "accepted_train": "share of training images with a logit above 0",
    "accepted_held_out": "share of held-out images, likewise",
    "accepted_fake": "share of samples, likewise",
    "train_logit": "mean logit of training images",
    "held_out_logit": "of held-out images",
    "fake_logit": "of samples",
    "p": "`ada`: the probability of its transforms",
    "best_frechet": "least of `frechet`",
    "rise": "last of `frechet` over the least",
    "gap": "last of `accepted_train` less last of `accepted_held_out`",
    "overfitting": "r_v: mean logit of training images less that of held-out images, over the mean "
    "logit of training images less that of samples; at the end",
    "recall": "share of the held-out images that the samples cover, at the end",
    "precision": "share of samples near held-out images, at the end",
    "copies": "share of samples as near to a training image as 1 % of those to one another",
    "copy_ratio": "median of a sample's distance to the closest training image over that to the "
    "closest of as many held-out images; 1 of a generator that does not copy",
    "turned": "share of samples that the classifier of turns takes for turned",
    "borders": "share of samples with a row or column at the border that is middle gray",
    "boxes": "share of samples with a middle gray box of a quarter of each side",
    "brightness": "mean pixel of samples less that of held-out images",
    "contrast": "standard deviation of pixels over that of held-out images",
    "real_frechet": "of other held-out images instead of samples",
    "train_frechet": "of the first training images: what a perfect copier scores",
    "real_copies": "`copies` of held-out images",
    "real_turned": "`turned` of held-out images",
    "real_borders": "`borders` of held-out images",
    "real_boxes": "`boxes` of held-out images",
}


def cells(quick: bool) -> list[dict[str, Any]]:
    """Returns the cells of the lab, fewer or smaller if `quick`."""
    if quick:
        return [{"dataset": DIGITS, "num": FEW_DIGITS, "arm": arm, "steps": 160} for arm in ARMS]
    sizes = ((DIGITS, FEW_DIGITS), (FASHION, FEW), (FASHION, MANY), (FASHION, MORE))
    return [
        {"dataset": dataset, "num": num, "arm": arm, "steps": TASKS[dataset].steps}
        for dataset, num in sizes
        for arm in ARMS
    ]


def measure(*, dataset: str, num: int, arm: str, steps: int, seed: int) -> dict[str, Any]:
    """Returns the measures of a run."""
    train, held_out = split(dataset, num, seed)
    gan = make_gan(dataset, arm, steps, seed)
    measurements = _Measurements(dataset, train, held_out, seed)
    measure_steps = [steps * (index + 1) // NUM_TIMES for index in range(NUM_TIMES)]
    seen = training.train(
        gan,
        data.from_array(train, seed=seed),
        measure_steps=measure_steps,
        measure=measurements,
        batch_size=BATCH,
        learning_rate=RATE,
        betas=BETAS,
    )
    columns = {
        name: [measures[name] for measures in seen] for name in seen[0] if name != "p" or arm == ADA
    }
    distances = columns["frechet"]
    last = {name: values[-1] for name, values in columns.items()}
    spread = last["train_logit"] - last["fake_logit"]
    return {
        "step": measure_steps,
        "p": None,
        **columns,
        "best_frechet": min(distances),
        "rise": distances[-1] / min(distances),
        "gap": last["accepted_train"] - last["accepted_held_out"],
        "overfitting": (last["train_logit"] - last["held_out_logit"]) / max(spread, 1e-8),
        **measurements.at_end(gan),
    }


def split(dataset: str, num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images to train on, and the held-out images: uint8 [num, side, side, 1]."""
    train, test = _images(dataset)
    order = np.random.default_rng(seed).permutation(len(train))
    if dataset == FASHION:
        return train[order[:num]], test
    return train[order[:num]], np.concatenate([test, train[order[num:]]])


@functools.cache
def _images(dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images of the splits "train" and "test"."""
    train, test = (_source(dataset, name).array for name in ("train", "test"))
    return train, test


def _source(dataset: str, name: str) -> data.ArraySource:
    size = TASKS[dataset].side if dataset == FASHION else None
    return cast(data.ArraySource, data.load(dataset, split=name, image_size=size))


def make_gan(dataset: str, arm: str, steps: int, seed: int) -> GAN:
    """Returns the game of an arm."""
    task = TASKS[dataset]
    shape = (task.side, task.side, 1)
    change: augmentation.Augmentation | None = None
    if arm == DIFFAUGMENT:
        change = augmentation.DiffAugment(task.policy)
    elif arm == ADA:
        change = augmentation.AdaptiveAugment("bg", target=TARGET, p_max=P_MAX, kimg=KIMG)
    lecam = regularizers.LeCam(weight=LECAM_WEIGHT, start=int(steps * LECAM_SHARE))
    return NonSaturatingGAN(
        networks.dcgan_generator(shape, latent_dim=LATENT_DIM, width=task.width, seed=seed),
        networks.dcgan_discriminator(shape, width=task.width, depth=task.depth, seed=seed),
        augmentation=change,
        regularizers=[lecam] if arm == LECAM else [],
        ema=0.5 ** (1 / (HALF_LIFE * steps)),
        seed=seed,
    )


@functools.cache
def _extractor(dataset: str) -> evaluation.Extractor:
    if dataset == DIGITS:
        return evaluation.DigitsClassifier()
    return evaluation.ImageClassifier.train(_source(dataset, "train"))


@functools.cache
def _turns(dataset: str) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function of images to whether each is turned."""
    from sklearn.ensemble import ExtraTreesClassifier

    upright = from_uint8(_images(dataset)[0][:4000])
    turned = [np.rot90(upright, turns, axes=(1, 2)) for turns in range(4)]
    trees = ExtraTreesClassifier(50, random_state=0)
    trees.fit(_flat(np.concatenate(turned)), np.repeat(np.arange(4), len(upright)))
    return lambda images: trees.predict(_flat(images)) != 0


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


class _Measurements:
    """Measures a game on the way, and once more at the end."""

    def __init__(self, dataset: str, train: np.ndarray, held_out: np.ndarray, seed: int) -> None:
        task = TASKS[dataset]
        self._dataset, self._seed, self._num = dataset, seed, task.num_samples
        self._train, self._held_out = from_uint8(train), from_uint8(held_out)
        self._others = self._held_out[task.num_reference :][: task.num_samples]
        self._real = self._features(self._held_out[: task.num_reference])

    def __call__(self, gan: GAN) -> dict[str, float]:
        """Returns the measures that are made on the way."""
        samples = gan.sample(self._num, self._seed, batch_size=500)
        num = min(len(self._train), NUM_JUDGED)
        logits = {
            name: np.asarray(gan.discriminator_player.mean_logits(images[:num], None)).ravel()
            for name, images in (
                ("train", self._train),
                ("held_out", self._held_out),
                ("fake", samples),
            )
        }
        change = gan.augmentation
        return {
            "frechet": self._distance(samples),
            "auc": share_above(logits["train"], logits["held_out"]),
            **{f"accepted_{name}": float(np.mean(values > 0)) for name, values in logits.items()},
            **{f"{name}_logit": float(values.mean()) for name, values in logits.items()},
            "p": float(change.p) if isinstance(change, augmentation.AdaptiveAugment) else 0.0,
        }

    def at_end(self, gan: GAN) -> dict[str, float]:
        """Returns the measures of the last samples, and of real images in their place."""
        samples = gan.sample(self._num, self._seed, batch_size=500)
        near = metrics.precision_recall(self._real[: self._num], self._features(samples))
        ours, real = (
            {**self._copies(images), **self._leaks(images)} for images in (samples, self._others)
        )
        return {
            "recall": near["recall"],
            "precision": near["precision"],
            **ours,
            "real_frechet": self._distance(self._others),
            "train_frechet": self._distance(self._train[: self._num]),
            **{f"real_{name}": real[name] for name in ("copies", "turned", "borders", "boxes")},
        }

    def _features(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(_extractor(self._dataset)(images).features)

    def _distance(self, images: np.ndarray) -> float:
        if not np.isfinite(images).all():
            return math.inf
        return float(metrics.frechet_distance(self._real, self._features(images)))

    def _copies(self, images: np.ndarray) -> dict[str, float]:
        num = min(len(self._train), NUM_NEIGHBORS)
        images = images[:NUM_JUDGED]
        closest, others = (
            metrics.nearest_neighbors(images, real[:num]) for real in (self._train, self._held_out)
        )
        ratios = closest.distances / np.maximum(others.distances, 1e-8)
        return {"copies": closest.copy_share, "copy_ratio": float(np.median(ratios))}

    def _leaks(self, images: np.ndarray) -> dict[str, float]:
        borders, boxes = filled(images)
        return {
            "turned": float(_turns(self._dataset)(images).mean()),
            "borders": borders,
            "boxes": boxes,
            "brightness": float(images.mean() - self._held_out.mean()),
            "contrast": float(images.std() / self._held_out.std()),
        }


def share_above(first: np.ndarray, second: np.ndarray) -> float:
    """Returns how often a number of the first is above one of the second; ties count half."""
    return float(stats.mannwhitneyu(first, second).statistic / (len(first) * len(second)))


def filled(images: np.ndarray) -> tuple[float, float]:
    """Returns the shares of images with a gray border, and with a gray box.

    Args:
        images: [num, height, width, 1] in [-1, 1]; gray is within 0.1 of 0.

    Returns:
        The share of images of which a row or column at the border is gray, and of those that hold
        a gray box of a quarter of each side.
    """
    gray = np.abs(images[..., 0]) < TOLERANCE
    rows, columns = (gray.all(axis=axis)[:, [0, -1]].any(axis=1) for axis in (2, 1))
    box = tuple(side // 4 for side in gray.shape[1:])
    windows = np.lib.stride_tricks.sliding_window_view(gray, box, axis=(1, 2))
    boxes = windows.all(axis=(3, 4)).reshape(len(gray), -1).any(axis=1)
    return float((rows | columns).mean()), float(boxes.mean())


def _difference(
    measure: str, dataset: str, first: tuple[int, str], second: tuple[int, str]
) -> effects.Effect:
    """Returns the effect: a measure at the end at (num, arm) minus that at another, by seed."""
    ends = ({"dataset": dataset, "num": num, "arm": arm} for num, arm in (first, second))
    return effects.difference(measure, *ends)


def _gain(arm: str, measure: str = "best_frechet") -> effects.Effect:
    """Returns the effect: by how much more an arm gains with few images than with many."""

    def gains(rows: pd.DataFrame, num: int) -> pd.Series:
        ours = effects.at_end(effects.select(rows, num=num), [measure])
        wide = ours.pivot(index="seed", columns="arm", values=measure)
        if measure == "auc":
            return wide[NONE] - wide[arm]
        return np.log(wide[NONE] / wide[arm])

    return effects.Effect(
        lambda rows: effects.differences(gains(rows, FEW), gains(rows, MANY)),
        [
            {"dataset": FASHION, "num": num, "arm": name}
            for num in (FEW, MANY)
            for name in (NONE, arm)
        ],
    )


_LEAKED = _difference("turned", FASHION, (FEW, ADA), (FEW, NONE))


def _leaked_turns(rows: pd.DataFrame) -> Sequence[float]:
    """Returns how many more samples are turned with ADA than without, by seed."""
    if not any(map(np.any, effects.column(rows, "p", arm=ADA))):
        raise effects.NotTestableError("p was 0 at every look: no images were turned")
    return _LEAKED(rows)


def _claims_of(arm: str) -> list[Claim]:
    """Returns the claims about an arm."""
    name, paper = NAMES[arm], PAPERS[arm]
    claims = [
        Claim(
            f"The gain of {name} is larger for fewer images",
            f"{paper}; ours in this form",
            f"log of best Frechet distance, none over {arm}: at {FEW} images less at {MANY}",
            _gain(arm),
            above=0.0,
        ),
        Claim(
            f"{name} takes more from the discriminator's memory with fewer images",
            f"{paper}; ours in this form",
            f"final membership AUC, none less {arm}: at {FEW} images less at {MANY}",
            _gain(arm, "auc"),
            above=0.0,
        ),
    ]
    for dataset, num in ((FASHION, FEW), (DIGITS, FEW_DIGITS)):
        pair = ((num, arm), (num, NONE))
        for measure, text in (
            ("auc", "the discriminator tells training from held-out images less well"),
            ("best_frechet", "the best samples are nearer to held-out images"),
            ("rise", "the distance rises less after its minimum"),
        ):
            claims.append(
                Claim(
                    f"With {name} {text}: {num} images of {dataset}",
                    paper,
                    f"{measure}, {arm} less none",
                    _difference(measure, dataset, *pair),
                    below=0.0,
                )
            )
    return claims


CLAIMS = (
    Claim(
        f"With {FEW} images and no help the discriminator knows its training images",
        "Karras et al. 2020; the bound is ours",
        "final membership AUC of `fashion_mnist`",
        effects.value("auc", {"dataset": FASHION, "num": FEW, "arm": NONE}),
        above=0.65,
    ),
    Claim(
        "It knows fewer images better",
        "Karras et al. 2020",
        f"final membership AUC, none: {FEW} less {MANY} images",
        _difference("auc", FASHION, (FEW, NONE), (MANY, NONE)),
        above=0.0,
    ),
    Claim(
        "Without help the Frechet distance has a minimum and rises",
        "Karras et al. 2020; the bound is ours",
        f"rise, none, {FEW} images of `fashion_mnist`",
        effects.value("rise", {"dataset": FASHION, "num": FEW, "arm": NONE}),
        above=1.2,
    ),
    *(claim for arm in NAMES for claim in _claims_of(arm)),
    Claim(
        "The probability of ADA rises with few images only",
        "Karras et al. 2020",
        f"final p at {FEW} less at {MANY} images",
        _difference("p", FASHION, (FEW, ADA), (MANY, ADA)),
        above=0.0,
    ),
    Claim(
        f"ADA does not leak turns into samples as long as p is at most {P_MAX}",
        "Karras et al. 2020; the bound is ours",
        f"`turned`, ada less none, {FEW} images of `fashion_mnist`",
        effects.Effect(_leaked_turns, _LEAKED.cells),
        below=0.02,
    ),
    *(
        Claim(
            f"DiffAugment leaks gray {name} into samples",
            "reported by users of the authors' code; the bound is ours",
            f"`{name}`, diffaugment less none, {FEW} images of `fashion_mnist`",
            _difference(name, FASHION, (FEW, DIFFAUGMENT), (FEW, NONE)),
            above=0.01,
        )
        for name in ("borders", "boxes")
    ),
)


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    order = {arm: index for index, arm in enumerate(ARMS)}
    return rows.sort_values(
        ["dataset", "num", "arm", "seed"],
        key=lambda column: column.map(order) if column.name == "arm" else column,
        kind="stable",
    )


def _draw_curves(rows: pd.DataFrame) -> Figure:
    """Draws the distance above and the membership below, a column for each set of images."""
    groups = list(_sorted(rows).groupby(["dataset", "num"], sort=False))
    figure, axes = plots.panels(2, len(groups), size=(3.6, 2.7))
    for column, ((dataset, num), ours) in enumerate(groups):
        for row, measure in enumerate(("frechet", "auc")):
            axis = axes[row, column]
            for color, arm in zip(plots.COLORS, ARMS, strict=False):
                runs = ours[ours["arm"] == arm]
                if len(runs):
                    plots.curve(axis, runs["step"].iloc[0], runs[measure], label=arm, color=color)
        floor = ours["real_frechet"].median()
        axes[0, column].axhline(floor, color=plots.COLORS[-1], lw=0.8, label="real images")
        axes[0, column].set(yscale="log", title=f"{dataset}, {num} images")
        axes[1, column].axhline(0.5, color=plots.COLORS[-1], lw=0.8)
    axes[0, 0].set_ylabel("Frechet distance")
    axes[1, 0].set_ylabel("membership AUC")
    axes[0, -1].legend(fontsize=7)
    figure.supxlabel("updates")
    return figure


def _draw_gains(rows: pd.DataFrame) -> Figure:
    """Draws what each arm gains over none, by the number of images; a line a seed."""
    figure, axes = plots.panels(1, 2)
    rows = effects.at_end(_sorted(rows), ["auc"])
    rows = rows[rows["dataset"] == rows["dataset"].iloc[-1]]
    sizes = sorted(rows["num"].unique())
    for axis, measure in zip(axes[0], ("best_frechet", "auc"), strict=True):
        wide = rows.pivot(index=["seed", "num"], columns="arm", values=measure)
        for place, arm in enumerate(arm for arm in ARMS[1:] if {NONE, arm} <= set(wide)):
            gains = wide[NONE] - wide[arm]
            if measure == "best_frechet":
                gains = np.log2(wide[NONE] / wide[arm])
            by_seed = gains.unstack("num")[sizes].to_numpy()
            x = np.arange(len(sizes)) + 0.08 * (place - 1)
            axis.plot(x, by_seed.T, "-o", color=plots.COLORS[place + 1], alpha=0.35, ms=3, lw=0.7)
            middle = np.nanmedian(by_seed, axis=0)  # Runs may be missing yet.
            axis.plot(x, middle, color=plots.COLORS[place + 1], lw=2, label=NAMES[arm])
        axis.axhline(0, color=plots.COLORS[-1], lw=0.8)
        axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axis.set_xlabel("training images")
    axes[0, 0].set_ylabel("log2 of best distance, none over arm")
    axes[0, 1].set_ylabel("final membership AUC, none less arm")
    axes[0, 1].legend(fontsize=8)
    return figure


def _draw_ada(rows: pd.DataFrame) -> Figure:
    """Draws how p moves, and what the discriminator accepts without help."""
    figure, axes = plots.panels(1, 2)
    for place, ((dataset, num), ours) in enumerate(
        _sorted(rows).groupby(["dataset", "num"], sort=False)
    ):
        color, label = plots.COLORS[place], f"{dataset}, {num}"
        moved, plain = (ours[ours["arm"] == arm] for arm in (ADA, NONE))
        if len(moved):
            plots.curve(axes[0, 0], moved["step"].iloc[0], moved["p"], label=label, color=color)
        if len(plain):
            gaps = pd.Series(
                [
                    np.subtract(run.accepted_train, run.accepted_held_out)
                    for run in plain.itertuples()
                ]
            )
            plots.curve(axes[0, 1], plain["step"].iloc[0], gaps, label=label, color=color)
    axes[0, 0].set(xlabel="updates", ylabel="p of ADA", ylim=(-0.02, P_MAX))
    axes[0, 1].set(xlabel="updates", ylabel="acceptance gap, none")
    axes[0, 1].axhline(0, color=plots.COLORS[-1], lw=0.8)
    axes[0, 1].legend(fontsize=7)
    return figure


_BY = ["dataset", "num", "steps", "arm"]


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    shown = ["best_frechet", "rise", "auc", "gap", "overfitting", "p", "precision", "recall"]
    return summaries(effects.at_end(_sorted(rows), ["auc", "p"]), _BY, [*shown, "cpu_seconds"])


def _leaks(rows: pd.DataFrame) -> pd.DataFrame:
    shown = ["copies", "copy_ratio", "turned", "borders", "boxes", "brightness", "contrast"]
    return summaries(_sorted(rows), _BY, shown)


def _floors(rows: pd.DataFrame) -> pd.DataFrame:
    shown = [name for name in MEASURES if name.startswith("real_")]
    return summaries(_sorted(rows[rows["arm"] == NONE]), _BY[:2], ["train_frechet", *shown])


def _signs(rows: pd.DataFrame) -> pd.DataFrame:
    better = dict.fromkeys(("best_frechet", "rise", "auc", "gap", "copies"), "less")
    return sign_tests(
        effects.at_end(_sorted(rows), ["auc"]),
        by=_BY[:3],
        arm="arm",
        baseline=NONE,
        better={**better, "recall": "greater"},
    )


LAB = Lab(
    name="limited_data",
    title="Few images: augmentation of the discriminator, and LeCam",
    protocol=PROTOCOL,
    measures=MEASURES,
    cells=cells,
    measure=measure,
    claims=CLAIMS,
    drawings={
        "curves": Drawing(
            "Frechet distance to held-out images, and how well the discriminator tells training "
            "from held-out images (0.5: not at all). Medians and ranges of the seeds; black: real "
            "images against real images, and chance.",
            _draw_curves,
        ),
        "gains": Drawing(
            "What each arm gains over none, by the number of training images of `fashion_mnist`: "
            "above 0 the arm is better. Thin: a seed; thick: the median.",
            _draw_gains,
        ),
        "overfitting": Drawing(
            "Left: the probability of ADA's transforms. Right: share of training images with a "
            "logit above 0 less that of held-out images, without help.",
            _draw_ada,
        ),
    },
    tables={
        "Arms": _table,
        "Sign tests, seed by seed: better than none": _signs,
        "Copies and leaks": _leaks,
        "Real images in the place of samples": _floors,
    },
    first_seed=2000,
)
