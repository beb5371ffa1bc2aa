"""Metrics that train a network: against closed forms, scikit-learn, SciPy and POT."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import integrate, special, stats
from sklearn.linear_model import LogisticRegression

import tfgans
from tfgans import objectives
from tfgans.games import (
    density_ratio,
    generator_gradient_norms,
    neural_net_distance,
    wasserstein_critic,
)
from tfgans.metrics import wasserstein_distance
from tfgans.random import ReservedStep, Role

RNG = np.random.default_rng(0)


def linear(dim):
    def build():
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((dim,)), keras.layers.Dense(1)])

    return build


def mlp(dim, width=32):
    def build():
        keras.utils.set_random_seed(0)
        return tfgans.networks.mlp_discriminator((dim,), width=width, depth=2)

    return build


def test_distance_of_a_linear_class_is_logistic_regression():
    real, fake = RNG.normal(size=(4000, 3)) + 0.5, RNG.normal(size=(4000, 3))
    found = neural_net_distance(real, fake, discriminator=linear(3), learning_rate=0.02)
    labels = np.repeat([1, 0], 4000)
    fitted = LogisticRegression(C=np.inf).fit(np.concatenate([real, fake]), labels)
    logits = fitted.decision_function(real), fitted.decision_function(fake)
    expected = special.log_expit(logits[0]).mean() + special.log_expit(-logits[1]).mean()
    # Half of the examples each: four standard errors of the difference.
    assert found.distance == pytest.approx(expected + 2 * np.log(2), abs=4 * found.standard_error)
    assert (found.num_train, found.num_held_out) == (2000, 2000)
    assert found.generalization_gap == found.train_distance - found.distance


def test_distance_nears_twice_the_jensen_shannon_divergence():
    p, q = stats.norm(1, 1).pdf, stats.norm(0, 0.5).pdf

    def integrand(x):
        mean = (p(x) + q(x)) / 2
        return special.rel_entr(p(x), mean) + special.rel_entr(q(x), mean)

    expected = integrate.quad(integrand, -6, 8)[0]
    real, fake = RNG.normal(1, 1, size=(8000, 1)), RNG.normal(0, 0.5, size=(8000, 1))
    found = neural_net_distance(real, fake, discriminator=mlp(1), learning_rate=3e-3)
    assert found.distance == pytest.approx(expected, abs=4 * found.standard_error)
    how = {"discriminator": mlp(1), "steps": 500, "learning_rate": 1e-2}
    far = neural_net_distance(real + 10, fake, **how)
    assert far.distance == pytest.approx(2 * np.log(2), abs=0.05)
    bounded = neural_net_distance(real + 10, fake, phi="linear", **how)
    assert bounded.distance == pytest.approx(1, abs=0.05)


def test_generalizes_where_the_wasserstein_distance_does_not():
    """Arora et al., Lemma 1: two samples of N(0, I / 1000), far apart in W1, are close for nets."""
    real, fake = RNG.normal(size=(2, 3000, 1000)) / np.sqrt(1000)
    assert wasserstein_distance(real[:256], fake[:256]) >= 1.1
    found = neural_net_distance(
        real, fake, discriminator=mlp(1000, 16), steps=200, weight_clip=0.05
    )
    # At most 2 log 2 = 1.39 is possible.
    assert abs(found.distance) < 0.1
    assert abs(found.generalization_gap) < 0.3


def test_linear_critic_overshoots_as_the_closed_form_says():
    shift = np.array([0.8, 0.0])
    real, fake = RNG.normal(size=(4000, 2)) + shift, RNG.normal(size=(4000, 2))
    found = wasserstein_critic(
        real, fake, critic=linear(2), penalty_weight=1.0, learning_rate=0.02, steps=500
    )
    expected = 0.8 * (1 + 0.8 / 2)
    # The trained half's shift has an error of sqrt(2 / 1000), and so has the held-out half's.
    assert found.distance == pytest.approx(expected, abs=4 * (2 / 1000) ** 0.5 * 2)
    assert abs(found.baseline) < 4 * found.baseline_standard_error + 0.1
    assert found.excess == found.distance - found.baseline
    assert (found.num_train, found.num_held_out) == (1000, 1000)


def test_critic_is_near_the_exact_distance_in_two_dimensions():
    real = RNG.normal(size=(1500, 2))
    fake = RNG.normal(size=(1500, 2)) * 0.2
    found = wasserstein_critic(real, fake, critic=mlp(2), steps=500)
    exact = wasserstein_distance(real, fake)
    # W^2 / (2 lambda) too much at most, and what a small net in 500 steps falls short.
    assert exact - 0.2 < found.distance < exact + exact**2 / 20 + 4 * found.standard_error
    assert found.excess > 0.5


# P = N(1, 1) against Q = N(0, 1): log p / q = x - 1/2.
POINTS = np.linspace(-2, 3, 11)[:, np.newaxis]
RATIO = stats.norm(1, 1).pdf(POINTS[:, 0]) / stats.norm(0, 1).pdf(POINTS[:, 0])


@pytest.mark.parametrize(
    ("objective", "optimal"),
    [
        (objectives.Minimax(), lambda log_ratio: log_ratio),
        (objectives.NonSaturating(), lambda log_ratio: log_ratio),
        (objectives.FDivergence("kl"), lambda log_ratio: 1 + log_ratio),
        (objectives.FDivergence("reverse_kl"), lambda log_ratio: log_ratio),
        (objectives.FDivergence("pearson"), lambda log_ratio: 2 * (tf.exp(log_ratio) - 1)),
        (objectives.FDivergence("squared_hellinger"), lambda log_ratio: log_ratio / 2),
        (objectives.FDivergence("jensen_shannon"), lambda log_ratio: log_ratio),
    ],
    ids=lambda one: type(one).__name__,
)
def test_ratio_of_an_optimal_discriminator(objective, optimal):
    found = density_ratio(lambda x, training: optimal(x - 0.5), POINTS, objective=objective)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, RATIO, rtol=1e-5)
    # Against the generator's distribution the ratio has a mean of 1.
    values, weights = special.roots_hermitenorm(20)
    everywhere = density_ratio(
        lambda x, training: optimal(x - 0.5), values[:, np.newaxis], objective=objective
    )
    assert weights @ everywhere / weights.sum() == pytest.approx(1, rel=1e-4)


def test_ratio_of_kl_wgan_is_normalized_by_the_fakes():
    fake = RNG.normal(size=(1000, 1))
    for temperature in (1.0, 5.0):
        objective = objectives.KLWasserstein(temperature=temperature)
        # Known up to a constant, whatever its size.
        judge = lambda x, training, t=temperature: t * x + 1e4  # noqa: E731
        found = density_ratio(judge, fake, objective=objective, fake=fake)
        assert found.mean() == pytest.approx(1)
        np.testing.assert_allclose(found, np.exp(fake[:, 0]) / np.exp(fake).mean(), rtol=5e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ratio(objectives.Wasserstein()), "implies no density ratio"),
        (lambda: ratio(objectives.Hinge()), "implies no density ratio"),
        (lambda: ratio(objectives.Minimax(), fake=POINTS), "for no other game"),
        (lambda: ratio(objectives.KLWasserstein()), "needs it"),
        (lambda: ratio(objectives.Minimax(), slope=100), r"below exp\(30\)"),
        (lambda: ratio(objectives.FDivergence("kl"), slope=100), r"below exp\(30\)"),
        (lambda: ratio("minimax"), "Objective"),
    ],
)
def test_no_ratio(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def ratio(objective, slope=1.0, **options):
    return density_ratio(lambda x, training: slope * x, POINTS, objective=objective, **options)


def linear_gan(slope=3.0, spread=0.5):
    """Generator a z + b, discriminator slope x: gradients that can be written down."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    generator.set_weights([np.array([[spread]]), np.array([-1.0])])
    discriminator.set_weights([np.array([[slope]])])
    gan = tfgans.NonSaturatingGAN(generator, discriminator)
    gan.compile()
    return gan


