"""Trains one game from one seed where a divergence is flat: a line and a parallel generator.

The set-up is ours; the idea is that of Fedus et al. 2018, "Many Paths to Equilibrium".
"""

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
import timing

import tfgans
from tfgans.models import optimizers

BATCH = 64
WIDTH = 64
DEPTH = 2
LEARNING_RATE = 1e-3
BETAS = (0.5, 0.9)
STEPS_PER_EXECUTION = 50
NEAR = 0.05


@dataclasses.dataclass(frozen=True)
class Arm:
    """What is compared: a method, and its discriminator's updates before each of the generator."""

    title: str
    method: Callable[..., Any]
    discriminator_steps: int
    options: tuple[tuple[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        arm: The arm.
        seed: Of the discriminator's first weights, the latents and the data.
        offsets: Of the generator's line, each `STEPS_PER_EXECUTION` steps.
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
    def reached(self) -> float:
        """The first step that was seen near the data's line; infinity if none was."""
        near = (index for index, one in enumerate(self.offsets, 1) if abs(one) < NEAR)
        return next(near, math.inf) * STEPS_PER_EXECUTION

    @property
    def late(self) -> float:
        """The largest distance of the two lines in the last tenth of the run."""
        return max(map(abs, self.offsets[-math.ceil(len(self.offsets) / 10) :]))

    @property
    def wasserstein(self) -> float:
        """W1 between the two segments at the end."""
        return wasserstein(self.offsets[-1], self.length)

    def distance(self, part: float = 1.0) -> float:
        """Returns the distance of the two lines after this part of the run."""
        return abs(self.offsets[math.ceil(part * len(self.offsets)) - 1])


class Segment(keras.layers.Layer):
    """Latents [batch, 1] of N(0, 1) to points (offset, length u), where u = Phi(z) ~ U(0, 1).

    The two parameters start at (1, 1); the data are at (0, 1).
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


def wasserstein(offset: float, length: float, levels: int = 10000) -> float:
    """Returns W1 between (offset, length u) and (0, t), with u and t ~ U(0, 1).

    The cost is convex in the difference along the lines, so coupling equal quantiles is optimal.
    """
    quantiles = (np.arange(levels) + 0.5) / levels
    return float(np.hypot(offset, np.sort(length * quantiles) - quantiles).mean())


def train(arm: Arm, seed: int, steps: int) -> Result:
    """Returns the result of one run, in this process.

    Args:
        arm: What to train.
        seed: Int of at least 0.
        steps: Updates of the generator, a multiple of `STEPS_PER_EXECUTION`, two or more of it.
    """
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
