"""The measures of the labs against closed forms, and runs from their seeds."""

import functools
import math

import numpy as np
import pytest
from scipy import stats

from tfgans import data, games, networks
from tfgans.labs import (
    arms,
    dcd,
    diversity,
    equilibrium,
    generalization,
    kl_wgan,
    limited_data,
    many_paths,
    mix,
    mix_images,
    sample_scores,
    shapes,
    vanishing_gradients,
)
from tfgans.methods import NonSaturatingGAN


class TestSampleScores:
    SOURCE = data.GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], std=0.1)

    def test_of_known_points(self):
        points = np.repeat(self.SOURCE.modes, [975, 25], axis=0)
        scores = sample_scores.of_points(points, self.SOURCE)
        assert (scores["modes"], scores["high_quality"]) == (2, 1)
        assert scores["variation"] == pytest.approx(0.475)
        assert scores["sliced"] > 0.5

    def test_samples_that_are_not_finite_are_the_worst(self):
        points = np.full((10, 2), np.nan)
        worst = {"modes": 0.0, "high_quality": 0.0, "sliced": np.inf, "variation": 1.0}
        assert sample_scores.of_points(points, self.SOURCE) == worst
        assert sample_scores.least_of_parts(points, np.zeros(10), self.SOURCE) == 1.0
        images = np.zeros((10, 8, 8, 1), np.float32)
        scores = sample_scores.of_digits(np.full_like(images, np.inf), images)
        assert scores == {"frechet": np.inf, "sliced": np.inf}

    def test_least_variation_of_any_weights(self):
        truth = np.array([0.5, 0.3, 0.2])
        assert sample_scores.least_variation(np.eye(3), truth) == pytest.approx(0, abs=1e-9)
        # Two generators of three modes must miss the third.
        assert sample_scores.least_variation(np.eye(3)[:2], truth) == pytest.approx(0.2)
        equal = np.array([[0.2, 0.3, 0.5]] * 2)
        expected = sample_scores.total_variation(equal[0], truth)
        assert sample_scores.least_variation(equal, truth) == pytest.approx(expected)

    def test_of_refined_points(self):
        ring = data.Ring()
        real = ring.sample(500, seed=-1)
        near, far = (dcd.score(points, real, ring) for points in (real, real + 10.0))
        assert (near["distance"], near["sliced"]) == (0, 0)
        assert near["high_quality"] > 0.95
        assert far["high_quality"] == 0
        assert far["distance"] > 10
        assert "high_quality" not in dcd.score(real, real, data.SwissRoll())


class TestDiversity:
    def test_memory_of_known_size(self):
        measures = diversity.measure(task=diversity.MEMORY, width=0, k=1, num=100, seed=0)
        assert set(measures) == set(diversity.MEASURES)
        assert measures["support"] == pytest.approx(100, rel=0.4)
        assert measures["support_low"] < 100 < measures["support_high"]
        assert measures["copy_share"] == 1.0
        assert measures["precision"] is None


class TestEquilibrium:
    def test_pure_exploitability_is_the_least_of_all_pairs(self):
        payoff = np.random.default_rng(0).normal(size=(3, 4))
        pairs = [games.exploitability(payoff, p, q) for p in np.eye(3) for q in np.eye(4)]
        assert equilibrium.pure_exploitability(payoff) == pytest.approx(min(pairs))
        # A saddle is a pure equilibrium, and matching pennies has none.
        assert equilibrium.pure_exploitability(np.array([[1.0, 0.0], [2.0, 3.0]])) == 0
        assert equilibrium.pure_exploitability(np.array([[1.0, -1.0], [-1.0, 1.0]])) == 2

    @pytest.mark.parametrize("k", [pytest.param(1, marks=pytest.mark.slow), 2])
    def test_payoff_of_weighted_samples_is_that_of_the_matrix(self, k):
        gan = NonSaturatingGAN(*equilibrium._players(k, 8, seed=0), seed=0)
        if k > 1:
            gan.discriminator.set_probabilities([0.8, 0.2])
            gan.generator.set_probabilities([0.3, 0.7])
        real = np.random.default_rng(0).normal(size=(4096, 2)).astype(np.float32)
        payoff, pairs = equilibrium._measure(gan, real)
        assert payoff == pytest.approx(games.equilibrium(gan, real).value, abs=0.05)
        assert pairs.shape == (k, k)


