"""Times a training step of WGAN-GP: tfgans, plain Keras and the bare kernels, in alternation.

benchmarks/train_step.py --rounds=5 --steps=3

All use the same network builders, hyper-parameters and batch, in the same process. tfgans and
plain Keras run under `fit`, on the same `tf.data` pipeline of fresh batches.
The bare kernels are the forward and backward passes alone: no optimizer, logs, data or draws. Under
`fit` they show what Keras's loop and the data cost: the highest speed of any training step.
"""

import dataclasses
import functools
import os
import resource
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import plain_wgan_gp
import tensorflow as tf
import timing
from absl import app, flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "rounds of each comparison", lower_bound=1)
flags.DEFINE_integer("steps", 3, "training steps of DCGAN in a round", lower_bound=1)
flags.DEFINE_integer("small_steps", 100, "training steps of the MLP in a round", lower_bound=10)

CRITIC_STEPS = 5
BATCH = 64


@dataclasses.dataclass(frozen=True)
class Case:
    """A row: two networks, their data, the steps of a round and of an execution, and the goals.

    A goal is the speed of tfgans relative to the reference. `jit_compile` is for tfgans and plain
    Keras, not for the kernels.
    """

    title: str
    networks: Callable[[], tuple[Any, Any]]
    examples: np.ndarray
    steps: int
    goals: dict[str, float]
    steps_per_execution: int = 1
    jit_compile: bool = False


def dcgan() -> tuple[keras.Model, keras.Model]:
    """Returns DCGAN for 32x32x3 at its default widths."""
    shape = (32, 32, 3)
    return (
        tfgans.networks.dcgan_generator(shape, seed=0),
        tfgans.networks.dcgan_discriminator(shape, seed=0),
    )


def mlp() -> tuple[keras.Model, keras.Model]:
    """Returns the default perceptrons for points in the plane."""
    return (
        tfgans.networks.mlp_generator((2,), seed=0),
        tfgans.networks.mlp_discriminator((2,), seed=0),
    )


def cases() -> list[Case]:
    """Returns the rows."""
    images = np.random.default_rng(0).uniform(-1, 1, (2048, 32, 32, 3)).astype(np.float32)
    ring = next(iter(tfgans.data.Ring(seed=0).batches(2**14))).numpy()
    small = [
        Case(
            f"MLP on the ring, steps_per_execution={k}, jit_compile={jit}",
            mlp,
            ring,
            FLAGS.small_steps,
            {"plain": 1.0, "bare kernels": 0.75},
            k,
            jit,
        )
        for jit in (False, True)
        for k in (1, 10)
    ]
    large = Case("DCGAN 32x32x3", dcgan, images, FLAGS.steps, {"plain": 1.0, "bare kernels": 0.98})
    return [large, *small]


def batches(examples: np.ndarray) -> tf.data.Dataset:
    """Returns endless shuffled batches, each for a single update."""
    dataset = tf.data.Dataset.from_tensor_slices(examples).shuffle(len(examples), seed=0).repeat()
    return dataset.batch(BATCH, drop_remainder=True)


def ours(case: Case) -> Callable[[], timing.Cost]:
    """Returns a runner of `tfgans.WGANGP`."""
    gan = tfgans.WGANGP(*case.networks(), discriminator_steps=CRITIC_STEPS)
    gan.compile(steps_per_execution=case.steps_per_execution, jit_compile=case.jit_compile)
    return fitting(gan.fit, batches(case.examples), case)


def plain(case: Case) -> Callable[[], timing.Cost]:
    """Returns a runner of the plain Keras model."""
    gan = plain_wgan_gp.PlainWGANGP(*case.networks(), CRITIC_STEPS)
    gan.compile(steps_per_execution=case.steps_per_execution, jit_compile=case.jit_compile)
    dataset = batches(case.examples).batch(CRITIC_STEPS, drop_remainder=True)
    # `shuffle=False` keeps Keras from warning that it does not shuffle a dataset.
    fit = functools.partial(gan.fit, shuffle=False)
    return fitting(fit, dataset.prefetch(tf.data.AUTOTUNE), case)


