"""What holds of every metric of an evaluation: one row a metric."""

import dataclasses
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from tfgans import evaluation, metrics
from tfgans.metrics import Context, Estimate, FeatureStatistics, GaussianModes

RNG = np.random.default_rng(0)
MODES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])


def statistics(rows):
    result = FeatureStatistics()
    result.update(rows)
    return result


def draws(num=300):
    return MODES[RNG.integers(3, size=num)] + RNG.normal(0, 0.1, (num, 2))


def classify(images):
    """Dark images are of class 0, bright ones of class 9."""
    levels = np.clip((images.mean(axis=(1, 2, 3)) + 1) * 5, 0, 9).astype(int)
    return np.eye(10)[levels]


def shades(num=300):
    noise = RNG.normal(0, 0.01, (num, 8, 8, 1))
    return np.clip(RNG.uniform(-0.99, 0.99, (num, 1, 1, 1)) + noise, -1, 1).astype(np.float32)


def textures(num=128):
    return RNG.uniform(-1, 1, (num, 8, 8, 1)).astype(np.float32)


VECTORS = Context(data_shape=(2,), feature_dim=2)
IMAGES = Context(data_shape=(8, 8, 1), feature_dim=64)
COLLAPSED = MODES[:1] + RNG.normal(0, 0.01, (300, 2))
# Metric: context that suits it, what it reads of real examples, of new draws of the same
# distribution, and of a generator that has collapsed; and a context that does not suit it.
ROWS = {
    metrics.FrechetMetric: (VECTORS, *map(statistics, (draws(), draws(), COLLAPSED)), None),
    metrics.KernelMetric: (VECTORS, draws(), draws(), COLLAPSED, None),
    metrics.PrecisionRecallMetric: (VECTORS, draws(), draws(), COLLAPSED, None),
    metrics.InceptionScoreMetric: (
        dataclasses.replace(IMAGES, has_probabilities=True),
        np.zeros([0, 5]),
        special.softmax(9 * RNG.normal(size=(200, 5)), axis=1),
        np.tile(np.eye(5)[:1], [200, 1]),
        IMAGES,
    ),
    metrics.ModeCoverageMetric: (
        dataclasses.replace(VECTORS, gaussian_modes=GaussianModes(MODES, 0.1, np.full(3, 1 / 3))),
        draws(),
        draws(),
        np.concatenate([COLLAPSED, COLLAPSED + 0.5]),
        VECTORS,
    ),
    metrics.ClassCoverageMetric: (
        dataclasses.replace(IMAGES, classify=classify, num_classes=10),
        shades(),
        shades(),
        shades()[:1].repeat(300, axis=0),
        IMAGES,
    ),
    metrics.MSSSIMMetric: (
        IMAGES,
        textures(),
        textures(),
        textures(1).repeat(128, axis=0),
        dataclasses.replace(IMAGES, data_shape=(7, 8, 1)),
    ),
    metrics.NearCopiesMetric: (
        VECTORS,
        np.abs(RNG.normal(size=500)),
        np.abs(RNG.normal(size=500)),
        np.zeros(500),
        None,
    ),
    metrics.SlicedWassersteinMetric: (VECTORS, draws(), draws(), COLLAPSED, None),
    metrics.WassersteinMetric: (IMAGES, shades(100), shades(100), shades(1).repeat(100, 0), None),
}
EACH = pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)


def values(metric, real, fake, context):
    numbers = metric.compute(real, fake, context)
    return {
        name: number.value if isinstance(number, Estimate) else number
        for name, number in numbers.items()
    }


def test_every_metric_has_a_row():
    exported = {
        value
        for value in vars(metrics).values()
        if inspect.isclass(value) and issubclass(value, metrics.Metric)
    }
    assert exported - {metrics.Metric} == ROWS.keys() == set(evaluation.METRICS.values())
    assert len({kind.name for kind in ROWS}) == len(ROWS)


def test_metrics_know_neither_tensorflow_nor_keras():
    for path in Path(metrics.__file__).parent.glob("*.py"):
        assert not re.search(r"^\s*(import|from) (tensorflow|keras)", path.read_text(), re.M), path


@EACH
def test_numbers_are_those_declared_and_in_their_range(kind):
    context, real, same, collapsed, _ = ROWS[kind]
    metric = kind()
    for fake in (same, collapsed):
        numbers = values(metric, real, fake, context)
        assert list(numbers) == [quantity.name for quantity in metric.quantities]
        for quantity in metric.quantities:
            assert quantity.low <= numbers[quantity.name] <= quantity.high, quantity.name
        assert values(kind(), real, fake, context) == numbers


@EACH
def test_a_collapsed_generator_is_worse_than_new_draws(kind):
    context, real, same, collapsed, _ = ROWS[kind]
    good, bad = (values(kind(), real, fake, context) for fake in (same, collapsed))
    for quantity in kind.quantities:
        # Precision does not fall with a collapse.
        if quantity.name != "precision" and quantity.higher_is_better is not None:
            sign = 1 if quantity.higher_is_better else -1
            assert sign * good[quantity.name] > sign * bad[quantity.name], quantity.name


@EACH
def test_says_which_examples_suit_it(kind):
    context, *_, unsuitable = ROWS[kind]
    metric = kind()
    assert metric.suits(context)
    assert metric.is_default(context) == kind.by_default
    if unsuitable is not None:
        assert not metric.suits(unsuitable)
        assert not metric.is_default(unsuitable)
        assert kind.requirement


def test_the_frechet_distance_of_many_dimensions_is_measured_only_when_named():
    wide = dataclasses.replace(VECTORS, feature_dim=5000)
    assert metrics.FrechetMetric().suits(wide)
    assert not metrics.FrechetMetric().is_default(wide)


@pytest.mark.parametrize("kind", [metrics.ModeCoverageMetric, metrics.ClassCoverageMetric])
def test_what_it_needs_is_named(kind):
    with pytest.raises(ValueError, match=kind.requirement):
        kind().compute(COLLAPSED, COLLAPSED, VECTORS)
