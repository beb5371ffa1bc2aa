"""Times metrics against other implementations, and prints whether the values agree.

benchmarks/metrics.py --num=10000 --dim=2048 --rounds=2

One thread (set OMP_NUM_THREADS=1 for BLAS), process CPU time, alternated in one process; memory is
measured apart, in a fresh process for each.
"""

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import timing
from absl import app, flags
from scipy import linalg
from sklearn.metrics.pairwise import polynomial_kernel

from tfgans import metrics

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import tf_gan

FLAGS = flags.FLAGS
flags.DEFINE_integer("num", 10_000, "examples of each side", lower_bound=100)
flags.DEFINE_integer("dim", 2048, "of a feature", lower_bound=2)
flags.DEFINE_integer("rounds", 2, "rounds of each comparison", lower_bound=1)

BATCH = 256


def features(num: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns two sets of float64 features with a decreasing spectrum, as of a network."""
    rng = np.random.default_rng(0)
    spread = 1 / np.sqrt(1 + np.arange(dim))
    mix = rng.normal(size=(dim, dim)) / np.sqrt(dim)
    real, fake = (np.maximum(rng.normal(size=(num, dim)) * spread @ mix + 0.3, 0) for _ in "ab")
    # TF-GAN leaves out singular values under 1e-10: these are larger.
    return 10 * real, 11 * fake


def by_sqrtm(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the Frechet distance as the TTUR code computes it."""
    first, second = (np.cov(rows, rowvar=False) for rows in (real, fake))
    shift = np.square(real.mean(axis=0) - fake.mean(axis=0)).sum()
    return float(shift + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real))


def by_tf_gan(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns TF-GAN's Frechet distance, in float64."""
    with tf_gan.leaf("eval.classifier_metrics") as theirs:
        function = theirs.frechet_classifier_distance_from_activations
        return float(function(tf.constant(real), tf.constant(fake)))


def by_prdc(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Returns precision, recall, density and coverage of the authors' package."""
    import prdc

    return prdc.compute_prdc(real, fake, 5)


def by_scikit_learn(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the kernel distance from whole float64 kernel matrices."""
    within = [polynomial_kernel(rows, coef0=1) for rows in (real, fake)]
    means = [
        (kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in within
    ]
    return float(sum(means) - 2 * polynomial_kernel(real, fake, coef0=1).mean())


def streamed(real: np.ndarray) -> np.ndarray:
    """Returns the covariance, batch by batch."""
    statistics = metrics.FeatureStatistics()
    for start in range(0, len(real), BATCH):
        statistics.update(real[start : start + BATCH])
    return statistics.covariance


def bare_products(real: np.ndarray) -> np.ndarray:
    """Returns the covariance of centered features from products alone: the least work."""
    total = np.zeros([real.shape[1]] * 2)
    for start in range(0, len(real), BATCH):
        batch = real[start : start + BATCH]
        total += batch.T @ batch
    return total / (len(real) - 1)


def compare(title: str, goals: dict[str, float], calls: dict[str, Callable[[], Any]]) -> None:
    """Prints the speed of "ours" relative to each other call, and whether they agree."""
    values: dict[str, Any] = {}

    def timed(name: str) -> Callable[[], timing.Cost]:
        return lambda: timing.time_calls(lambda: values.update({name: calls[name]()}), 1)

    costs = timing.alternate({name: timed(name) for name in calls}, FLAGS.rounds)
    for name, goal in goals.items():
        pairs = zip(costs[name], costs["ours"], strict=True)
        ratio = timing.Spread.of([other.cpu / ours.cpu for other, ours in pairs])
        difference = np.max(np.abs(flat(values[name]) - flat(values["ours"])))
        scale = np.max(np.abs(flat(values["ours"])))
        print(
            f"{title:>22}  {name:<12} takes {ratio} times our CPU time (goal {goal:g}); values "
            f"differ by {difference / scale:.1e} of the largest",
            flush=True,
        )


def flat(value: Any) -> np.ndarray:
    """Returns the numbers of a result in a fixed order."""
    if isinstance(value, dict):
        return np.array([value[name] for name in sorted(value)])
    return np.ravel(value)


def peak_memory(function: Callable[..., Any]) -> float:
    """Returns the gigabytes by which a call raises the peak of a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (function, FLAGS.num, FLAGS.dim))


def _growth(function: Callable[..., Any], num: int, dim: int) -> float:
    real, fake = features(num, dim)
    function(real[:100], fake[:100])
    Path("/proc/self/clear_refs").write_text("5")  # Linux forgets the peak so far.
    before = _peak()
    function(real, fake)
    return (_peak() - before) / 1e6


def _peak() -> int:
    """Returns the peak of this process's memory, in kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main(_: list[str]) -> None:
    """Runs all comparisons."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    real, fake = features(FLAGS.num, FLAGS.dim)
    centered = real - real.mean(axis=0)
    print(f"{FLAGS.num} x {FLAGS.dim}, float64; {FLAGS.rounds} rounds: median (low..high)")
    compare(
        "streaming covariance",
        {"bare product": 1 / 1.2},
        {"ours": lambda: streamed(real), "bare product": lambda: bare_products(centered)},
    )
    compare(
        "frechet_distance",
        {"scipy sqrtm": 4, "TF-GAN": 3},
        {
            "ours": lambda: metrics.frechet_distance(real, fake),
            "scipy sqrtm": lambda: by_sqrtm(real, fake),
            "TF-GAN": lambda: by_tf_gan(real, fake),
        },
    )
    compare(
        "precision_recall",
        {"prdc": 3},
        {
            "ours": lambda: metrics.precision_recall(real, fake),
            "prdc": lambda: by_prdc(real, fake),
        },
    )
    few, others = real[:2000], fake[:2000]
    compare(
        "kernel_distance, 2000",
        {"scikit-learn": 1},
        {
            "ours": lambda: metrics.kernel_distance(few, others).value,
            "scikit-learn": lambda: by_scikit_learn(few, others),
        },
    )
    ours, theirs = peak_memory(metrics.precision_recall), peak_memory(by_prdc)
    print(f"{'precision_recall':>22}  peak memory {ours:.2f} GB, prdc {theirs:.2f} GB (goal 1/3)")


if __name__ == "__main__":
    app.run(main)
