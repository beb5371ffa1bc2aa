"""Every named method: its defaults, what it trains on, and that it goes on to the same bits."""

import inspect

import keras
import named_methods
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import objectives, penalties
from tfgans.methods.wgan import generator_is_due
from tfgans.optimizers import ScheduledAdam
from tfgans.random import Role, Stream
from tfgans.weighted import Weighted

SLOW = pytest.mark.slow


def rows(*fast):
    """All methods, a case each; those that are not named are slow."""
    return pytest.mark.parametrize(
        "method",
        [
            pytest.param(method, id=str(method), marks=() if str(method) in fast else SLOW)
            for method in named_methods.METHODS
        ],
    )


@rows()
def test_step_of_a_graph_is_the_eager_step(method):
    images = tfgans.data.from_array(tiny.digits())
    results = []
    for run_eagerly in (False, True):
        gan = method.make(*named_methods.small_networks(images, method))
        # A step of Adam has the size of the rate, whatever the gradient is: rounding of a gradient
        # near 0 would turn it. A large epsilon makes it small where the gradient is.
        if getattr(gan, "schedule", None) is None:
            pair = [keras.optimizers.SGD(0.05) for _ in range(2)]
        else:
            pair = [ScheduledAdam(epsilon=1e-2) for _ in range(2)]
        gan.compile(*pair, run_eagerly=run_eagerly)
        logs = tiny.train(gan, 2)
        assert set(logs) == method.logs
        results.append((logs, gan.get_weights()))
    (logs, weights), (expected_logs, expected_weights) = results
    assert logs == pytest.approx(expected_logs, rel=1e-4, abs=1e-5)
    for weight, expected in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


@pytest.mark.parametrize("components", [1, pytest.param(3, marks=SLOW)])
@rows("WGANGP")
def test_evaluates_samples_and_goes_on_to_the_same_bits(method, components, tmp_path):
    if components == 1:
        stopped = method.make_tiny(dropout=0.3)
    else:
        source = tfgans.data.from_array(tiny.digits())
        stopped = method.make(*named_methods.small_networks(source, method, components=components))
    stopped.run_eagerly = True
    logs = tiny.train(stopped, 2) | stopped.evaluate(
        tiny.digits(20), batch_size=16, return_dict=True, verbose=0
    )
    assert set(logs) == method.logs
    assert np.isfinite(list(logs.values())).all()
    images = stopped.sample(3, seed=1)
    assert images.shape == (3, 8, 8, 1)
    assert np.isfinite(images).all()
    assert stopped.predict(np.zeros((5, 4), "float32"), verbose=0).shape == (5, 8, 8, 1)
    stopped.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded) is method.cls
    configs = [model.get_config() for model in (loaded, stopped)]
    for config in configs:  # Keras writes what it builds a loaded network from in another form.
        del config["generator"], config["discriminator"]
    assert configs[0] == configs[1]
    tiny.assert_same_state(loaded, stopped)
    for model in (loaded, stopped):
        model.run_eagerly = True
        tiny.train(model, 2)
    tiny.assert_same_state(loaded, stopped)
    assert loaded.step == 4


