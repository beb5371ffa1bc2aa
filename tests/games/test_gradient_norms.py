"""The generator's gradient: closed forms, what it keeps, and what it refuses."""

import keras
import numpy as np
import pytest
import tiny
from scipy import special

import tfgans
from tfgans import objectives, random
from tfgans.games import generator_gradient_norms

COSTS = {"minimax": objectives.Minimax(), "ns": objectives.NonSaturating()}


def linear_gan(objective, *, slope=3.0):
    """Generator z / 2 - 1, discriminator slope x."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    generator.set_weights([np.array([[0.5]]), np.array([-1.0])])
    discriminator.set_weights([np.array([[slope]])])
    return tfgans.GAN(generator, discriminator, objective=objective)


def test_closed_form_of_a_linear_model():
    """Real examples at 0.25, so that it does not matter which are drawn: -D' sigma(margin)."""
    gan, real = linear_gan(objectives.Minimax()), np.full([7, 1], 0.25)
    costs = {**COSTS, "relativistic": objectives.Relativistic()}
    norms = generator_gradient_norms(
        gan, real, objectives=costs, num_batches=3, batch_size=4, seed=5
    )
    gradients = {name: [] for name in costs}
    for index in range(3):
        key = random.key(5, random.ReservedStep.GRADIENT_NORMS, index, random.Role.LATENTS)
        latents = random.normal([4, 1], key).numpy().astype(np.float64)[:, 0]
        logits = 3 * (0.5 * latents - 1)
        slopes = {"minimax": logits, "ns": -logits, "relativistic": 3 * 0.25 - logits}
        for name, margins in slopes.items():
            rows = np.stack([latents, np.ones(4)]) * -3 * special.expit(margins)
            gradients[name].append(rows.mean(axis=1))
    for name, rows in gradients.items():
        lengths = np.linalg.norm(rows, axis=1)
        expected = np.linalg.norm(np.mean(rows, axis=0)), lengths.mean(), lengths.std(ddof=1)
        # The gradients are float32.
        assert norms[name][:3] == pytest.approx(expected, rel=1e-4)
        assert norms[name].variance == pytest.approx(np.var(rows, axis=0, ddof=1).mean(), rel=1e-4)
    options = {"num_batches": 3, "batch_size": 4, "seed": 5}
    assert generator_gradient_norms(gan, **options) == {"objective": norms["minimax"]}


def test_same_seed_same_norms_and_nothing_changes():
    gan = tiny.gan()  # With BatchNormalization in the generator.
    before = tiny.state(gan)
    logged = [metric.result() for metric in gan.metrics]
    first = generator_gradient_norms(gan, batch_size=8)
    assert first == generator_gradient_norms(gan, batch_size=8)
    assert first != generator_gradient_norms(gan, batch_size=8, seed=1)
    after = tiny.state(gan)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert [metric.result() for metric in gan.metrics] == logged


def test_latents_are_those_of_the_model():
    class Twos(tfgans.GAN):
        def draw_latents(self, draws):
            return 0 * draws.normal(self.latent_shape) + 2

    plain = linear_gan(objectives.Wasserstein())
    gan = Twos(plain.generator, plain.discriminator, objective=plain.objective)
    # The loss is -slope (w z + b): its gradient by (w, b) is -3 (2, 1) at each latent.
    norms = generator_gradient_norms(gan, batch_size=4, num_batches=2)["objective"]
    assert norms.mean_norm == pytest.approx(3 * 5**0.5, rel=1e-6)
    assert norms.variance == pytest.approx(0, abs=1e-9)


REAL = np.zeros([5, 1])


@pytest.mark.parametrize(
    ("objective", "real", "options", "expected"),
    [
        ("Relativistic", None, {}, r"need `real`.*Received: Relativistic\(\) and real=None"),
        ("Minimax", REAL, {}, "do not take it. Received: no such objective and real=an array"),
        ("Relativistic", np.zeros([5, 2]), {}, r"input shape, \(1,\).*Received shape: \(5, 2\)"),
        ("Relativistic", REAL * np.nan, {}, "`real` must be finite"),
        ("Minimax", None, {"objectives": {}}, "must be a dict of objectives by name"),
        ("Minimax", None, {"objectives": objectives.Minimax()}, "must be a dict of objectives"),
        ("Minimax", None, {"objectives": {"a": "minimax"}}, "`a` must be"),
        ("Minimax", None, {"batch_size": 0}, "`batch_size`"),
        ("Minimax", None, {"num_batches": 1}, "`num_batches` must be an integer of at least 2"),
        ("Minimax", None, {"seed": "0"}, "`seed` must be an integer"),
    ],
)
def test_bad_input(objective, real, options, expected):
    gan = linear_gan(getattr(objectives, objective)())
    with pytest.raises(ValueError, match=expected):
        generator_gradient_norms(gan, real, **options)


def test_a_conditional_model_has_labels_drawn():
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = tfgans.NonSaturatingGAN(*players, num_classes=10)
    first, second = (generator_gradient_norms(gan, batch_size=8, seed=seed) for seed in (0, 1))
    assert 0 < first["objective"].mean_norm != second["objective"].mean_norm


def test_models_without_the_gradient():
    with pytest.raises(ValueError, match="`gan` must be"):
        generator_gradient_norms(tiny.generator())
    gan = linear_gan(objectives.Minimax(), slope=np.inf)
    with pytest.raises(ValueError, match="gradient of objective` must be finite"):
        generator_gradient_norms(gan)
    gan.generator.trainable = False
    with pytest.raises(ValueError, match="a generator without any"):
        generator_gradient_norms(gan)
    mixed = tfgans.GAN(*tiny.mixtures(), objective=objectives.Minimax())
    with pytest.raises(ValueError, match="Received: a mixture"):
        generator_gradient_norms(mixed)
    conditional = tfgans.GAN(
        tiny.conditional_generator(),
        tiny.conditional_discriminator(),
        objective=objectives.Relativistic(),
        num_classes=10,
    )
    with pytest.raises(ValueError, match=r"without classes. Received: Relativistic\(\) and num"):
        generator_gradient_norms(conditional, tiny.digits(8))
