"""Shows what MIX + X covers that X does not: 25 Gaussians, the same recipe, many seeds.

benchmarks/mix_headline.py --seeds=8 --updates=2500 --arms=main --workers=2 --out=runs.csv

Each run is trained in a process of one thread, two side by side, from seeds of its own for the
networks, the noise and the data. Two idle cores should take 3 to 4 minutes; --arms=all, which also
runs what does not win, 6 to 7.
"""

import csv
import statistics
import time
from collections.abc import Callable, Sequence

import mixture_runs
import sample_scores
from absl import app, flags
from mixture_runs import Arm, Result, Run
from scipy import stats

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 8, "runs of each arm", lower_bound=2)
flags.DEFINE_integer("updates", 2500, "updates of each player in a run", lower_bound=100)
flags.DEFINE_enum("game", "non_saturating", sorted(mixture_runs.GAMES), "the game, in all arms")
flags.DEFINE_enum("arms", "main", ["main", "all"], "all: also what does not win")
flags.DEFINE_integer("workers", 2, "processes side by side", lower_bound=1)
flags.DEFINE_string("out", None, "CSV file for one row a run")

ONE = Arm("one net, width 64")
EQUAL_SIZE = Arm("MIX4x4, width 32 (equal parameters)", 4, 4, 32, 32)
EQUAL_WIDTH = Arm("MIX4x4, width 64 (equal width)", 4, 4)
UNIFORM = Arm("MIX4x4, width 64, uniform weights", 4, 4, options=(("weight_learning_rate", 0.0),))
ABLATIONS = [
    UNIFORM,
    Arm("1 generator, 4 discriminators", 1, 4),
    Arm("4 generators, 1 discriminator", 4, 1),
]
MAIN = [ONE, EQUAL_SIZE, EQUAL_WIDTH]
# Median modes over those of one net; and whether no seed of one net may reach the arm's worst.
GOALS = {EQUAL_SIZE.title: (1.5, True), EQUAL_WIDTH.title: (2.0, False)}
# A measure, and whether more of it is better.
COMPARED: dict[str, tuple[Callable[[Result], float], bool]] = {
    "modes": (lambda one: one.scores.modes, True),
    "hq": (lambda one: one.scores.high_quality, True),
    "sliced W1": (lambda one: one.scores.sliced, False),
}


def print_protocol(arms: Sequence[Arm]) -> None:
    """Prints what is run and what is measured."""
    print(mixture_runs.environment())
    print(
        f"25 Gaussians (tfgans.data.Grid), {FLAGS.game}, {FLAGS.updates} updates, "
        f"{len(arms)} arms x {FLAGS.seeds} seeds (0..{FLAGS.seeds - 1}: networks, noise and data)"
    )
    print(f"{mixture_runs.RECIPE}, exponentiated gradient .01, entropy .05")
    print(f"measured on {sample_scores.NUM_SAMPLES} samples a run; medians of the seeds:")
    print(sample_scores.MEASURES)
    print(
        "  KL hq, KL  sum_i p_i log(25 p_i), nats: p = shares of the modes among the samples of hq,"
    )
    print("             and among all samples, each at its nearest mode")
    print(f"  CPU s      of the updates, {FLAGS.workers} one-thread processes; tracing left out\n")


def print_arm(arm: Arm, results: Sequence[Result]) -> None:
    """Prints the medians of one arm."""
    scores = [one.scores for one in results]
    modes = [one.modes for one in scores]
    seconds = statistics.median(one.seconds for one in results)
    columns = [
        statistics.median(getattr(one, name) for one in scores)
        for name in ("high_quality", "kl_near", "kl_all", "sliced")
    ]
    print(
        f"{arm.title:36}{results[0].parameters:7}{seconds:8.1f}{statistics.median(modes):7.1f}  "
        f"{str(sorted(modes)).replace(' ', ''):28}" + "".join(f"{one:8.3f}" for one in columns)
    )


