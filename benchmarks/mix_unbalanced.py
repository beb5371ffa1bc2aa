"""Asks whether learned weights pay where modes are not equally likely: .50, .30, .15 and .05.

benchmarks/mix_unbalanced.py --seeds=8 --updates=1000 --workers=2

Four generators and one discriminator; a mixture could give each mode a generator of its own, with
the mode's proportion as its weight. Two idle cores take 3 to 4 minutes.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import mixture_runs
import numpy as np
import sample_scores
from absl import app, flags
from mixture_runs import Arm, Result, Run
from scipy import stats

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 8, "runs of each arm", lower_bound=2)
flags.DEFINE_integer("updates", 1000, "updates of each player in a run", lower_bound=100)
flags.DEFINE_enum("game", "non_saturating", sorted(mixture_runs.GAMES), "the game, in all arms")
flags.DEFINE_integer("discriminators", 1, "discriminators, in all arms", lower_bound=1)
flags.DEFINE_integer("workers", 2, "processes side by side", lower_bound=1)

GENERATORS = 4
# A component serves a mode with at least this part of its own samples there.
SERVES = 0.05
TRUTH = np.sort(mixture_runs.UNBALANCED)[::-1]
MEASURES: dict[str, Callable[[Result], float]] = {
    "TV of shares": lambda one: one.scores.distance,
    "sliced W1": lambda one: one.scores.sliced,
    "1 - hq": lambda one: 1 - one.scores.high_quality,
}


def arm(title: str, **options: Any) -> Arm:
    """Returns four narrow generators whose weights learn by `options`."""
    return Arm(title, GENERATORS, FLAGS.discriminators, 32, 64, tuple(options.items()))


def arms() -> list[Arm]:
    """Returns what is compared; uniform weights come first."""
    gradient = [
        arm(f"rate {rate}, entropy {entropy}", weight_learning_rate=rate, entropy_weight=entropy)
        for rate in (0.01, 0.1)
        for entropy in (0.05, 0.005)
    ]
    softmax = arm("softmax, entropy 0.005", weight_update="softmax", entropy_weight=0.005)
    return [arm("uniform (rate 0)", weight_learning_rate=0.0), *gradient, softmax]


def weight_error(result: Result) -> float:
    """Returns the total variation between the sorted weights and the sorted truth."""
    return sample_scores.total_variation(np.sort(result.weights)[::-1], TRUTH)


def best_error(result: Result) -> float:
    """Returns how near to the truth other weights could bring the shares of these generators.

    The least total variation over all weights, of mixtures of what each generator serves.
    """
    served = np.array(result.served)
    made = served / np.maximum(served.sum(axis=1, keepdims=True), 1e-12)
    return sample_scores.least_variation(made, np.array(mixture_runs.UNBALANCED))


def modes_served(result: Result) -> str:
    """Returns each generator's weight and modes, as `.41:a .30:ab .20:b .09:cd`."""
    parts = []
    for index in np.argsort(result.weights)[::-1]:
        row = np.array(result.served[index])
        modes = np.flatnonzero(row >= SERVES * max(row.sum(), 1e-12))
        parts.append(f"{result.weights[index]:.2f}:" + "".join("abcd"[mode] for mode in modes))
    return " ".join(parts)


def print_protocol(compared: Sequence[Arm]) -> None:
    """Prints what is run and what is measured."""
    print(mixture_runs.environment())
    print(
        f"4 Gaussians at (+-1, +-1), std .1, proportions {mixture_runs.UNBALANCED} of modes abcd; "
        f"{FLAGS.game}, {FLAGS.updates} updates, {len(compared)} arms x {FLAGS.seeds} seeds"
    )
    print(mixture_runs.RECIPE)
    print(
        f"{GENERATORS} generators of width 32, {FLAGS.discriminators} discriminator(s) of width 64"
    )
    print(f"measured on {sample_scores.NUM_SAMPLES} samples a run; medians of the seeds:")
    print("  TV weights  total variation of the sorted weights from the sorted proportions")
    print("  TV shares   of the samples' shares of the modes from the proportions")
    print("  TV least    the least TV shares that any weights of these same generators could give")
    print("  sW1, hq     sliced Wasserstein-1 to real draws; share within 3 std of a mode")
    print("  alone       generators, of all seeds, that serve one mode only\n")


def print_arm(name: Arm, results: Sequence[Result]) -> None:
    """Prints the medians of one arm."""
    errors = [weight_error(one) for one in results]
    weights = np.median([np.sort(one.weights)[::-1] for one in results], axis=0)
    columns = [
        statistics.median(errors),
        statistics.median(one.scores.distance for one in results),
        statistics.median(best_error(one) for one in results),
        statistics.median(one.scores.sliced for one in results),
        statistics.median(one.scores.high_quality for one in results),
    ]
    alone = sum(
        len(part.split(":")[1]) == 1 for one in results for part in modes_served(one).split()
    )
    print(
        f"{name.title:26}{' '.join(f'{one:.2f}' for one in weights)}  "
        + "".join(f"{one:10.3f}" for one in columns)
        + f"{alone:6} of {GENERATORS * len(results)}"
    )


def print_comparison(name: Arm, ours: Sequence[Result], uniform: Sequence[Result]) -> None:
    """Prints an arm against uniform weights, in both directions."""
    print(name.title)
    for title, measure in MEASURES.items():
        a, b = ([measure(one) for one in results] for results in (ours, uniform))
        less, greater = (
            stats.mannwhitneyu(a, b, alternative=side).pvalue for side in ("less", "greater")
        )
        shown = "better" if less < 0.05 else "WORSE" if greater < 0.05 else "no difference shown"
        print(
            f"    {title:14}{statistics.median(a):.3f} against {statistics.median(b):.3f}: {shown} "
            f"(better {sample_scores.p_text(less)}, worse {sample_scores.p_text(greater)})"
        )


def main(argv: list[str]) -> None:
    """Trains all arms, prints the table and the comparisons."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    compared = arms()
    print_protocol(compared)
    began = time.perf_counter()
    runs = [
        Run(one, seed, FLAGS.updates, data="unbalanced", game=FLAGS.game)
        for seed in range(FLAGS.seeds)
        for one in compared
    ]
    results = mixture_runs.train_all(runs, FLAGS.workers)
    by_arm = {one: [result for result in results if result.run.arm == one] for one in compared}
    print(
        f"{'weights':26}{'median, sorted':21}"
        + "".join(f"{one:>10}" for one in ("TV weights", "TV shares", "TV least", "sW1", "hq"))
        + "  alone"
    )
    for one in compared:
        print_arm(one, by_arm[one])
    print("\nagainst uniform weights (one-sided Mann-Whitney U, both ways; p < .05)")
    for one in compared[1:]:
        print_comparison(one, by_arm[one], by_arm[compared[0]])
    print("\nweight:modes of each generator, seeds 0 and 1")
    for one in compared:
        print(f"{one.title:26}" + "    ".join(modes_served(result) for result in by_arm[one][:2]))
    print(f"\n{len(runs)} runs in {time.perf_counter() - began:.0f} s. {mixture_runs.load()}")


if __name__ == "__main__":
    app.run(main)
