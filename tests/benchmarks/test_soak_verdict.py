"""A soak flags what grows, and not what only wavers."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import soak_verdict
from soak_verdict import Limits, Reading

COUNT = 180


def readings(*, leak=0.0, noise=3.0, seed=0, **changes):
    """Half an hour: `leak` MB an hour, over noise that remembers the reading before it."""
    rng = np.random.default_rng(seed)
    wave = 0.0
    for index in range(COUNT):
        wave = 0.7 * wave + noise * rng.normal()
        one = Reading(10.0 * index, 9.0 * index, 700 * index, 500 + wave, 20, 30, 1.0)
        one = dataclasses.replace(one, memory_mb=one.memory_mb + leak * one.seconds / 3600)
        at = {name: change(index) for name, change in changes.items()}
        yield dataclasses.replace(one, **at)


def failed(*args, **options):
    found = soak_verdict.judge([*readings(*args, **options)], Limits())
    return [one.name for one in found if not one.passed]


@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0, 30.0])
def test_flat_noise_is_not_flagged(noise):
    assert [failed(noise=noise, seed=seed) for seed in range(20)] == [[]] * 20


@pytest.mark.parametrize(("leak", "noise"), [(25, 0.1), (100, 3.0), (1000, 30.0)])
def test_a_leak_is_flagged(leak, noise):
    assert [failed(leak=leak, noise=noise, seed=seed) for seed in range(20)] == [["memory"]] * 20


def test_growth_while_warming_up_is_not_flagged():
    assert failed(leak=0, noise=0.1, memory_mb=lambda index: 500 + min(index, COUNT // 3)) == []


def test_slope_is_exact_without_noise():
    trend = soak_verdict.memory_trend([*readings(leak=7.0, noise=0.0)], 0.99)
    assert trend.slope == pytest.approx(7)
    assert trend.noise == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("descriptors", lambda index: 20 + index // 50),
        ("threads", lambda index: 30 + (index > 150)),
        ("step", lambda index: 700 * min(index, 120) + 600 * max(0, index - 120)),
    ],
)
def test_what_grows_or_slows_down_is_flagged(name, change):
    assert failed(**{name: change}) == [{"step": "speed"}.get(name, name)]


def test_too_few_readings():
    with pytest.raises(ValueError, match="At least 36 readings"):
        soak_verdict.judge([*readings()][:35], Limits())