def print_comparison(arm: Arm, ours: Sequence[Result], base: Sequence[Result]) -> None:
    """Prints an arm against one net, one-sided, and whether its goal is met."""
    modes = [[one.scores.modes for one in results] for results in (ours, base)]
    ratio = statistics.median(modes[0]) / statistics.median(modes[1])
    apart = min(modes[0]) > max(modes[1])
    tests = []
    for name, (measure, more) in COMPARED.items():
        a, b = ([measure(one) for one in results] for results in (ours, base))
        p = stats.mannwhitneyu(a, b, alternative="greater" if more else "less").pvalue
        tests.append(f"{name} {sample_scores.p_text(p)}")
    line = f"{arm.title:36} modes x {ratio:.2f}, seeds {'apart' if apart else 'overlap'}"
    if arm.title in GOALS:
        goal, must_be_apart = GOALS[arm.title]
        met = ratio >= goal and (apart or not must_be_apart)
        no_overlap = ", seeds apart" if must_be_apart else ""
        line += f"  goal x {goal}{no_overlap}: {'met' if met else 'MISSED'}"
    print(f"{line}\n    better: {', '.join(tests)}")


def print_two_sided(learned: Sequence[Result], uniform: Sequence[Result]) -> None:
    """Prints what learning the weights changes."""
    print("\nlearned against uniform weights, MIX4x4, width 64 (two-sided Mann-Whitney U)")
    for name, (measure, _) in COMPARED.items():
        a, b = ([measure(one) for one in results] for results in (learned, uniform))
        p = stats.mannwhitneyu(a, b, alternative="two-sided").pvalue
        print(
            f"    {name:10}{statistics.median(a):8.3f} against {statistics.median(b):.3f}, "
            f"{sample_scores.p_text(p)}: {'differs' if p < 0.05 else 'no difference shown'}"
        )
    widest = max(max(one.weights) - min(one.weights) for one in learned)
    print(f"    learned weights of the generators differ by {widest:.2f} at most in a run")


def write_rows(path: str, results: Sequence[Result]) -> None:
    """Writes one row a run."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = ("modes", "high_quality", "kl_near", "kl_all", "sliced")
        writer.writerow(["arm", "game", "updates", "seed", "parameters", "cpu_seconds", *names])
        for one in results:
            run, scores = one.run, [getattr(one.scores, name) for name in names]
            about = [run.arm.title, run.game, run.updates, run.seed, one.parameters]
            writer.writerow([*about, round(one.seconds, 3), *scores])


def main(argv: list[str]) -> None:
    """Trains all arms, prints the table and the comparisons."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    arms = MAIN + (ABLATIONS if FLAGS.arms == "all" else [])
    print_protocol(arms)
    began = time.perf_counter()
    # Arms side by side, so that a busy spell of the machine hits all of them.
    runs = [
        Run(arm, seed, FLAGS.updates, game=FLAGS.game)
        for seed in range(FLAGS.seeds)
        for arm in arms
    ]
    results = mixture_runs.train_all(runs, FLAGS.workers)
    by_arm = {arm: [one for one in results if one.run.arm == arm] for arm in arms}
    print(
        f"{'arm':36}{'params':>7}{'CPU s':>8}{'modes':>7}  {'by seed, sorted':28}"
        f"{'hq':>8}{'KL hq':>8}{'KL':>8}{'sW1':>8}"
    )
    for arm in arms:
        print_arm(arm, by_arm[arm])
    print("\nagainst one net, width 64 (one-sided Mann-Whitney U)")
    for arm in arms[1:]:
        print_comparison(arm, by_arm[arm], by_arm[ONE])
    if UNIFORM in arms:
        print_two_sided(by_arm[EQUAL_WIDTH], by_arm[UNIFORM])
    if FLAGS.out:
        write_rows(FLAGS.out, results)
    print(f"\n{len(runs)} runs in {time.perf_counter() - began:.0f} s. {mixture_runs.load()}")


if __name__ == "__main__":
    app.run(main)
