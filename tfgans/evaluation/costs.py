"""Estimates how long an evaluation takes, from small samples."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfgans.evaluation.examples import NUM_COMPARED, Fake, HeldOut, Real
from tfgans.evaluation.extractors import Extractor
from tfgans.evaluation.image_classifier import BATCH_SIZE, ImageClassifier, num_steps
from tfgans.evaluation.intervals import NUM_GROUPS
from tfgans.metrics import Context, Estimate, FeatureStatistics, Metric
from tfgans.metrics.neighbors import closest_in_chunks

TRAINING = "training of the classifier"
REAL = "real examples"
FAKE = "generated examples"
# Of a metric of statistics, whose time is cubic in the dimension.
_MOST_DIM = 384
# Examples of other metrics that are timed.
_MOST_TIMED = 1024
# A training step by the time of a prediction: 2.6 was measured.
_TRAINING_FACTOR = 3


def estimate(
    metrics: tuple[Metric, ...],
    real: Real,
    fake: Fake | HeldOut,
    *,
    extractor: Extractor,
    context: Context,
    num_training: int,
) -> dict[str, float]:
    """Returns the seconds of each part of an evaluation; see `Evaluator.costs`.

    Args:
        metrics: The metrics that are measured.
        real: The real examples.
        fake: The generated examples.
        extractor: The extractor. A classifier that is not trained yet counts its training.
        context: The `Context` of the metrics.
        num_training: Int, the examples of its training set.
    """
    read, real_seconds = _second_chunk(real.chunks())
    generated, fake_seconds = _second_chunk(fake.chunks())
    # The first call compiles.
    extractor(read)
    features, seconds = _timed(lambda: extractor(read))
    per_example = seconds / len(read)
    summed = {metric.reads for metric in metrics} & {"statistics"}
    if summed:
        per_example += _timed(lambda: FeatureStatistics().update(features.features))[1] / len(read)
    costs: dict[str, float] = {}
    if isinstance(extractor, ImageClassifier) and extractor.accuracy is None:
        steps = num_steps(num_training)
        costs[TRAINING] = _TRAINING_FACTOR * seconds / len(read) * BATCH_SIZE * steps
    costs[REAL] = real.num * (real_seconds / len(read) + per_example)
    costs[FAKE] = fake.num * (fake_seconds / len(generated) + per_example)
    parts: dict[str, Any] = {
        "features": (features.features, extractor(generated).features),
        "examples": (read, generated),
    }
    if features.probabilities is not None:
        parts["probabilities"] = (features.probabilities, extractor(generated).probabilities)
    for metric in metrics:
        costs[metric.name] = _of_metric(metric, parts, real.num, fake.num, context)
    return costs


def _of_metric(
    metric: Metric, parts: dict[str, Any], num_real: int, num_fake: int, context: Context
) -> float:
    if metric.reads == "distances":
        real, fake = parts["examples"]
        compared = np.resize(fake, (min(NUM_COMPARED, num_fake), *fake.shape[1:]))
        _, seconds = _timed(lambda: closest_in_chunks(compared, iter([real])))
        # From samples, and from real examples, to all real examples.
        return 2 * seconds * num_real / len(real)
    if metric.reads == "statistics":
        dim = min(context.feature_dim, _MOST_DIM)
        rows = np.random.default_rng(0).normal(size=(2, dim + 64, dim))
        first, second = FeatureStatistics(), FeatureStatistics()
        first.update(rows[0])
        second.update(rows[1])
        return _seconds(metric, first, second, context) * (context.feature_dim / dim) ** 3
    num = min(num_real, num_fake, metric.max_examples or num_real)
    size = min(num, _MOST_TIMED)
    real, fake = (np.resize(rows, (size, *rows.shape[1:])) for rows in parts[metric.reads])
    whole = _seconds(metric, real, fake, context)
    if size == num:
        return whole
    # Two sizes tell whether the time is linear or quadratic in the number of examples.
    half = _seconds(metric, real[: size // 2], fake[: size // 2], context)
    power = min(max(math.log2(whole / half), 1.0), 2.0)
    return whole * (num / size) ** power


def _seconds(metric: Metric, real: Any, fake: Any, context: Context) -> float:
    """Returns the time of a metric and of its repetitions for the error."""
    metric.compute(real, fake, context)  # The first call compiles, and allocates.
    values, seconds = _timed(lambda: metric.compute(real, fake, context))
    jackknifed = any(not isinstance(value, Estimate) for value in values.values())
    return seconds * (1 + NUM_GROUPS * jackknifed)


def _second_chunk(chunks: Iterator[np.ndarray]) -> tuple[np.ndarray, float]:
    """Returns the second chunk and its time, since the first compiles; the first if it is alone."""
    first, seconds = _timed(lambda: next(chunks))
    second, later = _timed(lambda: next(chunks, None))
    return (first, seconds) if second is None else (second, later)


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Returns the value of a function, and its seconds without those of other processes."""
    start, cpu_start = time.perf_counter(), time.process_time()
    value = function()
    seconds = min(time.perf_counter() - start, time.process_time() - cpu_start)
    return value, max(seconds, 1e-9)
