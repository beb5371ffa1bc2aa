"""Mean and covariance of features, batch by batch."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg
from scipy.linalg import blas

from tfgans import checks, files
from tfgans.metrics import arrays

# Products of larger numbers would overflow.
_LARGEST_MOMENT = 1e100


class FeatureStatistics:
    """Running mean and covariance: the memory does not grow with the number of features.

    Sums are float64 and relative to the mean of the first batch, so that a large offset does not
    cause cancellation. The batch sizes change the result by rounding only.

    Attributes:
        count: Int, the features seen; None if a file did not say it.
        dim: Int, of a feature; None before the first batch.

    Example:

    >>> statistics = tfgans.metrics.FeatureStatistics()
    >>> statistics.update([[0.0, 1.0], [2.0, 3.0]])
    >>> statistics.update([[4.0, 8.0]])
    >>> statistics.mean
    array([2., 4.])

    Checked against: numpy.cov.
    """

    def __init__(self) -> None:
        self.count: int | None = 0
        self.dim: int | None = None
        self._shift = np.zeros(0)
        self._sum = np.zeros(0)
        # Only the lower triangle is kept up to date.
        self._products = np.zeros([0, 0])

    def update(self, features: Any) -> None:
        """Adds features [num, dim].

        Raises:
            ValueError: If they are not finite, have another dimension, or the count of loaded
                statistics is not known.
        """
        rows = arrays.points("features", features)
        self._check(rows.shape[1])
        if self.dim is None:
            self._begin(rows.mean(axis=0))
        shifted = rows - self._shift
        self._sum += shifted.sum(axis=0)
        # In place, and half of the products. BLAS expects the column-major transpose.
        self._products = blas.dsyrk(
            1.0, shifted.T, beta=1.0, c=self._products, lower=1, overwrite_c=1
        )
        self.count = (self.count or 0) + len(rows)

    def merge(self, other: "FeatureStatistics") -> None:
        """Adds the features of other statistics, which do not change.

        Raises:
            ValueError: As `update` does.
        """
        if other.count is None:
            raise ValueError("Statistics without a count cannot be merged: they have no weight")
        if other.dim is None:
            return
        self._check(other.dim)
        if self.dim is None:
            self._begin(other._shift)
        delta = other._shift - self._shift
        cross = np.outer(delta, other._sum)
        self._products += other._products + cross + cross.T + other.count * np.outer(delta, delta)
        self._sum += other._sum + other.count * delta
        self.count = (self.count or 0) + other.count

    @property
    def mean(self) -> np.ndarray:
        """float64 [dim]."""
        self._check_count(1)
        return self._shift + self._sum / (self.count or 1)

    @property
    def covariance(self) -> np.ndarray:
        """float64 [dim, dim], unbiased (divided by count - 1)."""
        self._check_count(2)
        whole = self._products.copy(order="F")
        if self.count is not None:
            whole = blas.dsyr(-1 / self.count, self._sum, a=whole, lower=1, overwrite_a=1)
            whole /= self.count - 1
        for index in range(len(whole) - 1):
            whole[index, index + 1 :] = whole[index + 1 :, index]
        return whole

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `mu`, `sigma` and `count` as npz, the layout of the TTUR code, atomically.

        Raises:
            ValueError: If `path` does not end in .npz, or fewer than two features were seen.
        """
        if Path(path).suffix != ".npz":
            raise ValueError(f"`path` must end in .npz. Received: {path}")
        statistics: dict[str, Any] = {"mu": self.mean, "sigma": self.covariance}
        if self.count is not None:
            statistics["count"] = self.count
        with files.atomic_write(path) as temporary:
            np.savez(temporary, allow_pickle=False, **statistics)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FeatureStatistics":
        """Returns the statistics of an npz file with `mu` and `sigma`.

        Without `count`, as other libraries write it, they cannot be added to.

        Raises:
            ValueError: If the file holds no such arrays, or `sigma` is not symmetric or has a
                negative variance.
            OSError: If it cannot be read.
        """
        try:
            # Opened here: NumPy leaves a damaged file open.
            with files.path(path).open("rb") as file, np.load(file, allow_pickle=False) as loaded:
                mean = arrays.finite("mu", loaded["mu"])
                covariance = arrays.finite("sigma", loaded["sigma"])
                count = None
                if "count" in loaded.files:
                    count = checks.int_at_least("count", loaded["count"].item(), 2)
        except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds no statistics `mu` and `sigma`: {error}") from error
        check_moments(f"{path} (`mu`, `sigma`)", mean, covariance)
        statistics = cls()
        statistics._begin(mean)
        statistics.count = count
        statistics._products = np.asfortranarray(covariance * (1 if count is None else count - 1))
        return statistics

    def _begin(self, shift: np.ndarray) -> None:
        self.dim = len(shift)
        self._shift = shift.copy()
        self._sum = np.zeros(self.dim)
        self._products = np.zeros([self.dim, self.dim], order="F")

    def _check(self, dim: int) -> None:
        if self.count is None:
            raise ValueError("Statistics loaded without a count cannot be added to")
        if self.dim not in (None, dim):
            raise ValueError(
                f"Features must have the dimension of those before, {self.dim}. Received: {dim}"
            )

    def _check_count(self, fewest: int) -> None:
        if self.count is not None and self.count < fewest:
            raise ValueError(f"Expected at least {fewest} features. Received: {self.count}")


def check_moments(name: str, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Raises ValueError unless these are a mean [dim] and a covariance [dim, dim]."""
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape or not mean.size:
        raise ValueError(
            f"{name} must be a mean [dim] and a covariance [dim, dim]. Received shapes: "
            f"{mean.shape} and {covariance.shape}"
        )
    scale = np.abs(covariance).max() or 1.0
    largest = max(scale, np.abs(mean).max())
    if not largest <= _LARGEST_MOMENT:
        raise ValueError(
            f"{name} must have numbers of at most {_LARGEST_MOMENT:g} in size. Received: "
            f"{largest:g}"
        )
    if np.abs(covariance - covariance.T).max() > 1e-6 * scale or np.diag(covariance).min() < 0:
        raise ValueError(
            f"The covariance of {name} must be symmetric, with no negative variance. Received: "
            f"variances from {np.diag(covariance).min():g}, and entries that differ from their "
            f"mirror images by up to {np.abs(covariance - covariance.T).max():g}"
        )
    lowest = float(linalg.eigvalsh(covariance / scale, subset_by_index=[0, 0])[0])
    if lowest < -1e-6 * len(mean):
        raise ValueError(
            f"The covariance of {name} must have no negative eigenvalue. Received: {lowest:g} "
            "times its largest entry"
        )
