"""Judges whether the memory, speed, file descriptors and threads of a long run stay constant."""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence

from scipy import stats

# Neighboring readings correlate, which would overstate the certainty of a trend: the fit uses the
# means of so many blocks.
_BLOCKS = 12


@dataclasses.dataclass(frozen=True)
class Reading:
    """A reading of the process."""

    seconds: float
    cpu_seconds: float
    step: int
    memory_mb: float
    descriptors: int
    threads: int
    directory_mb: float


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of a constant value.

    `memory_mb_per_hour` bounds a trend that is significant at `confidence`; a trend within the
    noise passes. `slower` is the share of the speed, in steps per CPU second, that the last third
    may lose against the middle third.
    """

    memory_mb_per_hour: float = 20.0
    confidence: float = 0.999
    slower: float = 0.1


@dataclasses.dataclass(frozen=True)
class Trend:
    """Slope of the memory in MB an hour, and the slope that noise alone could cause."""

    slope: float
    noise: float


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the verdict."""

    name: str
    text: str
    passed: bool


def memory_trend(readings: Sequence[Reading], confidence: float) -> Trend:
    """Returns the least-squares slope over blocks of readings, and its one-sided margin."""
    hours, memory = [], []
    for block in _blocks(readings):
        hours.append(statistics.fmean(reading.seconds for reading in block) / 3600)
        memory.append(statistics.fmean(reading.memory_mb for reading in block))
    fit = stats.linregress(hours, memory)
    return Trend(fit.slope, fit.stderr * float(stats.t.ppf(confidence, len(hours) - 2)))


def speed(readings: Sequence[Reading]) -> float:
    """Returns the median of steps a CPU second between readings."""
    return statistics.median(
        (after.step - before.step) / max(after.cpu_seconds - before.cpu_seconds, 1e-9)
        for before, after in itertools.pairwise(readings)
    )


def judge(readings: Sequence[Reading], limits: Limits) -> list[Finding]:
    """Returns the findings; the first third of the readings counts as warm-up.

    Raises:
        ValueError: If there are too few readings.
    """
    if len(readings) < 3 * _BLOCKS:
        raise ValueError(f"At least {3 * _BLOCKS} readings are needed. Received: {len(readings)}")
    third = len(readings) // 3
    middle, last = readings[third : 2 * third], readings[2 * third :]
    return [
        _memory([*middle, *last], limits),
        _speed(middle, last, limits),
        *(_count(name, middle, last) for name in ("descriptors", "threads")),
    ]


def _memory(readings: Sequence[Reading], limits: Limits) -> Finding:
    trend, bound = memory_trend(readings, limits.confidence), limits.memory_mb_per_hour
    return Finding(
        "memory",
        f"{trend.slope:+.1f} MB an hour, noise alone up to {trend.noise:.1f}; limit {bound:g}",
        trend.slope <= max(bound, trend.noise),
    )


def _speed(middle: Sequence[Reading], last: Sequence[Reading], limits: Limits) -> Finding:
    ratio = speed(last) / speed(middle)
    return Finding(
        "speed",
        f"last third {speed(last):.0f} steps a CPU second, {ratio:.3f} of the middle third; limit "
        f"{1 - limits.slower:g}",
        ratio >= 1 - limits.slower,
    )


def _count(name: str, middle: Sequence[Reading], last: Sequence[Reading]) -> Finding:
    before, after = (max(getattr(reading, name) for reading in part) for part in (middle, last))
    return Finding(
        name, f"{before} at most in the middle third, {after} in the last", after <= before
    )


def _blocks(readings: Sequence[Reading]) -> list[Sequence[Reading]]:
    size = math.ceil(len(readings) / _BLOCKS)
    return [readings[start : start + size] for start in range(0, len(readings), size)]
