"""Times an update of one player: a mixture of k networks against a single network, at equal batch.

benchmarks/mix_cost.py --rounds=5

Uses the forward, backward and update code of `GAN`; the loss is a mean of squares, so that the
other player costs nothing. The timings of a case alternate in the same process; memory is measured
in a fresh process for each k. For perceptrons a column says what the kernels alone cost: batched
products of k networks, whose weights lie stacked in memory, and Adam's kernel.
"""

import dataclasses
import functools
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import timing
from absl import app, flags

import tfgans
from tfgans import optimizers
from tfgans.optimizers import FusedAdam
from tfgans.players import DiscriminatorPlayer, GeneratorPlayer
from tfgans.random import Stream

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "rounds of each comparison", lower_bound=1)
flags.DEFINE_bool("memory", True, "also measure peak memory, in a fresh process for each row")

COUNTS = (4, 8, 16)
IMAGES = (32, 32, 3)
WARM_UP = 3
# The number of networks and the routing of the batch; a single network is (1, "").
Row = tuple[int, str]
SINGLE: Row = (1, "")
ROWS: list[Row] = [SINGLE, *((count, "slices") for count in COUNTS), (4, "all")]


@dataclasses.dataclass(frozen=True)
class Case:
    """A player at one batch size.

    Attributes:
        title: The printed title.
        kind: A name in `BUILDERS`.
        batch: Rows of the whole batch.
        steps: Updates in a round.
        goals: Highest cost of slices for each of `COUNTS`, relative to a single network; or none.
        goal_of_all: Highest cost of four networks that see all examples; or None.
    """

    title: str
    kind: str
    batch: int
    steps: int
    goals: tuple[float, ...] = ()
    goal_of_all: float | None = None


BUILDERS: dict[str, Callable[[], Any]] = {
    "mlp_generator": lambda: tfgans.networks.mlp_generator((2,), width=256, depth=3),
    "small_generator": lambda: tfgans.networks.mlp_generator((2,), width=64, depth=3),
    "small_discriminator": lambda: tfgans.networks.mlp_discriminator((2,), width=64, depth=3),
    "dcgan_discriminator": lambda: tfgans.networks.dcgan_discriminator(IMAGES),
    "dcgan_generator": lambda: tfgans.networks.dcgan_generator(IMAGES),
}
CASES = [
    Case("MLP generator, width 256, depth 3", "mlp_generator", 1024, 40, (1.15, 1.4, 1.9)),
    Case("MLP generator, width 256, depth 3", "mlp_generator", 256, 80, (1.15, 1.4, 2.1)),
    Case("MLP generator, width 64, depth 3", "small_generator", 256, 200, (1.3,)),
    Case("MLP discriminator, width 64, depth 3", "small_discriminator", 256, 200, (), 2.6),
    Case("DCGAN discriminator 32x32x3", "dcgan_discriminator", 128, 2, (1.25, 1.4, 1.9)),
    Case("DCGAN generator 32x32x3", "dcgan_generator", 128, 2, (1.1, 1.1, 1.4)),
]


def player(case: Case, row: Row) -> Any:
    """Returns a new network, or a mixture of new networks."""
    count, routing = row
    if row == SINGLE:
        return BUILDERS[case.kind]()
    judges = case.kind.endswith("discriminator")
    mixture = tfgans.MixtureDiscriminator if judges else tfgans.MixtureGenerator
    return mixture.from_builder(BUILDERS[case.kind], count, routing=routing)


