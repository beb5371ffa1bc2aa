"""Trains one arm of a comparison from one seed, in worker processes of one thread each."""

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import sample_scores
import tensorflow as tf
import timing

import tfgans
from tfgans.models.adam import FusedAdam

# Each model traces functions of its own; TensorFlow warns of the fifth in a process.
tf.get_logger().setLevel("ERROR")

BATCH = 256
LATENT_DIM = 2
DEPTH = 3
LEARNING_RATE = 1e-3
BETAS = (0.5, 0.999)
STEPS_PER_EXECUTION = 50
GAMES = {"non_saturating": tfgans.NonSaturatingGAN, "minimax": tfgans.MinimaxGAN}
RECIPE = (
    f"MLPs of {DEPTH} hidden layers, latent dim {LATENT_DIM}, batch {BATCH}, "
    f"Adam {LEARNING_RATE:g} decayed linearly to 0,\n"
    f"betas {BETAS}; mixtures route by slices of batch / k"
)
UNBALANCED = (0.5, 0.3, 0.15, 0.05)
# Networks of one run have seeds below this distance to those of the next run.
_SEED_STRIDE = 1000


@dataclasses.dataclass(frozen=True)
class Arm:
    """What is compared: how many networks of which width, and how their weights learn."""

    title: str
    generators: int = 1
    discriminators: int = 1
    generator_width: int = 64
    discriminator_width: int = 64
    options: tuple[tuple[str, Any], ...] = ()

    def networks(self, seed: int) -> tuple[Any, Any]:
        """Returns the two players; each network has other first weights."""
        first = seed * _SEED_STRIDE
        generators = [
            tfgans.networks.mlp_generator(
                (2,), latent_dim=LATENT_DIM, width=self.generator_width, depth=DEPTH, seed=first + i
            )
            for i in range(self.generators)
        ]
        discriminators = [
            tfgans.networks.mlp_discriminator(
                (2,),
                width=self.discriminator_width,
                depth=DEPTH,
                seed=first + _SEED_STRIDE // 2 + i,
            )
            for i in range(self.discriminators)
        ]
        return (
            self._player(tfgans.MixtureGenerator, generators),
            self._player(tfgans.MixtureDiscriminator, discriminators),
        )

    def _player(self, mixture: Callable[..., Any], networks: list[Any]) -> Any:
        return networks[0] if len(networks) == 1 else mixture(networks, **dict(self.options))


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: an arm, its data and game, and the seed of everything."""

    arm: Arm
    seed: int
    updates: int
    data: str = "grid"
    game: str = "non_saturating"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        run: The run.
        parameters: Of both players.
        seconds: CPU seconds of all updates, at the mean cost after the first execution (tracing
            is left out).
        scores: Of the samples.
        weights: Of the generators.
        served: [generators][modes], which part of all samples each makes where.
    """

    run: Run
    parameters: int
    seconds: float
    scores: sample_scores.Scores
    weights: tuple[float, ...]
    served: tuple[tuple[float, ...], ...]


def source(data: str, seed: int) -> tfgans.data.synthetic.GaussianMixture:
    """Returns the real data: "grid", or the four modes of "unbalanced"."""
    if data == "grid":
        return tfgans.data.Grid(seed=seed)
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    return tfgans.data.GaussianMixture(corners, std=0.1, proportions=UNBALANCED, seed=seed)


def train(run: Run) -> Result:
    """Returns the result of one run, in this process."""
    keras.backend.clear_session()
    data = source(run.data, run.seed)
    gan = GAMES[run.game](*run.arm.networks(run.seed), seed=run.seed)
    gan.compile(*(adam(run.updates) for _ in range(2)), steps_per_execution=STEPS_PER_EXECUTION)
    clock = timing.StepClock(STEPS_PER_EXECUTION)
    gan.fit(data.batches(BATCH), steps_per_epoch=run.updates, callbacks=[clock], verbose=0)
    count = sample_scores.NUM_SAMPLES
    ideal = {"modes": data.modes, "std": data.std, "proportions": data.proportions}
    samples = gan.sample(count, run.seed, batch_size=count)
    # Real draws have a seed of their own, the same in all runs.
    scores = sample_scores.score(samples, data.sample(count, seed=-1), **ideal)
    mixed = isinstance(gan.generator, tfgans.MixtureGenerator)
    return Result(
        run=run,
        parameters=sum(one.count_params() for one in (gan.generator, gan.discriminator)),
        seconds=clock.cost().cpu * run.updates,
        scores=scores,
        weights=tuple(gan.generator.probabilities.tolist()) if mixed else (1.0,),
        served=serving(gan, samples, run.seed, data),
    )


def serving(gan: Any, samples: np.ndarray, seed: int, data: Any) -> tuple[tuple[float, ...], ...]:
    """Returns [generators][modes]: which part of all samples a generator makes at a mode."""
    made = gan.sample_components(len(samples), seed)
    count = getattr(gan.generator, "num_components", 1)
    table = np.zeros((count, data.num_modes))
    for component in np.unique(made):
        own = samples[made == component]
        shares = tfgans.metrics.mode_coverage(own, data.modes, data.std).shares
        table[component] = shares * len(own) / len(samples)
    return tuple(tuple(row) for row in table.tolist())


def adam(updates: int) -> FusedAdam:
    """Returns a new Adam whose rate falls to 0 over the run."""
    rate = keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, updates, 0.0)
    return FusedAdam(rate, beta_1=BETAS[0], beta_2=BETAS[1])


def train_all(runs: Sequence[Run], workers: int) -> list[Result]:
    """Returns the results in the order of the runs, from processes of one thread each."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_one_thread) as pool:
        return pool.map(train, runs, chunksize=1)


def load() -> str:
    """Returns how busy the machine was over the last minute."""
    return f"load {os.getloadavg()[0]:.2f}"


def environment() -> str:
    """Returns versions and the load of the machine, for the head of a report."""
    return (
        f"tfgans {tfgans.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {load()}"
    )


def _one_thread() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