ADAM = keras.optimizers.Adam
DEFAULTS = {
    "MinimaxGAN": (objectives.Minimax(), None, 1, (2e-4, 0.5, 0.999)),
    "NonSaturatingGAN": (objectives.NonSaturating(), None, 1, (2e-4, 0.5, 0.999)),
    "LeastSquaresGAN": (objectives.LeastSquares(), None, 1, (2e-4, 0.5, 0.999)),
    "HingeGAN": (objectives.Hinge(), None, 1, (2e-4, 0.0, 0.9)),
    "WGAN": (objectives.Wasserstein(), None, 5, (5e-5, 0.99, 1e-8**2)),
    "WGANGP": (objectives.Wasserstein(), penalties.GradientPenalty(), 5, (1e-4, 0.0, 0.9)),
    "GANGP": (objectives.NonSaturating(), penalties.GradientPenalty(), 1, (1e-4, 0.5, 0.9)),
    "DRAGAN": (objectives.NonSaturating(), penalties.DRAGANPenalty(), 1, (1e-4, 0.5, 0.9)),
    "FGAN": (objectives.FDivergence("jensen_shannon"), None, 1, (2e-4, 0.5, 0.999)),
    "KLWGAN": (objectives.KLWasserstein(), None, 5, (2e-4, 0.99, 1e-8**2)),
    "R3GAN": (
        objectives.Relativistic(),
        penalties.PenaltySum((penalties.R1Penalty(weight=0.5), penalties.R2Penalty(weight=0.5))),
        1,
        (2e-4, 0.0, 0.99),
    ),
    "SNGAN": (objectives.Hinge(), None, 5, (2e-4, 0.0, 0.9)),
    "DCD": (objectives.Hinge(), None, 1, (2e-4, 0.0, 0.9)),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_those_of_the_paper(name):
    objective, penalty, steps, numbers = DEFAULTS[name]
    judge = tiny.spectral_discriminator if name == "SNGAN" else tiny.discriminator
    gan = getattr(tfgans, name)(tiny.generator(), judge())
    assert (gan.objective, gan.penalty, gan.discriminator_steps) == (objective, penalty, steps)
    for optimizer in gan.default_optimizers():
        config = optimizer.get_config()
        names = ("beta_1", "beta_2") if isinstance(optimizer, ADAM) else ("rho", "epsilon")
        assert float(optimizer.learning_rate) == pytest.approx(numbers[0])
        assert tuple(config[key] for key in names) == numbers[1:]


def test_every_named_method_has_defaults():
    assert {method.name for method in named_methods.METHODS} == DEFAULTS.keys() | {"GAN"}


@pytest.mark.parametrize(
    "method",
    [method for method in named_methods.METHODS if method.name != "GAN" and not method.label],
    ids=str,
)
def test_no_argument_of_gan_is_swallowed(method):
    """Each is refused, with the name of the class, or kept: in the config, and by the parts."""
    changed = {
        "objective": objectives.Hinge(),
        "penalty": penalties.R1Penalty(weight=0.7),
        "discriminator_steps": 3,
        "weight_clip": 0.07,
        "instance_noise": tfgans.layers.InstanceNoise(0.1, schedule="constant"),
        "augmentation": tfgans.augmentation.DiffAugment("color"),
        "regularizers": [tfgans.regularizers.LeCam(weight=0.1)],
        "ema": 0.7,
        "seed": 7,
        "name": "seven",
    }
    networks = named_methods.small_networks(tfgans.data.from_array(tiny.digits()), method)
    refused = changed.keys() - inspect.signature(method.cls).parameters.keys()
    for name in refused:
        message = rf"{method.name}.__init__\(\) got an unexpected keyword argument '{name}'"
        with pytest.raises(TypeError, match=message):
            method.cls(*networks, **{name: changed[name]})
    kept = {name: value for name, value in changed.items() if name not in refused}
    gan = method.cls(*networks, **{**method.options, **kept})
    config = gan.get_config()
    for name, value in kept.items():
        assert config[name] == keras.saving.serialize_keras_object(value)
    # A second copy of a setting of a part would be saved and not trained with.
    parts = {"penalty_weight", "noise", "scale", "minimax", "divergence", "non_saturating", "form"}
    parts |= {"temperature", "weight_gradient", "label_smoothing", "gamma"}
    for name in parts & config.keys():
        assert getattr(gan, name) == config[name]
        with pytest.raises(AttributeError):
            setattr(gan, name, object())
    # The generator of DCD stands still.
    always = {"instance_noise", "augmentation", "regularizers", "seed", "name"} | (
        {"ema"} if method.name != "DCD" else set()
    )
    assert not refused & always
    assert ("ema" in refused) == (method.name == "DCD")


class TestWGAN:
    def test_all_parameters_of_the_critic_are_clipped_after_each_update(self):
        networks = tiny.mixtures(1, 2, weight_update="softmax")
        gan = tfgans.WGAN(*networks, weight_clip=0.02, discriminator_steps=2)
        gan.compile(named_methods.adam(0.5), named_methods.adam(0.5), run_eagerly=True)
        tiny.train(gan)
        for component in gan.discriminator.components:
            *largest, last_bias = [np.abs(weight).max() for weight in component.get_weights()]
            # A step of 0.5 throws every parameter, biases too, against the limit; but the last
            # bias, which has no gradient: it moves real and fake alike.
            np.testing.assert_allclose(largest, 0.02, rtol=1e-6)
            assert last_bias == 0
        assert np.abs(gan.discriminator.log_weights.numpy()).max() > 0.1
        assert max(np.abs(weight).max() for weight in gan.generator.components[0].get_weights()) > 1

    def test_warm_up_is_the_authors_schedule(self):
        """Their loop: 100 critic updates if g < 25 or g % 500 == 0, else 5; then the generator."""
        expected, updates = [], 0
        while len(expected) < 2500:
            blocks = 20 if updates < 25 or updates % 500 == 0 else 1
            expected += [False] * (blocks - 1) + [True]
            updates += 1
        steps = tf.range(2500, dtype=tf.int64)
        np.testing.assert_array_equal(generator_is_due(steps, 5), expected[:2500])

    def test_warm_up_leaves_the_generator_alone(self):
        gan = tfgans.WGAN(
            tiny.generator(), tiny.discriminator(), discriminator_steps=1, critic_warmup=True
        )
        gan.compile()
        before = [weight.numpy() for weight in gan.generator.trainable_variables]
        moved = []
        for steps in (99, 1):
            tiny.train(gan, steps)
            now = [weight.numpy() for weight in gan.generator.trainable_variables]
            moved.append(not all(map(np.array_equal, before, now)))
        assert moved == [False, True]
        assert int(gan.generator_optimizer.iterations) == 1


class TestDCD:
    def test_tunes_a_copy_of_the_discriminator_and_freezes_the_generator(self):
        gan = tfgans.NonSaturatingGAN(*tiny.mixtures(2, 1), ema=0.9)
        gan.compile(run_eagerly=True)
        tiny.train(gan)
        before = tiny.state(gan)
        dcd = tfgans.DCD.from_gan(gan, langevin=named_methods.SHORT, updates_per_batch=2)
        dcd.compile(run_eagerly=True)
        start = [dcd.generator.get_weights(), dcd.discriminator.get_weights()]
        tiny.train(dcd)
        for weight, was in zip(dcd.generator.get_weights(), start[0], strict=True):
            np.testing.assert_array_equal(weight, was)
        changed = zip(dcd.discriminator.get_weights(), start[1], strict=True)
        assert not all(np.array_equal(weight, was) for weight, was in changed)
        for name, value in tiny.state(gan).items():
            np.testing.assert_array_equal(value, before[name])
        assert dcd.objective == gan.objective
        assert int(dcd.discriminator_optimizer.iterations) == 2
        np.testing.assert_allclose(
            dcd.sample(4, seed=1, refine=False), gan.sample(4, seed=1), atol=1e-6
        )

    def test_samples_are_refined_row_by_row(self):
        dcd = tfgans.DCD(tiny.generator(), tiny.discriminator(), langevin=named_methods.SHORT)
        many = dcd.sample(5, seed=2)
        np.testing.assert_allclose(dcd.sample(2, seed=2), many[:2], atol=1e-6)
        np.testing.assert_array_equal(dcd.sample(5, seed=2, refine=named_methods.SHORT), many)
        assert not np.allclose(dcd.sample(5, seed=2, refine=False), many)

    def test_refinement_without_noise_climbs_the_logit(self):
        gan = tiny.gan(tfgans.NonSaturatingGAN)
        judge, plain = gan.discriminator_player, gan.sample(20, seed=1)
        for space in ("latent", "data"):
            climb = tfgans.refinement.Langevin(
                space=space, steps=10, step_size=0.05, noise_scale=0.0
            )
            better = gan.sample(20, seed=1, refine=climb)
            gain = judge.mean_logits(better, None) - judge.mean_logits(plain, None)
            assert (gain.numpy() > 0).all()

    def test_each_fake_comes_from_one_component_of_a_mixture(self):
        """The component is drawn once, not anew from each latent on the way."""

        mixture = tiny.constants(range(3), shape=(8, 8, 1), latent_dim=4)
        dcd = tfgans.DCD(mixture, tiny.discriminator(), langevin=named_methods.SHORT)
        dcd.generator.set_probabilities([0.6, 0.3, 0.1])
        fake = dcd.generate(500, stream=Stream(tfgans.random.key(1)), training=True)
        assert fake.weights is None
        drawn = np.round(fake.values[:, 0, 0, 0]).astype(int)
        # Standard errors are at most .022.
        np.testing.assert_allclose(
            np.bincount(drawn, minlength=3) / 500, [0.6, 0.3, 0.1], atol=0.09
        )

    def test_frozen_layers_of_a_gan_stay_frozen(self):
        gan = tiny.gan(tfgans.NonSaturatingGAN, compiled=False)
        gan.discriminator.layers[1].trainable = False
        trained = len(gan.discriminator.trainable_variables)
        assert len(tfgans.DCD.from_gan(gan).discriminator.trainable_variables) == trained == 2

    def test_other_latents_are_refused(self):
        class Uniform(tfgans.NonSaturatingGAN):
            def draw_latents(self, draws):
                return draws.uniform(self.latent_shape)

        with pytest.raises(ValueError, match="overrides `draw_latents`"):
            tfgans.DCD.from_gan(tiny.gan(Uniform))


def test_sngan_wants_spectral_normalization():
    shape = tiny.discriminator().input_shape[1:]
    with pytest.raises(ValueError, match=r"must hold `tfgans.layers.SpectralNormalization`"):
        tfgans.SNGAN(tiny.generator(), tiny.discriminator())
    both = [
        tfgans.layers.SpectralNormalization(keras.layers.Dense(4)),
        keras.layers.SpectralNormalization(keras.layers.Dense(1), name="of_keras"),
    ]
    mixed = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *both])
    with pytest.raises(ValueError, match=r"writes to the kernel.*'of_keras'"):
        tfgans.SNGAN(tiny.generator(), mixed)

    part = tiny.spectral_discriminator()
    part = keras.Sequential([part.input, *part.layers[1:-1], keras.layers.Dense(1, name="free")])
    with pytest.warns(UserWarning, match=r"without spectral normalization, .*: free\. Wrap"):
        tfgans.SNGAN(tiny.generator(), part)
    inputs = keras.Input(shape)
    attended = keras.layers.Reshape((8, 8))(inputs)
    attended = keras.layers.MultiHeadAttention(2, 4)(attended, attended)
    last = tfgans.layers.SpectralNormalization(keras.layers.Dense(1))
    attentive = keras.Model(inputs, last(keras.layers.Flatten()(attended)))
    with pytest.warns(UserWarning, match="without spectral normalization, .*: attention_output, "):
        tfgans.SNGAN(tiny.generator(), attentive)


