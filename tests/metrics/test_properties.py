"""What holds of every measure of two sets of points: a row a measure."""

import numpy as np
import pytest

from tfgans import metrics

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(60, 3)), RNG.normal(size=(50, 3)) * [0.5, 1, 2] + 0.5


def kernel(real, fake):
    return metrics.kernel_distance(real, fake).value


def density(real, fake):
    return metrics.precision_recall(real, fake)["density"]


def copies(real, fake):
    return metrics.nearest_neighbors(fake, real).distances.mean()


# Measure: the power of the points' unit that it has (None: it has no unit), whether it is a
# distance, which is symmetric and rises with a shift, and whether that of a set to itself is 0.
MEASURES = {
    metrics.frechet_distance: (2, True, True),
    metrics.wasserstein_distance: (1, True, True),
    metrics.sliced_wasserstein_distance: (1, True, True),
    # Unbiased: of a set to itself a little below 0.
    kernel: (None, True, False),
    density: (0, False, False),
    copies: (1, False, True),
}
EACH = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__)


@EACH
def test_ignores_the_order(measure):
    value = measure(REAL, FAKE)
    assert measure(REAL[::-1], FAKE[::-1]) == pytest.approx(value, rel=1e-9)


@EACH
def test_computes_in_float64(measure):
    low = REAL.astype(np.float16), FAKE.astype(np.float32)
    assert measure(*low) == measure(*(rows.astype(np.float64) for rows in low))


@pytest.mark.parametrize(
    ("measure", "power"),
    [(measure, power) for measure, (power, *_) in MEASURES.items() if power is not None],
)
@pytest.mark.parametrize("scale", [1e-120, 1e-4, 1e4, 1e40])
def test_has_the_unit_of_the_points(measure, power, scale):
    expected = scale**power * measure(REAL, FAKE)
    assert measure(scale * REAL, scale * FAKE) == pytest.approx(expected, rel=1e-7, abs=0)


@pytest.mark.parametrize(
    "measure", [measure for measure, (_, *claims) in MEASURES.items() if any(claims)]
)
@pytest.mark.parametrize("num", [60, 3])
def test_distances_are_symmetric_and_rise_with_the_shift(measure, num):
    _, is_distance, is_zero = MEASURES[measure]
    real, fake = REAL[:num], FAKE[:num]
    if is_distance:
        assert measure(real, fake) == pytest.approx(measure(fake, real), rel=1e-9)
        shifts = [measure(real, real + shift) for shift in (0, 1, 3)]
        assert shifts == sorted(shifts)
    if is_zero:
        assert measure(real, real[::-1]) == pytest.approx(0, abs=1e-12)
