"""The lab of KL-WGAN: its sets and measures, and what it says of rows that are known."""

import numpy as np
import pandas as pd
import pytest

from tfgans.labs import kl_wgan, verdicts


@pytest.mark.parametrize("task", ["grid", "rings", "ring", "banana"])
def test_sets_are_pure_and_centred(task):
    made = kl_wgan.points(task, 4000, 3)
    np.testing.assert_array_equal(made, kl_wgan.points(task, 4000, 3))
    assert np.abs(made.mean(axis=0)).max() < 0.3


def test_generator_of_rings_is_the_set_of_rings():
    latents = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
    for made in (kl_wgan.Rings()(latents).numpy(), kl_wgan.points("rings", 20_000, 0)):
        radii = np.linalg.norm(made, axis=1)
        shares = [np.mean(np.abs(radii - one) < 5 * kl_wgan.STDDEV) for one in kl_wgan.RADII]
        np.testing.assert_allclose(shares, 1 / 3, atol=0.015)
        np.testing.assert_allclose(made.mean(axis=0), 0, atol=0.1)


def test_mmd_of_two_points():
    # A pair at distance 2 in the plane: k = exp(-1).
    found = kl_wgan.squared_mmd(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]))
    assert found == pytest.approx(2 - 2 * np.exp(-1))


def test_log_likelihood_of_a_gaussian():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4000, 2))
    # Minus its entropy, 1 + log 2 pi; the kernels blur it a little.
    assert kl_wgan.log_likelihood(first, second) == pytest.approx(-2.84, abs=0.1)


def test_report_of_rows_that_are_known():
    frame = pd.DataFrame(
        {
            **cell,
            "seed": seed,
            **dict.fromkeys(kl_wgan.MEASURES, 1.0 + 0.1 * (cell["game"] != kl_wgan.KL)),
        }
        for cell in kl_wgan.cells(False)
        for seed in range(5)
    )
    found = [verdicts.decide(claim, frame) for claim in kl_wgan.CLAIMS]
    words = ["reproduced"] * 3 + ["not reproduced", "reproduced", "reproduced"]
    assert [one.word for one in found] == [*words, "not testable here"]
    for drawing in kl_wgan.LAB.drawings.values():
        drawing.draw(frame).canvas.draw()
    for make in kl_wgan.LAB.tables.values():
        assert len(make(frame))
