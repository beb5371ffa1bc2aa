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


@pytest.mark.parametrize("nearest_k", [1, 5])
@pytest.mark.parametrize(
    ("scale", "offset", "tolerance"), [(1, 0, 1e-9), (1e-200, 0, 1e-9), (1, 1e4, 1 / 300)]
)
def test_agrees_with_prdc(nearest_k, scale, offset, tolerance):
    # Squares of 1e-200 vanish for prdc; and with an offset its products round.
    expected = prdc.compute_prdc(REAL + offset, FAKE + offset, nearest_k)
    numbers = precision_recall(REAL * scale + offset, FAKE * scale + offset, nearest_k=nearest_k)
    assert numbers == pytest.approx(expected, abs=tolerance)


def narrow_modes(num, std, rng):
    """Points about 8 centers on a circle of radius 2."""
    angles = rng.integers(8, size=num) * np.pi / 4
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.normal(0, std, (num, 2))


def test_agrees_with_prdc_on_narrow_modes():
    """Squared radii are 1e-5 of the squared norms and less: float32 cannot tell."""
    rng = np.random.default_rng(0)
    real, fake = narrow_modes(500, 1e-3, rng), narrow_modes(500, 1e-3, rng)
    # prdc's products know such radii to 1e-7: at most a single example is on another side.
    expected = prdc.compute_prdc(real, fake, 5)
    assert precision_recall(real, fake) == pytest.approx(expected, abs=1 / 500 + 1e-9)


def test_agrees_with_prdc_beside_an_outlier():
    real = REAL.copy()
    real[0] += 1e6
    expected = prdc.compute_prdc(real, FAKE, 5)
    assert precision_recall(real, FAKE) == pytest.approx(expected, abs=1 / 300 + 1e-9)


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


def test_does_not_depend_on_order_or_precision():
    """More rows than a block has."""
    real, fake = RNG.normal(size=(1500, 6)), RNG.normal(size=(1100, 6))
    whole = precision_recall(real, fake)
    assert precision_recall(real[::-1], fake[::-1]) == pytest.approx(whole, abs=1e-12)
    assert whole == pytest.approx(by_definition(real, fake, 5), abs=1e-12)
    low = precision_recall(REAL.astype(np.float16), FAKE.astype(np.float32))
    assert low == pytest.approx(precision_recall(REAL, FAKE), abs=0.02)
