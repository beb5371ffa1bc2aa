"""Shows which games reach the data where the Jensen-Shannon divergence is flat: parallel lines.

benchmarks/many_paths.py --seeds=8 --steps=3000 --workers=2 --out=runs.csv

Data lie on a line in the plane; the generator makes a parallel one, at distance 1 at first. Each
run is trained in a process of one thread, two side by side. With one worker on a busy machine it
took 22 minutes.
"""

import csv
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence

import path_runs
import tensorflow as tf
import timing
from absl import app, flags
from path_runs import Arm, Result

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 8, "runs of each arm", lower_bound=2)
flags.DEFINE_integer("steps", 3000, "updates of the generator in a run", lower_bound=200)
flags.DEFINE_integer("workers", 2, "processes side by side", lower_bound=1)
flags.DEFINE_string("out", None, "CSV file for one row a run")

ARMS = [
    *(Arm("minimax", tfgans.MinimaxGAN, count) for count in (1, 5)),
    *(Arm("non-saturating", tfgans.NonSaturatingGAN, count) for count in (1, 5)),
    *(Arm("GAN-GP", tfgans.GANGP, count) for count in (1, 5)),
    *(Arm("DRAGAN", tfgans.DRAGAN, count) for count in (1, 5)),
    Arm("WGAN-GP, weight 10", tfgans.WGANGP, 5),
    Arm("WGAN-GP, weight .1", tfgans.WGANGP, 5, (("penalty_weight", 0.1),)),
    *(Arm("R3GAN", tfgans.R3GAN, count) for count in (1, 5)),
    # The game that stalls, with a penalty: whether it is the payoff that stalls it.
    Arm(
        "minimax + penalty of GAN-GP",
        tfgans.MinimaxGAN,
        5,
        (("penalty", tfgans.penalties.GradientPenalty(weight=10.0)),),
    ),
]
MEASURES: list[Callable[[Result], float]] = [
    lambda one: one.reached,
    lambda one: one.distance(0.5),
    lambda one: one.distance(),
    lambda one: one.late,
    lambda one: one.wasserstein,
]


def print_protocol() -> None:
    """Prints what is run and what is measured."""
    half, end, every = FLAGS.steps // 2, FLAGS.steps, path_runs.STEPS_PER_EXECUTION
    width, near = path_runs.WIDTH, path_runs.NEAR
    print(timing.environment())
    print(
        f"data (0, t) (tfgans.data.ParallelLines), generator (theta, c u), t and u ~ U(0, 1), "
        f"theta = c = 1 at first;\ndiscriminator MLP 2-{width}-{width}-1, leaky ReLU .2; batch "
        f"{path_runs.BATCH}; {end} steps; {len(ARMS)} arms x {FLAGS.seeds} seeds "
        f"(0..{FLAGS.seeds - 1});\nAdam {path_runs.LEARNING_RATE:g}, betas {path_runs.BETAS}, "
        "epsilon 1e-7, for both players of all arms, not the methods' own: Adam\nmoves a scalar by "
        "about its rate a step, so a lower rate would be what is measured; and a smaller\nepsilon "
        "ends the stall of minimax, a vanishing gradient. Medians of the seeds:\n"
        f"  n_d    updates of the discriminator before each one of the generator\n"
        f"  reach  first step with |theta| < {near}, looked at every {every}; seeds that had one\n"
        f"  |theta| after {half} and after {end} steps; late: its largest in the last tenth\n"
        f"  W1     between the segments after {end} steps, exact; |theta| if c = 1\n"
        f"  near   share of the seeds with |theta| < {near} after {end} steps\n"
        f"  CPU s  of the steps, {FLAGS.workers} one-thread processes; tracing left out\n"
    )


def print_arm(arm: Arm, results: Sequence[Result]) -> None:
    """Prints the medians of one arm."""
    seconds = statistics.median(one.seconds for one in results)
    reach, *distances = (statistics.median(map(measure, results)) for measure in MEASURES)
    came = sum(math.isfinite(one.reached) for one in results)
    near = sum(one.distance() < path_runs.NEAR for one in results) / len(results)
    print(
        f"{arm.title:28}{arm.discriminator_steps:4}{seconds:7.1f}"
        f"{f'{reach:.0f}' if math.isfinite(reach) else '-':>8}{f'{came}/{len(results)}':>6}"
        + "".join(f"{one:8.3f}" for one in distances)
        + f"{near:6.2f}"
    )


def print_seeds(arm: Arm, results: Sequence[Result]) -> None:
    """Prints how far each seed of one arm was, halfway and at the end."""
    columns = (
        " ".join(f"{one:.3f}".removeprefix("0") for one in sorted(values))
        for values in ([one.distance(part) for one in results] for part in (0.5, 1.0))
    )
    print(f"{arm.title:28}{arm.discriminator_steps:4}  " + "   |   ".join(columns))


def print_divergence(results: Sequence[Result]) -> None:
    """Prints what a generator that follows the divergence would have seen."""
    seen = [one for result in results for one in result.offsets]
    on_line = seen.count(0.0)
    print(
        f"\nJensen-Shannon divergence: log 2 = {math.log(2):.3f} nats wherever theta is not 0, so "
        f"at {len(seen) - on_line} of {len(seen)} looks."
    )


def write_rows(path: str, results: Sequence[Result]) -> None:
    """Writes one row a run; the last columns are theta on its way."""
    looks = range(1, len(results[0].offsets) + 1)
    names = ["arm", "n_d", "seed", "steps", "cpu_seconds", "length", "wasserstein"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        steps = [f"theta_{look * path_runs.STEPS_PER_EXECUTION}" for look in looks]
        writer.writerow([*names, *steps])
        for one in results:
            about = [one.arm.title, one.arm.discriminator_steps, one.seed, FLAGS.steps]
            measured = [round(one.seconds, 3), one.length, one.wasserstein]
            writer.writerow([*about, *measured, *one.offsets])


def main(argv: list[str]) -> None:
    """Trains all arms and prints the table."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    if FLAGS.steps % path_runs.STEPS_PER_EXECUTION:
        raise app.UsageError(f"--steps must be a multiple of {path_runs.STEPS_PER_EXECUTION}")
    print_protocol()
    began = time.perf_counter()
    # Arms side by side, so that a busy spell of the machine hits all of them.
    runs = [(arm, seed, FLAGS.steps) for seed in range(FLAGS.seeds) for arm in ARMS]
    context = multiprocessing.get_context("spawn")
    with context.Pool(FLAGS.workers, initializer=_one_thread) as pool:
        results = pool.starmap(path_runs.train, runs, chunksize=1)
    by_arm = {arm: [one for one in results if one.arm == arm] for arm in ARMS}
    print(
        f"{'arm':28}{'n_d':>4}{'CPU s':>7}{'reach':>8}{'':6}{f'at {FLAGS.steps // 2}':>8}"
        f"{f'at {FLAGS.steps}':>8}{'late':>8}{'W1':>8}{'near':>6}"
    )
    for arm, ours in by_arm.items():
        print_arm(arm, ours)
    print(f"\n|theta| by seed, sorted, after {FLAGS.steps // 2} and after {FLAGS.steps} steps")
    for arm, ours in by_arm.items():
        print_seeds(arm, ours)
    print_divergence(results)
    if FLAGS.out:
        write_rows(FLAGS.out, results)
    print(f"\n{len(runs)} runs in {time.perf_counter() - began:.0f} s. {timing.load()}")


def _one_thread() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    app.run(main)