def test_weighted_fakes_are_weighed_by_their_own_discriminator():
    """KL-WGAN over sliced discriminators: the weights of each slice have a mean of 1."""
    players = tiny.mixtures(1, 3, normalization=False)
    gan = tfgans.KLWGAN(*players, form="linear", weight_gradient=False)
    fakes = tf.constant(tiny.digits(9))
    stream = Stream(tfgans.random.key(0))
    loss = gan.generator_loss(fakes, Weighted(fakes), stream=stream, training=True)[1]
    loss = loss["generator_loss"]
    assigned = gan.discriminator.assign_rows(
        fakes, key=stream.key(Role.ROW_ASSIGNMENT), training=True
    )
    by_hand = []
    for component, rows in zip(players[1].components, tf.split(assigned, 3), strict=True):
        logits = component(rows).numpy().astype(np.float64)
        by_hand.append(-(np.exp(logits) / np.exp(logits).mean() * logits).mean())
    np.testing.assert_allclose(loss, np.mean(by_hand), rtol=1e-5)


def test_penalties_of_several_discriminators_draw_their_own_points():
    """Where they penalize a fraction of the rows, and so each discriminator by itself.

    And no network's points come from the numbers of another's noise.
    """
    uniforms = []

    class Keep(penalties.DRAGANPenalty):
        def points(self, real, fake, key):
            uniforms.append(tfgans.random.uniform([40], key).numpy())
            noise_key = tfgans.random.fold(key, Role.PENALTY_POINTS)
            uniforms.append(tfgans.random.uniform([40], noise_key).numpy())
            return super().points(real, fake, key)

    networks = tiny.mixtures(1, 4)
    penalty = Keep(fraction=0.5)
    gan = tfgans.GAN(*networks, objective=named_methods.NON_SATURATING, penalty=penalty)
    images = tf.constant(tiny.digits(8))
    stream = Stream(tfgans.random.key(0))
    gan.discriminator_loss(images, Weighted(images), stream=stream, training=True)
    assert len(np.unique(np.stack(uniforms), axis=0)) == 8


def test_every_counts_the_updates_of_the_discriminator():
    """With `every=2` and two updates a step, the first one of each step is penalized, twofold."""
    seen = []

    class Spy(tfgans.GAN):
        def discriminator_update(self, real, labels=None, *, stream):
            before = self.get_metrics_result()["penalty"]
            super().discriminator_update(real, labels, stream=stream)
            seen.append((int(stream.update), float(self.get_metrics_result()["penalty"] - before)))

    gan = Spy(
        tiny.generator(),
        tiny.discriminator(),
        objective=named_methods.NON_SATURATING,
        penalty=penalties.R1Penalty(every=2),
        discriminator_steps=2,
    )
    gan.compile(run_eagerly=True)
    tiny.train(gan, 2)
    assert [update for update, _ in seen] == [0, 1, 2, 3]
    # The mean over the updates so far rises with each that is penalized, and falls with the others.
    assert [change > 0 for _, change in seen] == [True, False, True, False]