class TestKLWGAN:
    @pytest.mark.parametrize("task", ["grid", "rings", "ring", "banana"])
    def test_sets_are_pure_and_centered(self, task):
        points = kl_wgan.points(task, 4000, 3)
        np.testing.assert_array_equal(points, kl_wgan.points(task, 4000, 3))
        assert np.abs(points.mean(axis=0)).max() < 0.3

    def test_generator_of_rings_is_the_set_of_rings(self):
        latents = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
        for made in (kl_wgan.Rings()(latents).numpy(), kl_wgan.points("rings", 20_000, 0)):
            radii = np.linalg.norm(made, axis=1)
            near = [np.abs(radii - radius) < 5 * kl_wgan.STDDEV for radius in kl_wgan.RADII]
            np.testing.assert_allclose(np.mean(near, axis=1), 1 / 3, atol=0.015)
            np.testing.assert_allclose(made.mean(axis=0), 0, atol=0.1)

    def test_log_likelihood_of_a_gaussian(self):
        first, second = np.random.default_rng(0).normal(size=(2, 4000, 2))
        # Minus its entropy, 1 + log 2 pi; the kernels blur it a little.
        assert kl_wgan.log_likelihood(first, second) == pytest.approx(-2.84, abs=0.1)

    def test_sets_are_nested_and_apart(self):
        few, others = limited_data.split(limited_data.DIGITS, 100, seed=3)
        more, _ = limited_data.split(limited_data.DIGITS, 200, seed=3)
        np.testing.assert_array_equal(few, more[:100])
        assert not np.array_equal(few, limited_data.split(limited_data.DIGITS, 100, seed=4)[0])
        assert (len(few), len(others)) == (100, 1697)
        known = {image.tobytes() for image in others}
        assert not known & {image.tobytes() for image in few}

    @pytest.mark.slow
    def test_run_of_an_arm(self):
        cell = {"dataset": limited_data.DIGITS, "num": 100, "arm": limited_data.ADA, "steps": 16}
        measures = limited_data.measure(**cell, seed=0)
        assert measures.keys() == limited_data.MEASURES.keys()
        assert measures["step"] == list(range(2, 17, 2))
        assert measures["best_frechet"] == min(measures["frechet"])
        # After 4 updates of 32 images each, p moves by 128 / 20 000.
        assert measures["p"][1] in (0.0, pytest.approx(0.0064))
        assert 0 < measures["real_frechet"] < measures["train_frechet"] < measures["best_frechet"]


class TestParallelLines:
    def test_generator_starts_on_a_parallel_line_as_long_as_the_data(self):
        latents = np.random.default_rng(0).normal(size=(4000, 1)).astype("float32")
        source = data.ParallelLines(dim=3)
        points, real = shapes.parallel_line(source)(latents).numpy(), source.sample(4000, seed=0)
        assert set(points[:, 0]) == {1.0}
        assert set(points[:, 1]) == set(real[:, 0]) == set(real[:, 1]) == {0.0}
        for line in (points, real):
            assert stats.kstest(line[:, 2], "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("task", "size"), [("lines", 2), pytest.param("gaussian", 5, marks=pytest.mark.slow)]
)
def test_same_seed_same_numbers(task, size):
    cell = {"task": task, "size": size, "rate": 1e-3, "discriminator_steps": 1, "last_step": 20}
    first, second = (
        many_paths.measure(**cell, game="wasserstein", penalty="none", seed=0) for _ in range(2)
    )
    assert first == second
    assert first.keys() == many_paths.MEASURES.keys()
    assert first["steps"] == list(range(21))
    if task == "lines":
        assert (first["offset"][0], first["js"][0], first["mean_error"][0]) == (1, math.log(2), 1)


def test_run_against_a_frozen_generator():
    lab = vanishing_gradients
    cell = {"task": lab.LINES, "epochs": 0, "noise": lab.NOISE, "last_step": 50}
    measures = lab.measure(**cell, seed=0)
    assert measures.keys() == lab.MEASURES.keys()
    assert measures["steps"] == [0, 50]
    assert measures["offset"] is None
    # Chance at first, then better: the generator did not move.
    assert measures["loss"][0] == pytest.approx(2 * math.log(2), abs=0.1)
    assert measures["loss"][1] < 1.0


def num_parameters(networks_):
    return sum(network.count_params() for network in networks_)


def test_arms_of_equal_size():
    wide, narrow = (
        num_parameters(equilibrium._players(1, width, seed=0))
        for width in (equilibrium.WIDE, equilibrium.WIDTH)
    )
    assert wide == pytest.approx(equilibrium.K * narrow, rel=0.02)
    for build, narrow, wide in (
        (functools.partial(networks.mlp_generator, (2,), latent_dim=2), mix.NARROW, mix.WIDE),
        (
            functools.partial(networks.dcgan_generator, (28, 28, 1), latent_dim=64),
            mix_images.NARROW,
            mix_images.WIDE,
        ),
    ):
        size = build(width=wide).count_params()
        assert 4 * build(width=narrow).count_params() == pytest.approx(size, rel=0.06)


