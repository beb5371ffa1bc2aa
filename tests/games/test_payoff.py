"""The payoffs of a model's networks against those that NumPy computes, and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import games

GAMES = {
    "minimax": tfgans.objectives.Minimax(),
    "non_saturating": tfgans.objectives.NonSaturating(),
    "wasserstein": tfgans.objectives.Wasserstein(),
}
DATA = tiny.digits(50)


def make_generator(seed=1):
    return tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, width=8, depth=1, seed=seed)


def make_discriminator(seed=2):
    return tfgans.networks.mlp_discriminator((8, 8, 1), width=8, depth=1, seed=seed)


def plain(objective="non_saturating", discriminator=None, **options):
    network = make_discriminator() if discriminator is None else discriminator
    return tfgans.GAN(make_generator(), network, objective=GAMES[objective], **options)


def mixed(kg=3, kd=2, objective="non_saturating", **options):
    """Mixtures of different networks with unequal weights; a count of 0 is a plain network."""
    generator, discriminator = make_generator(), make_discriminator()
    if kg:
        generator = tfgans.mixtures.MixtureGenerator(
            [make_generator(seed=10 + i) for i in range(kg)]
        )
        generator.set_probabilities(ramp(kg))
    if kd:
        networks = [make_discriminator(seed=20 + j) for j in range(kd)]
        discriminator = tfgans.MixtureDiscriminator(networks)
        discriminator.set_probabilities(ramp(kd))
    return tfgans.GAN(generator, discriminator, objective=GAMES[objective], **options)


def ramp(k):
    weights = np.arange(1.0, k + 1)
    return weights / weights.sum()


def log_sigmoid(logit):
    return -np.logaddexp(0, -logit)


def expected_payoff(objective, real_logits, fake_logits):
    """Returns the mean payoff and its standard error, in NumPy."""
    real, fake = (np.asarray(logits, np.float64) for logits in (real_logits, fake_logits))
    logistic = log_sigmoid(real) + log_sigmoid(-fake)
    terms = real - fake if objective == "wasserstein" else logistic
    return terms.mean(), terms.std(ddof=1) / np.sqrt(len(terms))


def assert_same(first, second, **tolerance):
    assert first.num_examples == second.num_examples
    np.testing.assert_allclose(first.values, second.values, **tolerance)
    np.testing.assert_allclose(first.standard_errors, second.standard_errors, **tolerance)


class Offset(tfgans.objectives.Wasserstein):
    """The Wasserstein game, with payoffs moved so far that their squares would drown the spread."""

    def discriminator_loss(self, real_logits, fake_logits):
        return 1e9 - tf.cast(real_logits, tf.float64), tf.cast(fake_logits, tf.float64)


def test_a_large_offset_leaves_the_standard_error():
    payoff = games.payoff_matrix(plain("wasserstein"), DATA, batch_size=16)
    moved = tfgans.GAN(make_generator(), make_discriminator(), objective=Offset())
    result = games.payoff_matrix(moved, DATA, batch_size=16)
    np.testing.assert_allclose(result.values, payoff.values - 1e9, rtol=1e-15)
    np.testing.assert_allclose(result.standard_errors, payoff.standard_errors, rtol=1e-5)


def test_batches_and_kinds_of_data_do_not_matter():
    gan = plain()
    whole = games.payoff_matrix(gan, DATA, batch_size=64, seed=1)
    dataset = tf.data.Dataset.from_tensor_slices(DATA).batch(9)
    for data in (dataset, tfgans.data.from_array(DATA)):
        assert_same(whole, games.payoff_matrix(gan, data, batch_size=7, seed=1), rtol=1e-5)
    assert whole.values != games.payoff_matrix(gan, DATA, batch_size=64, seed=2).values


def test_the_players_are_measured_not_the_average_and_without_dropout_or_penalty():
    gan = tiny.gan(dropout=0.5, ema=0.9, compiled=False)
    for variable in gan.ema_generator.variables:
        variable.assign(variable + 1.0)
    state = [np.array(variable) for variable in gan.variables]
    result = games.payoff_matrix(gan, DATA)
    for variable, value in zip(gan.variables, state, strict=True):
        np.testing.assert_array_equal(variable, value)
    bare = tfgans.GAN(gan.generator, gan.discriminator, objective=GAMES["wasserstein"])
    assert_same(result, games.payoff_matrix(bare, DATA), rtol=0)


def test_a_plain_pair_is_its_own_equilibrium():
    gan = plain()
    result = games.equilibrium(gan, DATA, seed=3)
    payoff = games.payoff_matrix(gan, DATA, seed=3)
    assert_same(result.payoff, payoff, rtol=0)
    assert result.value == result.game.value == payoff.values.item()
    assert result.epsilon == result.generator_gain == result.discriminator_gain == 0
    np.testing.assert_array_equal(result.generator_probabilities, [1.0])
    np.testing.assert_array_equal(result.discriminator_probabilities, [1.0])


@pytest.mark.parametrize(
    ("objective", "kg", "kd"),
    [("minimax", 0, 0), ("non_saturating", 3, 2), ("wasserstein", 2, 0)],
)
def test_every_pair_of_components_agrees_with_numpy(objective, kg, kd):
    gan = mixed(kg, kd, objective)
    payoff = games.payoff_matrix(gan, DATA, batch_size=16, seed=5)
    assert payoff.num_examples == len(DATA)
    assert payoff.values.dtype == payoff.standard_errors.dtype == np.float64
    assert payoff.values.shape == payoff.standard_errors.shape == (kg or 1, kd or 1)
    critics = gan.discriminator.components if kd else [gan.discriminator]
    for i in range(kg or 1):
        fakes = gan.sample(len(DATA), seed=5, component=i) if kg else gan.sample(len(DATA), seed=5)
        for j, critic in enumerate(critics):
            mean, error = expected_payoff(objective, critic(DATA), critic(fakes))
            np.testing.assert_allclose(payoff.values[i, j], mean, rtol=1e-5)
            np.testing.assert_allclose(payoff.standard_errors[i, j], error, rtol=1e-5)


def test_the_equilibrium_of_mixtures():
    gan = mixed()
    result = games.equilibrium(gan, DATA)
    values, p, q = result.payoff.values, ramp(3), ramp(2)
    np.testing.assert_allclose(result.generator_probabilities, p, rtol=1e-6)
    np.testing.assert_allclose(result.discriminator_probabilities, q, rtol=1e-6)
    assert result.generator_probabilities.dtype == np.float64
    assert result.value == pytest.approx(p @ values @ q)
    assert result.generator_gain == pytest.approx(p @ values @ q - min(values @ q))
    assert result.discriminator_gain == pytest.approx(max(p @ values) - p @ values @ q)
    assert result.epsilon == max(result.generator_gain, result.discriminator_gain) > 0
    # Weights set to what the matrix game gives are an equilibrium.
    gan.generator.set_probabilities(np.maximum(result.game.generator, 1e-9))
    gan.discriminator.set_probabilities(np.maximum(result.game.discriminator, 1e-9))
    settled = games.equilibrium(gan, DATA)
    assert settled.epsilon < 1e-6
    assert settled.value == pytest.approx(result.game.value, abs=1e-6)


def test_the_table_shows_every_number():
    payoff = games.Payoff(np.array([[-1.25, 300.5]]), np.array([[0.5, 0.25]]), 77)
    result = games.Equilibrium(
        payoff=payoff,
        generator_probabilities=np.array([1.0]),
        discriminator_probabilities=np.array([0.75, 0.25]),
        value=74.1875,
        generator_gain=0.0,
        discriminator_gain=226.3125,
        game=games.matrix_game(payoff.values),
    )
    assert result.table().splitlines() == [
        "Payoff of discriminator over generator (standard error), 77 examples",
        "                  D0            D1  weight  optimal",
        "     G0  -1.25 (0.5)  300.5 (0.25)   1.000    1.000",
        " weight        0.750         0.250",
        "optimal        0.000         1.000",
        "value 74.19 by weight, 300.5 by optimal weights",
        "best reply gains: generator 0, discriminator 226.3; epsilon 226.3",
    ]


def test_bad_arguments_are_refused():
    gan = plain()
    dataset = tf.data.Dataset.from_tensor_slices(DATA)
    for data, expected in [
        (DATA[:1], "at least two held-out examples. Received: 1"),
        (dataset.batch(10).repeat(), r"`data` must end.*take\(num_batches\)"),
        (tfgans.data.load("ring"), r"`data` must end.*source.sample"),
    ]:
        with pytest.raises(ValueError, match=expected):
            games.payoff_matrix(gan, data)
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1"):
        games.payoff_matrix(gan, DATA, batch_size=0)
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        games.equilibrium(gan, DATA, seed=0.5)
    with pytest.raises(ValueError, match=r"`gan` must be a tfgans.GAN"):
        games.payoff_matrix(gan.generator, DATA)


def test_examples_that_are_judged_in_groups_have_no_payoff():
    grouped = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            tfgans.layers.MinibatchStdDev(),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    with pytest.raises(ValueError, match="compares the examples of a group"):
        games.payoff_matrix(plain(discriminator=grouped), DATA)
