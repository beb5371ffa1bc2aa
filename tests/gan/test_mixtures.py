"""Mixtures in every model: what one component equals, what several estimate, and that they last."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import optimizers, players, random
from tfgans.random import Role, Stream

SLOW = pytest.mark.slow
# Each routing and each update of the weights; tracing a mixture takes seconds.
COMBINATIONS = pytest.mark.parametrize(
    ("routing", "weight_update"),
    [
        ("slices", "exponentiated_gradient"),
        pytest.param("categorical", "softmax", marks=SLOW),
        pytest.param("slices", "softmax", marks=SLOW),
        pytest.param("all", "exponentiated_gradient", marks=SLOW),
    ],
)


def gan(generator, discriminator, cls=tfgans.NonSaturatingGAN, *, execution=None, **options):
    if cls is tfgans.WGANGP:
        options = {"discriminator_steps": 2, **options}
    model = cls(generator, discriminator, **options)
    # A few eager steps take less time than their graph; but Keras then warns of a component for
    # which no example was drawn: it has no gradient.
    eager = getattr(generator, "routing", None) != "categorical"
    model.compile(**(execution or {"run_eagerly": eager}))
    return model


def train(model, steps):
    tiny.train(model, steps, batch_size=17)  # No number of slices divides 17 rows.
    return model


class TestOneComponent:
    @pytest.mark.parametrize("run_eagerly", [True, pytest.param(False, marks=SLOW)])
    @COMBINATIONS
    def test_equals_the_plain_network_to_the_bit(self, routing, weight_update, run_eagerly):
        networks = tiny.generator(seed=10), tiny.discriminator(seed=30)
        options = {"ema": 0.9, "execution": {"run_eagerly": run_eagerly}}
        plain = train(gan(*networks, tfgans.WGANGP, **options), 2)
        mixtures = tiny.mixtures(1, 1, routing=routing, weight_update=weight_update)
        mixed = train(gan(*mixtures, tfgans.WGANGP, **options), 2)
        for name in ("generator", "discriminator", "ema_generator"):
            (component,) = getattr(mixed, name).components
            for weight, twin in zip(
                getattr(plain, name).get_weights(), component.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(weight, twin)
        assert plain.get_metrics_result() == mixed.get_metrics_result()
        np.testing.assert_array_equal(plain.sample(5, seed=1), mixed.sample(5, seed=1))
        results = []
        for model in (plain, mixed):
            model.run_eagerly = True
            results.append(model.test_on_batch(tiny.digits(19), return_dict=True))
        assert results[0] == results[1]


@pytest.mark.filterwarnings("ignore:The generator has no trainable variables")
def test_a_single_drawn_component_moves_where_the_loss_is_flat():
    """Beyond the margin of the hinge loss there is no gradient, but momentum moves the weights."""

    def line(**options):
        inputs = keras.Input((1,))
        return keras.Model(inputs, keras.layers.Dense(1, **options)(inputs))

    def trained(routing):
        generator = line(
            kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-1)
        )
        generator.trainable = False
        discriminator = line(kernel_initializer=keras.initializers.Constant(0.9))
        mixture = tfgans.MixtureDiscriminator([discriminator], routing=routing)
        model = tfgans.HingeGAN(generator, mixture)
        model.compile(run_eagerly=True, discriminator_optimizer=keras.optimizers.Adam(0.3, 0.5))
        for _ in range(3):
            model.train_on_batch(np.ones([8, 1], np.float32))
        return discriminator.get_weights()

    drawn, sliced = map(trained, ("categorical", "slices"))
    np.testing.assert_array_equal(drawn[0], sliced[0])
    assert drawn[0] > 1.25


def pair_of_mixtures(routing, cls, *, generator_routing=None):
    """Three generators and two discriminators of points, with weights far from uniform."""
    make = tfgans.networks
    generator = tfgans.MixtureGenerator(
        [make.mlp_generator((2,), latent_dim=2, width=4, depth=1, seed=i) for i in range(3)],
        routing=generator_routing or routing,
    )
    discriminator = tfgans.MixtureDiscriminator(
        [make.mlp_discriminator((2,), width=4, depth=1, seed=i + 5) for i in range(2)],
        routing=routing,
    )
    generator.set_probabilities([0.6, 0.3, 0.1])
    discriminator.set_probabilities([0.8, 0.2])
    return gan(generator, discriminator, cls)


def estimates(model, num, batch=7):
    """Losses of both players and their gradients, for `num` keys: float64 [num, values]."""
    sources = {
        player: [
            *(variable.value for variable in getattr(model, player).trainable_variables[::3]),
            getattr(model, player).log_weights.value,
        ]
        for player in ("discriminator", "generator")
    }

    def estimate(index):
        key = random.key(1, index)
        real = random.normal([batch, 2], random.fold(key, 99)) + 0.5
        results = []
        for player, variables in sources.items():
            with tf.GradientTape() as tape:
                tape.watch(variables[-1])
                stream = Stream(key)
                fake = model.generate(batch, stream=stream, training=True)
                compute = getattr(model, f"{player}_loss")
                loss, _ = compute(real, fake, stream=stream, training=True)
            gradients = tape.gradient(loss, variables)
            results += [loss, *gradients]
        return tf.concat([tf.reshape(result, [-1]) for result in results], axis=0)

    @tf.function(autograph=False)
    def all_of_them():
        return tf.map_fn(estimate, tf.range(num), fn_output_signature=tf.float32)

    return all_of_them().numpy().astype(np.float64)


class TestStack:
    """Small perceptrons of one architecture run as one in a graph, and one by one eagerly."""

    @pytest.mark.parametrize(
        ("cls", "routing"),
        [
            (tfgans.WGANGP, "slices"),
            *(
                pytest.param(*case, marks=SLOW)
                for case in [
                    (tfgans.WGANGP, "all"),
                    (tfgans.R3GAN, "slices"),
                    (tfgans.R3GAN, "all"),
                ]
            ),
        ],
    )
    def test_results_are_those_of_the_components(self, cls, routing):
        models = []
        for run_eagerly in (False, True):
            model = cls(*self.mixtures(routing), discriminator_steps=2)
            # Plain gradient steps: Adam's have the size of the rate, whatever the gradient is.
            model.compile(*map(keras.optimizers.SGD, (0.002, 0.002)), run_eagerly=run_eagerly)
            points = np.random.default_rng(0).uniform(-1, 1, (2, 8, 2, 2)).astype("float32")
            logs = [model.train_on_batch(batch, return_dict=True) for batch in points]
            models.append((model, logs[-1]))
        (stacked, curve), (one_by_one, expected) = models
        for weight, twin in zip(stacked.get_weights(), one_by_one.get_weights(), strict=True):
            np.testing.assert_allclose(weight, twin, atol=1e-6)
        assert curve == {name: pytest.approx(value, abs=1e-5) for name, value in expected.items()}

    @pytest.mark.parametrize(
        ("options", "stacks"),
        [({}, True), ({"width": 300}, False), ({"normalization": "layer"}, False)],
    )
    def test_only_small_perceptrons_of_one_architecture_are_stacked(self, options, stacks):
        generator, _ = self.mixtures("slices", **options)
        key = random.key(0)
        route = tf.function(
            lambda x: generator.route(x, key=key, training=True).values, autograph=False
        )
        graph = route.get_concrete_function(tf.TensorSpec([8, 2])).graph
        kinds = {operation.type for operation in graph.get_operations()}
        assert ("BatchMatMulV2" in kinds) == stacks

    @pytest.mark.parametrize("with_input", [True, False])
    def test_sequential_perceptrons_are_stacked(self, with_input):
        def build():
            hidden = [keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)]
            network = keras.Sequential([keras.Input((3,)), *hidden] if with_input else hidden)
            network.build((None, 3))
            return network

        generator = tfgans.MixtureGenerator.from_builder(build, 2)
        variables = [variable.value for variable in generator.trainable_variables]

        def examples_and_gradients(latents):
            with tf.GradientTape() as tape:
                examples = generator.route(latents, key=random.key(1), training=True).values
                loss = tf.reduce_sum(tf.square(examples))
            return [examples, *tape.gradient(loss, variables)]

        latents = random.normal([6, 3], random.key(0))
        stacked = tf.function(examples_and_gradients, autograph=False)
        for result, expected in zip(stacked(latents), examples_and_gradients(latents), strict=True):
            np.testing.assert_allclose(result, expected, atol=1e-5)
        operations = stacked.get_concrete_function(latents).graph.get_operations()
        assert "BatchMatMulV2" in {operation.type for operation in operations}

    def test_another_activation_is_another_architecture(self):
        networks = [
            tfgans.networks.mlp_generator((2,), latent_dim=2, activation=name)
            for name in ("relu", "tanh")
        ]
        generator = tfgans.MixtureGenerator(networks)
        latents, key = random.normal([4, 2], random.key(0)), random.key(1)
        route = tf.function(
            lambda x: generator.route(x, key=key, training=True).values, autograph=False
        )
        expected = tf.concat([networks[0](latents[:2]), networks[1](latents[2:])], axis=0)
        np.testing.assert_allclose(route(latents), expected, atol=1e-6)

    @staticmethod
    def mixtures(routing, **options):
        options = {"width": 8, "depth": 2, **options}
        return (
            tfgans.MixtureGenerator(
                [
                    tfgans.networks.mlp_generator((2,), latent_dim=2, seed=seed, **options)
                    for seed in range(2)
                ]
            ),
            tfgans.MixtureDiscriminator(
                [
                    tfgans.networks.mlp_discriminator((2,), seed=9 + seed, **options)
                    for seed in range(2)
                ],
                routing=routing,
            ),
        )


class TestEstimates:
    @pytest.mark.parametrize(
        ("cls", "routing", "generator_routing"),
        [
            (tfgans.NonSaturatingGAN, "slices", "slices"),
            pytest.param(tfgans.NonSaturatingGAN, "categorical", "categorical", marks=SLOW),
            pytest.param(tfgans.WGANGP, "slices", "slices", marks=SLOW),
            pytest.param(tfgans.WGANGP, "slices", "all", marks=SLOW),
        ],
    )
    def test_loss_and_gradient_are_those_of_all_pairs(self, cls, routing, generator_routing):
        all_pairs = estimates(pair_of_mixtures("all", cls), 300)
        cheap = estimates(pair_of_mixtures(routing, cls, generator_routing=generator_routing), 2000)
        error = np.sqrt(sum(draws.var(axis=0, ddof=1) / len(draws) for draws in (all_pairs, cheap)))
        deviation = np.abs(cheap.mean(axis=0) - all_pairs.mean(axis=0)) / (error + 1e-6)
        # About 60 values: the largest of as many normal deviates is under 4.5 almost always.
        assert deviation.max() < 4.5
        assert (error < 0.2 * np.abs(all_pairs.mean(axis=0)).max()).all()

    def test_all_is_the_double_sum_over_pairs(self):
        model = pair_of_mixtures("all", tfgans.WGANGP)
        key = random.key(3)
        real = random.normal([7, 2], key)
        stream = Stream(key)
        fake = model.generate(7, stream=stream, training=True)
        loss, _ = model.discriminator_loss(real, fake, stream=stream, training=True)
        loss -= model.discriminator.entropy_term()
        total = 0.0
        fakes = tf.split(fake.values, 3)
        penalty_key = random.fold(key, Role.PENALTY)
        # The penalty's points are drawn for all rows at once.
        for j, judge in enumerate(model.discriminator.components):
            all_values = model.penalty(judge, tf.tile(real, [3, 1]), fake.values, key=penalty_key)
            for i, made in enumerate(fakes):
                payoff = tf.reduce_mean(judge(made)) - tf.reduce_mean(judge(real))
                payoff += 10.0 * tf.reduce_mean(tf.split(all_values, 3)[i])
                total += (
                    model.generator.probabilities[i] * model.discriminator.probabilities[j]
                ) * payoff
        np.testing.assert_allclose(loss, total, rtol=1e-5)

    def test_pairs_of_a_relativistic_game_count_as_their_fakes(self):
        mixture = pair_of_mixtures("slices", tfgans.NonSaturatingGAN).generator
        judge = tfgans.networks.mlp_discriminator((2,), width=4, depth=1, seed=7)
        model = tfgans.R3GAN(mixture, judge, gamma=0.0)
        real, stream = random.normal([6, 2], random.key(3)), Stream(random.key(4))
        fake = model.generate(6, stream=stream, training=True)
        loss, _ = model.discriminator_loss(real, fake, stream=stream, training=True)
        terms = tf.nn.softplus(judge(fake.values) - judge(real))
        np.testing.assert_allclose(loss, tf.reduce_mean(fake.weights * terms), rtol=1e-5)
        assert np.ptp(fake.weights) > 1

    def test_each_player_has_its_own_entropy_term(self):
        with_term, without = (
            gan(*tiny.mixtures(3, 2, entropy_weight=weight), tfgans.NonSaturatingGAN)
            for weight in (0.5, 0.0)
        )
        real, stream = tf.constant(tiny.digits(8)), Stream(random.key(0))
        fake = with_term.generate(8, stream=stream, training=False)
        for name, k in (("discriminator_loss", 2), ("generator_loss", 3)):
            loss, other_loss = (
                getattr(model, name)(real, fake, stream=stream, training=False)[0]
                for model in (with_term, without)
            )
            np.testing.assert_allclose(loss - other_loss, 0.5 * np.log(k), rtol=1e-5)


class TestTraining:
    @pytest.mark.filterwarnings("ignore:The generator has no trainable variables")
    def test_frozen_players_and_those_of_rate_zero_keep_their_weights(self):
        generators, discriminators = tiny.mixtures(3, 2)
        generators.trainable = False
        slow = tiny.mixtures(1, 3, weight_learning_rate=0)[1]
        slow.set_probabilities([0.5, 0.3, 0.2])
        model = train(gan(generators, discriminators), 1)
        np.testing.assert_allclose(model.generator.probabilities, 1 / 3, rtol=1e-6)
        assert not np.allclose(model.discriminator.probabilities, 1 / 2, atol=1e-7)
        before = slow.log_weights.numpy()
        model = train(gan(tiny.generator(), slow), 1)
        np.testing.assert_array_equal(model.discriminator.log_weights, before)
        # An evaluation may have batches that are smaller than the mixture.
        result = model.evaluate(tiny.digits(17), batch_size=16, return_dict=True, verbose=0)
        assert all(np.isfinite(value) for value in result.values())

    def test_the_weights_of_frozen_components_learn(self):
        generators, discriminators = tiny.mixtures(2, 2)
        for component in generators.components:
            component.trainable = False
        model = train(gan(generators, discriminators), 1)
        assert not np.allclose(model.generator.probabilities, 1 / 2, atol=1e-7)

    def test_a_component_that_is_frozen_in_the_mixture_keeps_its_weights(self):
        model = pair_of_mixtures("slices", tfgans.NonSaturatingGAN)
        frozen = model.generator.components[0]
        frozen.trainable = False
        model.compile(run_eagerly=True)
        before = [component.get_weights() for component in model.generator.components]
        model.train_on_batch(np.ones((12, 2), "float32"))
        for component, weights in zip(model.generator.components, before, strict=True):
            pairs = zip(component.get_weights(), weights, strict=True)
            same = all(np.array_equal(*pair) for pair in pairs)
            assert same == (component is frozen)

    @pytest.mark.parametrize(
        "optimizer",
        [
            keras.optimizers.SGD(0.0),
            keras.optimizers.SGD(0.0, loss_scale_factor=1024.0),
            # Grows at every step: the scale after `apply` is twice that of the gradients.
            keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(0.0), initial_scale=2.0**15, dynamic_growth_steps=1
            ),
        ],
        ids=["plain", "factor", "scaled"],
    )
    def test_step_of_the_weights_does_not_know_the_loss_scale(self, optimizer):
        mixture = tiny.mixtures(2, 1, weight_learning_rate=1.0, entropy_weight=0)[0]
        player = players.GeneratorPlayer(mixture)
        player.compile(optimizers.prepare(optimizer, mixture), accumulate_steps=1)

        def loss():
            weights = [tf.reduce_sum(v.value) for v in mixture.trainable_variables]
            return tf.exp(mixture.log_probabilities())[0] + 0.0 * tf.add_n(weights), tf.zeros([])

        player.minimize(loss)
        np.testing.assert_allclose(mixture.probabilities, [0.2689414, 0.7310586], atol=1e-6)

    def test_sampling_pins_and_tells_components(self):
        model = train(gan(*tiny.mixtures(3, 1), ema=0.5), 1)
        samples, drawn = model.sample(40, seed=3), model.sample_components(40, seed=3)
        np.testing.assert_allclose(model.sample(40, seed=3, batch_size=7), samples, atol=1e-6)
        assert not np.allclose(model.sample(7), model.sample(7))
        assert set(drawn) == {0, 1, 2}
        for index in range(3):
            pinned = model.sample(40, seed=3, component=index)
            np.testing.assert_allclose(pinned[drawn == index], samples[drawn == index], atol=1e-6)

    def test_a_model_of_half_precision_does_not_round_the_latents_of_its_generator(self):
        """Their bits decide which component makes an example."""
        keras.config.set_dtype_policy("mixed_float16")
        mixture = tfgans.MixtureGenerator(
            [tiny.generator(seed=seed, normalization=False) for seed in range(3)]
        )
        model = tfgans.NonSaturatingGAN(mixture, tiny.discriminator())
        latents = random.normal([32, 4], random.key(0))
        np.testing.assert_array_equal(model(latents), mixture(latents))

    @SLOW
    def test_two_replicas_hold_the_same_weights(self):
        strategy = tiny.replicas(2)
        with strategy.scope():
            graph = {"run_eagerly": False}
            model = gan(*tiny.mixtures(3, 2, normalization=False), execution=graph)
        model.fit(tiny.digits(), batch_size=16, steps_per_epoch=2, verbose=0)
        for network in (model.generator, model.discriminator):
            for variable in [network.log_weights, *network.trainable_variables]:
                np.testing.assert_array_equal(*(copy.numpy() for copy in variable.value.values))
        assert model.generator.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_a_component_with_an_embedding_and_no_examples_stays():
    """Its gradient is sparse, or there is none, and that is no example either."""
    mixture = tfgans.MixtureGenerator(
        [tiny.conditional_generator(seed=seed) for seed in (1, 2)],
        routing="categorical",
        weight_learning_rate=0,
    )
    model = tfgans.NonSaturatingGAN(mixture, tiny.conditional_discriminator(), num_classes=10)
    model.compile()
    tiny.train(model, 2)  # Adam has something to remember.
    mixture.set_probabilities([1 - 1e-9, 1e-9])
    before = [component.get_weights() for component in mixture.components]
    slots = [variable.numpy() for variable in model.generator_optimizer.variables]
    tiny.train(model, 2)
    after = [component.get_weights() for component in mixture.components]
    assert any(not np.array_equal(*pair) for pair in zip(before[0], after[0], strict=True))
    for weight, twin in zip(before[1], after[1], strict=True):
        np.testing.assert_array_equal(weight, twin)
    unchanged = [
        np.array_equal(variable.numpy(), slot)
        for variable, slot in zip(model.generator_optimizer.variables, slots, strict=True)
    ]
    # The learning rate, and two slots for each variable of the idle component.
    assert sum(unchanged) == 1 + 2 * len(mixture.components[1].trainable_variables)


class TestPersistence:
    @COMBINATIONS
    def test_all_weights_move_and_a_loaded_model_trains_on_to_the_same_bits(
        self, routing, weight_update, tmp_path
    ):
        options = {"routing": routing, "weight_update": weight_update}
        undisturbed = gan(*tiny.mixtures(2, 2, **options), ema=0.9)
        before = [variable.numpy() for variable in undisturbed.variables]
        train(undisturbed, 1)
        trained = {
            id(variable)
            for network in (undisturbed.generator, undisturbed.discriminator)
            for variable in [*network.trainable_variables, network.log_weights]
        }
        for variable, old in zip(undisturbed.variables, before, strict=True):
            if id(variable) in trained:
                assert not np.array_equal(variable.numpy(), old), variable.path
        for network in (undisturbed.generator, undisturbed.discriminator):
            assert network.probabilities.sum() == pytest.approx(1, abs=1e-6)
        undisturbed.save(tmp_path / "gan.keras")
        train(undisturbed, 1)
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        assert loaded.generator.settings() == undisturbed.generator.settings()
        tiny.assert_same_state(train(loaded, 1), undisturbed)

    @SLOW
    def test_compiled_by_xla(self):
        plain, compiled = (
            train(gan(*tiny.mixtures(2, 2), execution={"jit_compile": jit}), 2)
            for jit in (False, True)
        )
        for weight, twin in zip(plain.weights, compiled.weights, strict=True):
            np.testing.assert_allclose(weight.numpy(), twin.numpy(), atol=2e-3)
        latents = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
        expected = compiled(latents)
        np.testing.assert_allclose(compiled.predict(latents, verbose=0), expected, atol=1e-5)
        compiled.evaluate(tiny.digits(32), verbose=0)


def wrapped(generators):
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Rescaling(1.0)(generators(inputs)))


def with_sigmoid():
    head = keras.layers.Dense(1, activation="sigmoid")
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), head])
    return tfgans.MixtureDiscriminator([tiny.discriminator(), network])


def with_batch_statistics():
    return tfgans.MixtureDiscriminator.from_builder(
        lambda: tfgans.networks.mlp_discriminator((8, 8, 1), width=4, normalization="batch"), 2
    )


class WithoutWeights(tfgans.NonSaturatingGAN):
    """Its generator's loss is the mean over all fakes, whatever made them."""

    def generator_loss(self, real, fake, labels=None, **options):
        loss = -tf.reduce_mean(self.discriminator(fake.values))
        return loss, {"generator_loss": loss}