def update(network: keras.Model, batch: int) -> Callable[[], object]:
    """Returns a function that takes one step of `network` on a batch drawn beforehand."""
    judges = network.output_shape[1:] == (1,) or isinstance(network, tfgans.MixtureDiscriminator)
    player: GeneratorPlayer | DiscriminatorPlayer
    player = DiscriminatorPlayer(network) if judges else GeneratorPlayer(network)
    player.compile(optimizers.prepare(FusedAdam(1e-4), network), accumulate_steps=1)
    inputs = tf.random.normal([batch, *network.input_shape[1:]])

    @tf.function(autograph=False)
    def step(inputs: tf.Tensor) -> None:
        stream = Stream(tfgans.random.key(0, 1))

        def loss(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if isinstance(player, DiscriminatorPlayer):
                (assigned,) = player.assign_rows(inputs, stream=stream, training=True)
                output = player.logits(assigned, None, stream=stream, training=True)
                terms = output.with_values(tf.square(output.values))
            else:
                output = player.generate(inputs, None, stream=stream, training=True)
                axes = list(range(1, len(output.values.shape)))
                squares = tf.reduce_mean(tf.square(output.values), axis=axes)
                terms = output.with_values(squares[:, tf.newaxis])
            return player.add_entropy(terms.mean()), tf.zeros([])

        player.minimize(loss, inputs)

    return lambda: step(inputs)


def kernels(network: keras.Model, count: int, batch: int) -> Callable[[], object]:
    """Returns a function that takes one step of `count` perceptrons by the kernels alone.

    Args:
        network: A perceptron of `Dense` layers.
        count: Int, the networks, each with an equal share of the batch.
        batch: Int, rows of the whole batch.
    """
    shapes = [layer.kernel.shape for layer in network.layers if hasattr(layer, "kernel")]
    weights = [tf.Variable(tf.random.normal([count, *shape], stddev=0.05)) for shape in shapes]
    biases = [tf.Variable(tf.zeros([count, 1, shape[1]])) for shape in shapes]
    variables = [*weights, *biases]
    slots = [[tf.Variable(tf.zeros_like(each)) for _ in range(2)] for each in variables]
    inputs = tf.random.normal([count, batch // count, shapes[0][0]])

    @tf.function(autograph=False)
    def step(inputs: tf.Tensor) -> None:
        hidden = inputs
        with tf.GradientTape() as tape:
            for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                hidden = tf.matmul(tf.nn.relu(hidden) if index else hidden, weight) + bias
            loss = tf.reduce_mean(tf.square(hidden))
        gradients = tape.gradient(loss, variables)
        for variable, (m, v), gradient in zip(variables, slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=0.5,
                beta2_power=0.999,
                lr=1e-4,
                beta1=0.5,
                beta2=0.999,
                epsilon=1e-7,
                grad=gradient,
                use_locking=True,
            )

    return lambda: step(inputs)


def kernel_costs(case: Case) -> dict[int, float]:
    """Returns the median CPU cost of the kernels of k generators by k, one network = 1."""
    network = BUILDERS[case.kind]()
    steps = {count: kernels(network, count, case.batch) for count in (1, *COUNTS)}
    runners = {
        count: functools.partial(timing.time_calls, step, case.steps)
        for count, step in steps.items()
    }
    costs = timing.alternate(runners, FLAGS.rounds)
    return {count: timing.speed_ratio(costs[1], costs[count], "cpu").median for count in COUNTS}


def runner(case: Case, row: Row) -> Callable[[], timing.Cost]:
    """Returns a function that times one round."""
    step = update(player(case, row), case.batch)
    return lambda: timing.time_calls(step, case.steps)


def peak_added(case: Case, row: Row) -> float:
    """Returns the peak memory of this fresh process, in MiB, minus its memory before the networks.

    `ru_maxrss` would start from the peak of the parent process; Linux's VmHWM does
    not. Weights, Adam's slots, activations and what tracing leaves are all in it.
    """
    tf.reduce_sum(tf.random.normal([8, 8])).numpy()  # Starts the runtime, which does not count.
    before = _status("VmRSS")
    step = update(player(case, row), case.batch)
    for _ in range(WARM_UP):
        step()
    return (_status("VmHWM") - before) / 2**10


def state_size(case: Case, row: Row) -> float:
    """Returns the MiB of the weights and of Adam's two slots per weight."""
    network = player(case, row)
    slots = 2 * sum(variable.numpy().nbytes for variable in network.trainable_variables)
    return (slots + sum(variable.numpy().nbytes for variable in network.variables)) / 2**20


def report(
    case: Case,
    costs: dict[Row, list[timing.Cost]],
    peaks: dict[Row, float],
    kernels: dict[int, float],
) -> None:
    """Prints the cost of each row relative to a single network.

    Goals are judged by CPU time, which depends less on other programs than wall-clock time.
    """
    wall, cpu = (
        timing.Spread.of([1e3 * getattr(cost, clock) for cost in costs[SINGLE]])
        for clock in timing.CLOCKS
    )
    print(f"\n{case.title}, batch {case.batch}, {timing.load()}")
    print(f"  one network, ms: wall {wall}  cpu {cpu}")
    goals = dict(zip(COUNTS, case.goals, strict=False))
    for row, measured in costs.items():
        # The cost of the mixture: the speed of a single network divided by that of the mixture.
        wall, cpu = (timing.speed_ratio(costs[SINGLE], measured, clock) for clock in timing.CLOCKS)
        name = "one network" if row == SINGLE else f"k = {row[0]}, {row[1]}"
        line = f"  {name:15}wall {wall}  cpu {cpu}  state {state_size(case, row):6.1f} MiB"
        if row[1] == "slices" and row[0] in kernels:
            line += f"  kernels alone {kernels[row[0]]:.2f}"
        if row in peaks:
            line += f"  peak +{peaks[row]:.0f} MiB"
        goal = case.goal_of_all if row[1] == "all" else goals.get(row[0])
        if goal is not None:
            line += f"  goal <= {goal}: {'met' if cpu.median <= goal else 'MISSED'}"
        print(line, flush=True)


def main(argv: list[str]) -> None:
    """Runs every case."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    print(f"{timing.environment()}, TensorFlow's own number of threads")
    print(f"cost of an update, one network = 1: median (min..max) of {FLAGS.rounds} rounds")
    print("state: weights and Adam's slots")
    print("peak: resident memory that the row adds to a fresh process, tracing included")
    for case in CASES:
        keras.backend.clear_session()
        costs = timing.alternate({row: runner(case, row) for row in ROWS}, FLAGS.rounds)
        memory = peaks(case) if FLAGS.memory and case.goals else {}
        is_perceptron = case.kind in ("mlp_generator", "small_generator")
        report(case, costs, memory, kernel_costs(case) if is_perceptron else {})
    print(f"\n{timing.load()}")


def peaks(case: Case) -> dict[Row, float]:
    """Returns the peak memory of each row, each measured in a separate process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, maxtasksperchild=1) as pool:
        measured = pool.starmap(peak_added, [(case, row) for row in ROWS], chunksize=1)
    return dict(zip(ROWS, measured, strict=True))


def _status(entry: str) -> int:
    """Returns an entry of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{entry}:"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status has no {entry}: --nomemory leaves the peaks out")


if __name__ == "__main__":
    app.run(main)
