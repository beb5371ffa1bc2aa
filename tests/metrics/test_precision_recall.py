"""Precision, recall, density and coverage against prdc and against their definitions."""

import numpy as np
import prdc
import pytest
from scipy.spatial.distance import cdist

from tfgans.metrics import precision_recall

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(400, 16)), RNG.normal(size=(300, 16)) * 0.8 + 0.3


def by_definition(real, fake, k):
    """Precision and recall with the surface of the balls, density and coverage without it."""
    radii = [np.sort(cdist(rows, rows, "sqeuclidean"))[:, k] for rows in (real, fake)]
    squares = cdist(real, fake, "sqeuclidean")
    inside = squares < radii[0][:, np.newaxis]
    return {
        "precision": (squares <= radii[0][:, np.newaxis]).any(axis=0).mean(),
        "recall": (squares <= radii[1]).any(axis=1).mean(),
        "density": inside.sum(axis=0).mean() / k,
        "coverage": inside.any(axis=1).mean(),
    }


def narrow_modes(num, std, rng):
    """Points about 8 centers on a circle of radius 2."""
    angles = rng.integers(8, size=num) * np.pi / 4
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.normal(0, std, (num, 2))


def with_outlier():
    real = REAL.copy()
    real[0] += 1e6
    return real, FAKE


SETS = {
    "plain": (REAL, FAKE),
    # Squares vanish for prdc.
    "tiny": (1e-200 * REAL, 1e-200 * FAKE),
    # prdc's products round: an example is on another side.
    "offset": (REAL + 1e4, FAKE + 1e4),
    "outlier": with_outlier(),
    # Squared radii are 1e-5 of the squared norms and less: float32 cannot tell.
    "narrow": tuple(narrow_modes(500, 1e-3, np.random.default_rng(seed)) for seed in (0, 1)),
    "more rows than a block": (RNG.normal(size=(1500, 6)), RNG.normal(size=(1100, 6))),
}


@pytest.mark.parametrize("nearest_k", [1, 5])
@pytest.mark.parametrize("name", SETS)
def test_agrees_with_prdc(name, nearest_k):
    real, fake = SETS[name]
    unit = 1e200 if name == "tiny" else 1.0
    expected = prdc.compute_prdc(unit * real, unit * fake, nearest_k)
    tolerance = 1 / 300 if name in ("offset", "outlier", "narrow") else 0
    numbers = precision_recall(real, fake, nearest_k=nearest_k)
    assert numbers == pytest.approx(expected, abs=tolerance + 1e-9)
    assert numbers == pytest.approx(by_definition(unit * real, unit * fake, nearest_k), abs=1e-12)


@pytest.mark.parametrize("offset", [0.5, 1000.0])
def test_ties_of_points_of_a_grid(offset):
    """Most distances tie. prdc leaves the surface out; its products of integers are exact."""
    real, fake = np.random.default_rng(0).integers(30, size=(2, 700, 2)).astype(float) + offset
    numbers = precision_recall(real, fake)
    assert numbers == pytest.approx(by_definition(real, fake, 5), abs=1e-12)
    theirs = prdc.compute_prdc(real, fake, 5)
    for name in ("density", "coverage"):
        assert numbers[name] == pytest.approx(theirs[name], abs=1e-12)
    for name in ("precision", "recall"):
        assert numbers[name] > theirs[name]


@pytest.mark.parametrize("times", [2, 7])
def test_a_set_with_repeated_rows_against_itself(times):
    """With 7 copies the radii are 0, and only the surface is left of a ball."""
    rows = np.random.default_rng(0).normal(size=(50, 9)).repeat(times, axis=0)
    numbers = precision_recall(rows, rows[::-1])
    assert (numbers["precision"], numbers["recall"]) == (1, 1)
    assert numbers["coverage"] == (times < 6)
    far = precision_recall(rows, rows + 100)
    assert set(far.values()) == {0}