class OfRows(tfgans.NonSaturatingGAN):
    """Its terms are [rows], which weights [rows, 1] would broadcast to [rows, rows]."""

    def generator_loss(self, real, fake, labels=None, **options):
        loss = fake.with_values(-self.discriminator(fake.values)[:, 0]).mean()
        return loss, {"generator_loss": loss}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: train(gan(*tiny.mixtures(2, 1), WithoutWeights), 1),
            "loss of a mixture must depend on its weights.*'mixture_generator.*Weighted.mean",
        ),
        (
            lambda: train(gan(*tiny.mixtures(2, 1), OfRows), 1),
            r"of values \[rows, columns\]. Received: values of shape \(17,\)",
        ),
        (
            lambda: gan(*tiny.mixtures(3, 1)).fit(tiny.digits(), batch_size=2, verbose=0),
            "3 components.*Received: a batch of 2",
        ),
        (
            lambda: gan(*tiny.mixtures(routing="categorical"), execution={"jit_compile": True}),
            "'categorical'.*Received: jit_compile=True",
        ),
        (
            lambda: gan(*tiny.mixtures(3, 1)).sample(2, seed=0, component=3),
            "`component` must be.*Received: 3",
        ),
        (lambda: tiny.gan().sample(2, seed=0, component=1), "the generator has 1 component"),
        (
            lambda: gan(wrapped(tiny.mixtures(2, 1)[0]), tiny.discriminator()),
            "`tfgans.MixtureGenerator` itself",
        ),
        (
            lambda: gan(tiny.generator(), tiny.mixtures(2, 1)[0]),
            "`tfgans.MixtureDiscriminator` itself",
        ),
        (lambda: tfgans.WGANGP(tiny.generator(), with_sigmoid()), "before any sigmoid"),
        (lambda: tfgans.WGANGP(tiny.generator(), with_batch_statistics()), "BatchNormalization"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_categorical_routing_refuses_gradients_that_wait():
    gan = tfgans.NonSaturatingGAN(*tiny.mixtures(2, 2, routing="categorical"))
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps=2\. Use `accumulate_steps`"):
        gan.compile(keras.optimizers.Adam(gradient_accumulation_steps=2), "adam")
    assert not gan.compiled