def test_gradient_in_closed_form():
    gan = linear_gan()
    before = tiny.state(gan)
    costs = {"ns": objectives.NonSaturating(), "minimax": objectives.Minimax()}
    found = generator_gradient_norms(gan, objectives=costs, num_batches=4, batch_size=5, seed=2)
    expected = {"ns": [], "minimax": []}
    for index in range(4):
        key = tfgans.random.key(2, ReservedStep.GRADIENT_NORMS, index, Role.LATENTS)
        latents = tfgans.random.normal([5, 1], key).numpy().astype(np.float64)[:, 0]
        logits = 3 * (0.5 * latents - 1)
        inputs = np.stack([latents, np.ones(5)])
        expected["ns"].append((inputs * -3 * special.expit(-logits)).mean(axis=1))
        expected["minimax"].append((inputs * -3 * special.expit(logits)).mean(axis=1))
    for name, rows in expected.items():
        gradients = np.array(rows)
        norms = np.linalg.norm(gradients, axis=1)
        assert found[name] == pytest.approx(
            (
                np.linalg.norm(gradients.mean(axis=0)),
                norms.mean(),
                norms.std(ddof=1),
                gradients.var(axis=0, ddof=1).mean(),
            ),
            rel=1e-4,
        )
    after = tiny.state(gan)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    own = generator_gradient_norms(gan, num_batches=4, batch_size=5, seed=2)
    assert own == {"objective": found["ns"]}
