"""Distributions on a line or a plane in a larger space: where divergences fail and games may not.

The protocol is ours; its idea is the thought experiments on parallel lines of Arjovsky et al.
(arXiv 1701.07875, example 1) and the synthetic experiments of Fedus et al. (arXiv 1710.08446),
whose exact settings are not known to us.
"""

import math

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.data import draws
from tfgans.data.source import DrawnSource
from tfgans.data.synthetic import checked_points
from tfgans.random import Role


class ParallelLines(DrawnSource):
    """Points on a segment of length 1, one of a family of parallel ones.

    Formula: `x = t w + offset v` with `t ~ U[0, 1)`, `|w| = |v| = 1` and `w` orthogonal to `v`.
    The real data lie at offset 0. At `offset=theta`, the Jensen-Shannon divergence from them is
    log 2 nats for every `theta` but 0, the Wasserstein-1 distance `|theta|`. A line has no density
    in the space around it, so there is no `log_prob`.

    Args:
        dim: Int of at least 2. Default: 2.
        offset: Finite float. Default: 0.
        basis_seed: None (default) for `w = (0, ..., 0, 1)` and `v = (1, 0, ..., 0)`, in the plane
            the points `(offset, t)`; an integer for a random orthonormal pair.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"parallel_lines"`.

    Attributes:
        direction: float32 `[dim]`, the vector `w`.
        normal: float32 `[dim]`, the vector `v`.
    """

    modes = None

    def __init__(
        self,
        *,
        dim: int = 2,
        offset: float = 0.0,
        basis_seed: int | None = None,
        seed: int = 0,
        name: str = "parallel_lines",
    ) -> None:
        self.dim = checks.int_at_least("dim", dim, 2)
        self.offset = checks.finite("offset", offset)
        self.basis_seed = basis_seed
        self.direction, self.normal = _orthonormal_pair(self.dim, basis_seed)
        super().__init__(name=name, data_shape=(self.dim,), seed=seed)

    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""
        return draws.uniform([n, 1], key) * self.direction + self.offset * self.normal


class LowRankGaussian(DrawnSource):
    """A Gaussian on a random linear subspace.

    Formula: `x = A z` with `z ~ N(0, I_rank)` and `A` Gaussian, scaled to `trace(A A^T) = rank`.

    Args:
        dim: Int of at least 1, of the space. Default: 10.
        rank: Int from 1 to `dim`, of the subspace. Default: 1.
        basis_seed: Int. Decides `A`. Default: 0.
        seed: Int. Decides what `batches` draws. Default: 0.
        name: String for errors and reports. Default: `"low_rank_gaussian"`.

    Attributes:
        matrix: float32 `[dim, rank]`, the matrix `A`.
        covariance: float64 `[dim, dim]`, the matrix `A A^T`.
    """

    modes = None

    def __init__(
        self,
        *,
        dim: int = 10,
        rank: int = 1,
        basis_seed: int = 0,
        seed: int = 0,
        name: str = "low_rank_gaussian",
    ) -> None:
        self.dim = checks.positive_int("dim", dim)
        self.rank = checks.positive_int("rank", rank)
        if self.rank > self.dim:
            raise ValueError(f"`rank` must be at most `dim`, {dim}. Received: {rank}")
        self.basis_seed = basis_seed
        gaussian = _random_matrix(self.dim, self.rank, basis_seed)
        self.matrix = (gaussian * math.sqrt(self.rank / np.square(gaussian).sum())).astype(
            np.float32
        )
        self.covariance = self.matrix.astype(np.float64) @ self.matrix.T.astype(np.float64)
        super().__init__(name=name, data_shape=(self.dim,), seed=seed)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density, in nats, float64 `[n]`, at `x` `[n, dim]`.

        Formula: `-(x^T C^-1 x + log det(2 pi C)) / 2` with `C = A A^T`

        Raises:
            ValueError: If the rank is below `dim`: the distribution is degenerate.
        """
        if self.rank < self.dim:
            raise ValueError(
                f"`log_prob` needs a full rank of {self.dim}. Received: rank={self.rank}, which "
                f"is degenerate and has no density. Compare means and covariances instead"
            )
        points = checked_points(x, self.dim)
        distances = np.sum(points * np.linalg.solve(self.covariance, points.T).T, axis=1)
        return -(distances + np.linalg.slogdet(2 * np.pi * self.covariance).logabsdet) / 2

    def draw(self, n: int, key: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[n, *data_shape]`, a pure function of the key."""
        return draws.normal([n, self.rank], key) @ self.matrix.T


def _orthonormal_pair(dim: int, basis_seed: int | None) -> tuple[np.ndarray, np.ndarray]:
    if basis_seed is None:
        axes = np.eye(dim, dtype=np.float32)
        return axes[-1], axes[0]
    basis, _ = np.linalg.qr(_random_matrix(dim, 2, basis_seed))
    return basis[:, 0].astype(np.float32), basis[:, 1].astype(np.float32)


def _random_matrix(rows: int, columns: int, basis_seed: int) -> np.ndarray:
    key = draws.key(checks.integer("basis_seed", basis_seed), Role.DATA_BASIS)
    return draws.normal([rows, columns], key).numpy().astype(np.float64)
