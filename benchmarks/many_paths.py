"""Shows which games reach the data where the Jensen-Shannon divergence is flat: parallel lines.

benchmarks/many_paths.py --seeds=8 --steps=3000 --workers=2 --out=runs.csv

Data lie on a line in the plane; the generator makes a parallel one, at distance 1 at first. Each
run is trained in a process of one thread, two side by side. Two idle cores should take 6 to 7
minutes. The set-up is ours; the idea is that of Fedus et al. 2018, "Many Paths to Equilibrium".
"""

import csv
import dataclasses
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import mixture_runs
import numpy as np
import tensorflow as tf
import timing
from absl import app, flags

import tfgans
from tfgans.models import optimizers

FLAGS = flags.FLAGS

BATCH = 64
WIDTH, DEPTH = 64, 2
LEARNING_RATE, BETAS = 1e-3, (0.5, 0.9)
STEPS_PER_EXECUTION = 50
NEAR = 0.05


@dataclasses.dataclass(frozen=True)
class Arm:
    """What is compared: a method, with the discriminator's updates a step."""

    title: str
    method: Callable[..., Any]
    discriminator_steps: int
    options: tuple[tuple[str, Any], ...] = ()


# The stalled game with a penalty, to tell what stalls it.
_ON_LINES = (("penalty", tfgans.penalties.GradientPenalty(weight=10.0)),)
ARMS = [
    Arm("minimax", tfgans.MinimaxGAN, 1),
    Arm("minimax", tfgans.MinimaxGAN, 5),
    Arm("non-saturating", tfgans.NonSaturatingGAN, 1),
    Arm("non-saturating", tfgans.NonSaturatingGAN, 5),
    Arm("GAN-GP", tfgans.GANGP, 1),
    Arm("GAN-GP", tfgans.GANGP, 5),
    Arm("DRAGAN", tfgans.DRAGAN, 1),
    Arm("DRAGAN", tfgans.DRAGAN, 5),
    Arm("WGAN-GP", tfgans.WGANGP, 5),
    Arm("WGAN-GP, weight .1", tfgans.WGANGP, 5, (("penalty_weight", 0.1),)),
    Arm("R3GAN", tfgans.R3GAN, 1),
    Arm("R3GAN", tfgans.R3GAN, 5),
    Arm("minimax with that of GAN-GP", tfgans.MinimaxGAN, 5, _ON_LINES),
]


class Segment(keras.layers.Layer):
    """Maps latents [batch, 1] of N(0, 1) to points (offset, length u), where u = Phi(z) ~ U(0, 1).

    Its two parameters start at (1, 1); (0, 1) gives the data.
    """

    def build(self, input_shape: Any) -> None:
        """Makes the parameters."""
        del input_shape
        self.offset = self.add_weight(name="offset", shape=(), initializer="ones")
        self.length = self.add_weight(name="length", shape=(), initializer="ones")

    def call(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns float32 [batch, 2]."""
        uniform = (1.0 + tf.math.erf(latents / math.sqrt(2.0))) / 2.0
        return tf.concat([self.offset * tf.ones_like(uniform), self.length * uniform], axis=1)


class OffsetPath(keras.callbacks.Callback):
    """Records where the generator's line lies, after each execution."""

    def __init__(self, segment: Segment) -> None:
        super().__init__()
        self._segment = segment
        self.offsets: list[float] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Reads the offset."""
        del batch, logs
        self.offsets.append(float(self._segment.offset.numpy()))


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        arm: The arm.
        seed: Of the discriminator's first weights, the latents and the data.
        offsets: Theta, each `STEPS_PER_EXECUTION` steps.
        length: Of the generator's segment at the end; the data's is 1.
        seconds: CPU seconds of all steps, at the mean cost after the first execution (tracing is
            left out).
    """

    arm: Arm
    seed: int
    offsets: tuple[float, ...]
    length: float
    seconds: float

    @property
    def reached(self) -> int | None:
        """The first step that was seen near the line."""
        near = (index for index, one in enumerate(self.offsets, 1) if abs(one) < NEAR)
        return next((index * STEPS_PER_EXECUTION for index in near), None)

    @property
    def late(self) -> float:
        """The largest |theta| of the last tenth."""
        return max(map(abs, self.offsets[-max(len(self.offsets) // 10, 1) :]))


def wasserstein(offset: float, length: float, levels: int = 10000) -> float:
    """Returns W1 between (offset, length u) and (0, t), where u and t ~ U(0, 1).

    The cost is convex in the difference along the line, so coupling equal quantiles is optimal.
    """
    quantiles = (np.arange(levels) + 0.5) / levels
    return float(np.hypot(offset, np.sort(length * quantiles) - quantiles).mean())


def train(arm: Arm, seed: int, steps: int) -> Result:
    """Returns the result of one run of `steps` steps, in this process."""
    keras.backend.clear_session()
    latents, segment = keras.Input((1,)), Segment()
    gan = arm.method(
        keras.Model(latents, segment(latents)),
        tfgans.networks.mlp_discriminator((2,), width=WIDTH, depth=DEPTH, seed=seed),
        discriminator_steps=arm.discriminator_steps,
        seed=seed,
        **dict(arm.options),
    )
    pair = optimizers.adam_pair(LEARNING_RATE, beta_1=BETAS[0], beta_2=BETAS[1])
    gan.compile(*pair, steps_per_execution=STEPS_PER_EXECUTION)
    clock, path = timing.StepClock(STEPS_PER_EXECUTION), OffsetPath(segment)
    data = tfgans.data.ParallelLines(seed=seed)
    gan.fit(data.batches(BATCH), steps_per_epoch=steps, callbacks=[clock, path], verbose=0)
    length, seconds = float(segment.length.numpy()), clock.cost().cpu * steps
    return Result(arm, seed, tuple(path.offsets), length, seconds)
