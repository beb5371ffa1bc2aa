"""Synthetic distributions with known modes, densities or supports. A batch is a single draw."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfgans import checks, random
from tfgans.data import draws
from tfgans.data.source import DrawnSource


class GaussianMixture(DrawnSource):
    """Gaussians of one standard deviation, equally likely by default; the mode is the class.

    Args:
        modes: Float array `[num_modes, dim]`, the centers.
        std: Positive float, the standard deviation of each coordinate about its center.
        proportions: Positive floats, one for each mode, that sum to 1: their probabilities.
            Default: None, equally likely.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports.

    Attributes:
        proportions: float64 `[num_modes]`, the probability of each mode.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    ```python
    rare = tfgans.data.GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], std=0.1, proportions=[0.9, 0.1])
    ```
    """

    def __init__(
        self,
        modes: np.ndarray,
        *,
        std: float,
        proportions: Sequence[float] | np.ndarray | None = None,
        seed: int = 0,
        name: str = "gaussian_mixture",
    ) -> None:
        self.modes = np.asarray(modes, dtype=np.float32)
        self.num_modes, self.dim = checks.shape("modes", self.modes.shape, rank=2)
        self.std = checks.positive("std", std)
        # Equally likely modes are drawn differently, as integers.
        self._equal = proportions is None
        if proportions is None:
            self.proportions = np.full(self.num_modes, 1 / self.num_modes)
        else:
            self.proportions = checks.probabilities("proportions", proportions, self.num_modes)
            if not self.proportions.all():
                raise ValueError(
                    "`proportions` must be positive, one for each mode. Received: "
                    f"{checks.short(proportions)}. Leave out the modes that never occur"
                )
        super().__init__(name=name, data_shape=(self.dim,), num_classes=self.num_modes, seed=seed)

    @property
    def class_shares(self) -> np.ndarray:
        """The probability of each mode: float64 `[num_modes]`, as `proportions`."""
        return self.proportions.copy()

    @property
    def gaussian_modes(self) -> tuple[np.ndarray, float, np.ndarray]:
        """(`modes`, `std`, `proportions`)."""
        return self.modes, self.std, self.proportions

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density, in nats, float64 `[n]`, at `x` `[n, dim]`.

        Formula: `logsumexp_k(log(K p_k) - |x - m_k|^2 / (2 s^2)) - log K - (d / 2) log(2 pi s^2)`
        """
        points = checked_points(x, self.dim)
        offsets = points[:, np.newaxis] - self.modes.astype(np.float64)
        exponents = -np.square(offsets).sum(axis=-1) / (2 * self.std**2)
        if not self._equal:
            exponents += np.log(self.num_modes * self.proportions)
        normalizer = math.log(self.num_modes) + self.dim / 2 * math.log(2 * math.pi * self.std**2)
        return np.logaddexp.reduce(exponents, axis=1) - normalizer

    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""
        mode = self.draw_labels(n, key)
        noise = draws.normal([n, self.dim], random.fold(key, 1))
        return tf.gather(self.modes, mode) + self.std * noise

    def draw_labels(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns the modes of `draw(n, key)`: integers `[n]`."""
        key = random.fold(key, 0)
        if self._equal:
            return draws.integers([n], key, self.num_modes)
        # The last mode takes what is left over: no draw lies beyond it.
        edges = np.cumsum(self.proportions)[:-1]
        return tf.searchsorted(edges, tf.cast(draws.uniform([n], key), tf.float64), side="right")


class Ring(GaussianMixture):
    """Gaussians on a circle: by default the "8 Gaussians" of the WGAN-GP code.

    There the centers are 2 times the unit octagon and the standard deviation .02, all divided by
    1.414: every coordinate then has a standard deviation of 1.00025.

    Args:
        num_modes: Int of at least 1. Default: 8.
        radius: Positive float. Default: 2 / 1.414.
        std: Positive float, of each coordinate about its center. Default: .02 / 1.414.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"ring"`.

    Reference:
        `inf_train_gen` in gan_toy.py, github.com/igul222/improved_wgan_training.
    """

    def __init__(
        self,
        *,
        num_modes: int = 8,
        radius: float = 2 / 1.414,
        std: float = 0.02 / 1.414,
        seed: int = 0,
        name: str = "ring",
    ) -> None:
        count = checks.positive_int("num_modes", num_modes)
        self.radius = checks.positive("radius", radius)
        angles = 2 * np.pi * np.arange(count) / count
        modes = self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        super().__init__(modes, std=std, seed=seed, name=name)


class Grid(GaussianMixture):
    """Gaussians on a square grid: by default the "25 Gaussians" of the WGAN-GP code.

    There the centers are 2 times {-2, ..., 2}^2 and the standard deviation .05, all divided by
    2.828: every coordinate then has a standard deviation of 1.00031. The code draws 100000 points
    once; here the draws never repeat.

    Args:
        side: Int of at least 1, centers along each of the two axes. Default: 5.
        spacing: Positive float, between neighboring centers. Default: 2 / 2.828.
        std: Positive float, of each coordinate about its center. Default: .05 / 2.828.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"grid"`.

    Reference:
        `inf_train_gen` in gan_toy.py, github.com/igul222/improved_wgan_training.
    """

    def __init__(
        self,
        *,
        side: int = 5,
        spacing: float = 2 / 2.828,
        std: float = 0.05 / 2.828,
        seed: int = 0,
        name: str = "grid",
    ) -> None:
        self.side = checks.positive_int("side", side)
        self.spacing = checks.positive("spacing", spacing)
        ticks = self.spacing * (np.arange(self.side) - (self.side - 1) / 2)
        modes = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
        super().__init__(modes, std=std, seed=seed, name=name)


class SwissRoll(DrawnSource):
    """A noisy spiral in the plane, as in the WGAN-GP code.

    Formula: `(t cos t, t sin t) / 7.5 + std * N(0, I)` with `t = 1.5 pi (1 + 2 u)`, `u ~ U[0, 1)`:
    columns 0 and 2 of scikit-learn's `make_swiss_roll(noise=0.25)`, over 7.5. It has no modes, and
    its density no closed form.

    Args:
        std: Float of at least 0, of the noise on each coordinate. Default: .25 / 7.5.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"swiss_roll"`.

    Reference:
        `inf_train_gen` in gan_toy.py, github.com/igul222/improved_wgan_training.
    """

    modes = None

    def __init__(self, *, std: float = 0.25 / 7.5, seed: int = 0, name: str = "swiss_roll") -> None:
        self.std = checks.non_negative("std", std)
        super().__init__(name=name, data_shape=(2,), seed=seed)

    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""
        t = 1.5 * math.pi * (1.0 + 2.0 * draws.uniform([n], random.fold(key, 0)))
        spiral = tf.stack([t * tf.cos(t), t * tf.sin(t)], axis=1) / 7.5
        return spiral + self.std * draws.normal([n, 2], random.fold(key, 1))


def checked_points(x: np.ndarray, dim: int) -> np.ndarray:
    """Returns `x` as float64 `[n, dim]`, or raises ValueError."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dim:
        raise ValueError(f"`x` must have shape [n, {dim}]. Received shape: {points.shape}")
    return points
