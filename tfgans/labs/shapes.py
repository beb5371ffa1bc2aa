"""Builds generators of a known shape, and computes their distances in closed form."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import metrics
from tfgans.data import ParallelLines


class ParallelLine(keras.layers.Layer):
    """Maps latents [batch, 1] of N(0, 1) to points `offset v + length u w`, where `u ~ U(0, 1)`.

    `w` and `v` are the direction and the normal of a `tfgans.data.ParallelLines`. Both parameters
    start at 1; the data are at offset 0.
    """

    def __init__(self, direction: np.ndarray, normal: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        self.direction = tf.constant(direction)
        self.normal = tf.constant(normal)

    def build(self, input_shape: Any) -> None:
        """Creates the parameters."""
        del input_shape
        self.offset = self.add_weight(name="offset", shape=(), initializer="ones")
        self.length = self.add_weight(name="length", shape=(), initializer="ones")

    def call(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns float32 [batch, dim]."""
        uniform = (1.0 + tf.math.erf(latents / math.sqrt(2.0))) / 2.0
        return self.offset * self.normal + self.length * uniform * self.direction


def parallel_line(source: ParallelLines) -> keras.Model:
    """Returns a generator that is a single `ParallelLine`, parallel to the data."""
    latents = keras.Input((1,))
    return keras.Model(latents, ParallelLine(source.direction, source.normal)(latents))


def affine(rank: int, dim: int, *, seed: int) -> keras.Model:
    """Returns a generator of latents [batch, rank] that is an affine map to `dim` dimensions."""
    latents = keras.Input((rank,))
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.Model(latents, keras.layers.Dense(dim, kernel_initializer=initializer)(latents))


def gaussian_divergence(distance: float, stddev: float) -> float:
    """Returns the Jensen-Shannon divergence, in nats, of N(0, s^2) and N(distance, s^2).

    It is that of two parallel lines at this distance under Gaussian noise: along the lines both
    have the same law, and across them these. Without noise it is log 2, or 0 at distance 0. The
    integral is a sum over 20001 points, to 1e-9.
    """
    if distance == 0:
        return 0.0
    if stddev == 0 or distance / stddev > 1e3:
        return math.log(2)
    # In units of s; with z the log ratio of the densities, JSD = log 2 - E log(1 + e^-z).
    apart = distance / stddev
    points = np.linspace(-12.0, 12.0, 20001)
    density = np.exp(-np.square(points) / 2) / math.sqrt(2 * math.pi)
    log_ratio = apart * apart / 2 - apart * points
    value = math.log(2) - float(np.trapezoid(density * np.logaddexp(0, -log_ratio), points))
    return min(max(value, 0.0), math.log(2))


def lines_distance(offset: float, length: float, levels: int = 10_000) -> float:
    """Returns W1 between (offset, length u) and (0, t), with u and t ~ U(0, 1).

    The cost is convex in the difference along the lines, so coupling equal quantiles is optimal.
    """
    quantiles = (np.arange(levels) + 0.5) / levels
    return float(np.hypot(offset, np.sort(length * quantiles) - quantiles).mean())


def lines_bound(offset: float, stddev: float) -> float:
    """Returns the bound on W1 of Theorem 3.3 (Arjovsky & Bottou 2017) for two lines in the plane.

    They are parallel and of length 1. The noise counts as cut at 4 standard deviations.
    """
    reach = 8 * stddev  # The width of the cut noise.
    diameter = math.hypot(offset + reach, 1 + reach)
    divergence = gaussian_divergence(offset, stddev)
    return metrics.wasserstein_noise_bound(divergence, variance=2 * stddev**2, diameter=diameter)