def test_players_of_an_arm():
    generator, discriminator = (
        functools.partial(builder, (2,), width=2)
        for builder in (networks.mlp_generator, networks.mlp_discriminator)
    )
    arm = arms.Arm(3, 2, "all", 2)
    first, again, other = (
        arms.players(arm, generator, discriminator, seed=seed, weights={"entropy_weight": 0.5})
        for seed in (0, 0, 1)
    )
    assert [(player.num_components, player.entropy_weight) for player in first] == [
        (3, 0.5),
        (2, 0.5),
    ]
    assert first[1].routing == "all"
    for mine, same, differs in zip(first, again, other, strict=True):
        kernels = [player.components[0].get_weights()[0] for player in (mine, same, differs)]
        np.testing.assert_array_equal(kernels[0], kernels[1])
        assert not np.array_equal(kernels[0], kernels[2])


FIRST = np.arange(8.0).reshape(4, 2)
SIZES = [16, 64, 256]
EXPECTED = [
    # Of 6 pairs 2 lie within 0.5.
    (diversity.collision_size(np.array([[0.0], [0.4], [10.0], [10.5]]), 0.5), 3),
    (equilibrium.oscillation([1.0, 3.0, 5.0, 7.0]), 0),
    # The line through 1, -1, 1, -1 falls by 2 / 5 a step and leaves 4 - 2 ** 2 / 5.
    (equilibrium.oscillation([1.0, -1.0, 1.0, -1.0]), np.sqrt(0.8)),
    (generalization.sample_divergence(FIRST, FIRST[::-1]), 0),
    (generalization.sample_divergence(FIRST, FIRST + 100), math.log(2)),
    # By the definition, of p = (1, 1, 1, 1, 0, 0) / 4 and q = (1, 1, 0, 0, 1, 1) / 4.
    (
        generalization.sample_divergence(FIRST, np.concatenate([FIRST[:2], FIRST[:2] + 100])),
        math.log(2) / 2,
    ),
    (generalization.slope([1, 10, 1000], [3.0, 0.3, 0.003]), -1),
    # size^-1/2 is 0.1 at 100; before the first size, and after the last.
    (generalization.size_needed(SIZES, [size**-0.5 for size in SIZES]), 100),
    (generalization.size_needed(SIZES, [0.05, 0.04, 0.03]), 16),
    (generalization.size_needed(SIZES, [0.9, 0.8, 0.7]), math.nan),
    # A pair at distance 2 in the plane: k = exp(-1).
    (kl_wgan.squared_mmd(np.zeros((1, 2)), np.array([[0.0, 2.0]])), 2 - 2 * np.exp(-1)),
    # Of six pairs three are above and one ties.
    (limited_data.share_above(np.array([1.0, 2.0, 5.0]), np.array([2.0, 4.0])), 2.5 / 6),
    (limited_data.share_above(np.arange(3.0), np.arange(3.0)), 0.5),
    (shapes.lines_distance(-0.7, 1.0), 0.7),
    (shapes.lines_distance(0.0, 0.4), 0.3),
    (shapes.lines_distance(0.0, -1.0), 1.0),
    # The mean of sqrt(1 + u^2).
    (shapes.lines_distance(1.0, 2.0), (np.sqrt(2) + np.arcsinh(1)) / 2),
    *(
        (shapes.gaussian_divergence(distance, stddev), expected)
        for distance, stddev, expected in [
            *[(1.0, 1.0, 0.1114215), (2.0, 1.0, 0.3368308), (1.0, 0.25, 0.6327202)],
            *[(1.0, 0.2, 0.6759426), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)],
            *[(1e-9, 0.0, math.log(2)), (1.0, 1e-9, math.log(2))],
        ]
    ),
    # Without noise the divergence is log 2, and the diameter that of both segments.
    (shapes.lines_bound(1.0, 0.0), 2 * math.sqrt(2) * math.sqrt(math.log(2))),
    (shapes.lines_bound(0.0, 0.1), 2 * math.sqrt(2) * 0.1),
]


@pytest.mark.parametrize(("received", "expected"), EXPECTED)
def test_closed_forms(received, expected):
    assert received == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_classes_that_components_draw():
    shares = mix_images.drawn_classes(np.array([3, 3, 9, 0]), np.array([0, 0, 0, 2]))
    assert (shares[0, 3], shares[0, 9], shares[1].sum(), shares[2, 0]) == (2 / 3, 1 / 3, 0, 1)