def bare_kernels(case: Case) -> Callable[[], timing.Cost]:
    """Returns a runner of the kernels, with one call per step for every `steps_per_execution`."""
    step = plain_wgan_gp.bare_step(*case.networks(), CRITIC_STEPS, BATCH)
    return lambda: timing.time_calls(step, case.steps)


def kernels_under_fit(case: Case) -> Callable[[], timing.Cost]:
    """Returns a runner of the kernels under `fit`, on the data of plain Keras."""
    model = plain_wgan_gp.KernelsUnderFit(*case.networks(), CRITIC_STEPS, BATCH)
    model.compile(
        optimizer=None, steps_per_execution=case.steps_per_execution, jit_compile=case.jit_compile
    )
    dataset = batches(case.examples).batch(CRITIC_STEPS, drop_remainder=True)
    fit = functools.partial(model.fit, shuffle=False)
    return fitting(fit, dataset.prefetch(tf.data.AUTOTUNE), case)


def fitting(
    fit: Callable[..., Any], dataset: tf.data.Dataset, case: Case
) -> Callable[[], timing.Cost]:
    """Returns a runner of a model's `fit`, with an untimed execution before the timed steps."""
    executions = 1 + max(1, case.steps // case.steps_per_execution)

    def run() -> timing.Cost:
        clock = timing.StepClock(case.steps_per_execution)
        steps = executions * case.steps_per_execution
        fit(dataset, steps_per_epoch=steps, callbacks=[clock], verbose=0)
        return clock.cost()

    return run


def report(case: Case, costs: dict[str, list[timing.Cost]]) -> None:
    """Prints the seconds of a step, and the speed of tfgans relative to the others."""
    print(
        f"\n{case.title}: batch {BATCH}, {CRITIC_STEPS} critic updates + 1, {FLAGS.rounds} rounds"
    )
    for name, measured in costs.items():
        seconds = [
            f"{clock} {timing.Spread.of([1e3 * getattr(cost, clock) for cost in measured])}"
            for clock in timing.CLOCKS
        ]
        print(f"  ms a step     {name:17}{'   '.join(seconds)}")
    for name in ("plain", "bare kernels"):
        for clock in timing.CLOCKS:
            ratio = timing.speed_ratio(costs["ours"], costs[name], clock)
            print(f"  speed, {clock:4} / {name:17} {ratio}{verdict(ratio.median, name, case)}")
    bound = timing.speed_ratio(costs["kernels under fit"], costs["bare kernels"], "cpu")
    print(f"  highest speed, cpu / bare kernels, that of the kernels under fit: {bound}")


def verdict(median: float, name: str, case: Case) -> str:
    """Says whether the goal is met, if the case has a goal."""
    if name not in case.goals:
        return "  no goal"
    goal = case.goals[name]
    return f"  goal >= {goal}: {'met' if median >= goal else 'MISSED'}"


def main(argv: list[str]) -> None:
    """Runs every row."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or "auto"
    print(f"tfgans {tfgans.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}")
    print(
        f"{os.cpu_count()} cores, threads {threads}, "
        f"GPUs {len(tf.config.list_physical_devices('GPU'))}, load {os.getloadavg()[0]:.2f}"
    )
    print("speed of tfgans as a ratio: median (min..max) of the rounds; above 1 is faster")
    for case in cases():
        runners = {
            "ours": ours(case),
            "plain": plain(case),
            "kernels under fit": kernels_under_fit(case),
            "bare kernels": bare_kernels(case),
        }
        report(case, timing.alternate(runners, FLAGS.rounds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of the process, all models in it: {peak:.2f} GiB")


if __name__ == "__main__":
    app.run(main)
