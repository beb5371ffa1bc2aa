"""The estimate of a run's memory: its arithmetic, what it refuses, and what a process takes."""

import subprocess
import sys

import pytest
import tiny

import tfgans
from tfgans import data
from tfgans.training import memory

GROWTH = """
import resource, sys
import numpy as np, tfgans
from tfgans import data
from tfgans.training import memory

shape, batch = (32, 32, 3), int(sys.argv[1])
gan = tfgans.WGANGP(
    tfgans.networks.dcgan_generator(shape, width=32, normalization="none"),
    tfgans.networks.dcgan_discriminator(shape, width=32),
    discriminator_steps=1,
)
gan.compile()
source = data.from_array(np.zeros((512, *shape), np.uint8))
gan.fit(source, batch_size=batch, steps_per_epoch=2, verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
print(memory.estimate(gan, source, batch_size=batch).total)
"""


def source():
    return data.from_array(tiny.digits())


def test_estimate_counts_what_grows():
    gan = tiny.gan()
    whole = memory.estimate(gan, source(), batch_size=32)
    assert memory.estimate(gan, source(), batch_size=64).update == 2 * whole.update
    cut = memory.estimate(gan, source(), batch_size=32, parts=4)
    assert cut.update == whole.update / 4
    assert cut.weights == whole.weights * 5 / 4  # The sum of the gradients.
    count = gan.generator.count_params() + gan.discriminator.count_params()
    assert whole.weights == 4 * 4 * count
    averaged = memory.estimate(tiny.gan(ema=0.9), source(), batch_size=32)
    assert averaged.weights == whole.weights + 4 * gan.generator.count_params()
    assert whole.total > whole.weights + whole.update + whole.batches


@pytest.mark.parametrize(
    ("share", "advice"),
    [(0.7, r"Use `accumulate_steps=[248]`"), (0.0, "Use a smaller batch or smaller networks")],
)
def test_what_does_not_fit_is_refused(monkeypatch, tmp_path, share, advice):
    gan = tiny.gan()
    needed = memory.estimate(gan, source(), batch_size=64)
    fixed = needed.total - needed.update
    monkeypatch.setattr(
        memory, "available_memory", lambda: int(fixed * (share > 0) + share * needed.update)
    )
    with pytest.raises(ValueError, match=f"of memory, and .* are available.* {advice}"):
        tfgans.training.plan(gan, source(), run_dir=tmp_path / "run", steps=10, batch_size=64)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_estimate_against_what_a_process_takes():
    """Growth from one batch to a larger one: what TensorFlow takes in any case cancels."""
    taken, told = [], []
    for batch in (32, 256):
        done = subprocess.run(
            [sys.executable, "-c", GROWTH, str(batch)], capture_output=True, text=True, check=True
        )
        measured, estimated = map(int, done.stdout.split())
        taken.append(measured)
        told.append(estimated)
    assert 0.5 < (told[1] - told[0]) / (taken[1] - taken[0]) < 2
