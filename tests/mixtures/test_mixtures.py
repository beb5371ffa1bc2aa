"""Mixture weights in closed form, routing by counting, and components that do not fit."""

import copy

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tiny
from tiny import constants

import tfgans
from tfgans import random
from tfgans.mixtures import MixtureDiscriminator, MixtureGenerator, routing

KEY = random.key(0)


def points(k=2, **options):
    return MixtureGenerator.from_builder(
        lambda: tfgans.networks.mlp_generator((2,), latent_dim=3, width=4), k, **options
    )


class TestWeights:
    def test_step_through_the_softmax_is_the_same_step(self):
        mixture = constants([0, 1, 2], weight_learning_rate=0.3)
        mixture.set_probabilities([0.2, 0.3, 0.5])
        slope = tf.constant([0.3, -1.0, 2.0])
        expected = np.array([0.2, 0.3, 0.5]) * np.exp(-0.3 * slope.numpy())
        expected /= expected.sum()
        with tf.GradientTape() as tape:
            tape.watch(mixture.log_weights.value)
            loss = tf.reduce_sum(tf.exp(mixture.log_probabilities()) * slope)
        mixture.update_weights(tape.gradient(loss, mixture.log_weights.value))
        np.testing.assert_allclose(mixture.probabilities, expected, rtol=1e-5)

    def test_a_weight_near_zero_is_not_thrown_about(self):
        mixture = constants([0, 1, 2])
        mixture.set_probabilities([0.5, 0.5 - 1e-9, 1e-9])
        for _ in range(5):
            with tf.GradientTape() as tape:
                tape.watch(mixture.log_weights.value)
                loss = mixture.entropy_term()
            mixture.update_weights(tape.gradient(loss, mixture.log_weights.value))
        # It rises by e in each of five steps; the others stay where they are.
        np.testing.assert_allclose(mixture.probabilities, [0.5, 0.5, 1e-9 * np.exp(5)], rtol=1e-3)

    def test_a_weight_of_zero_does_not_stop_the_others(self):
        mixture = constants([0, 1, 2], entropy_weight=0, weight_learning_rate=0.1)
        mixture.log_weights.assign([-200.0, np.log(0.5), np.log(0.5)])
        with tf.GradientTape() as tape:
            tape.watch(mixture.log_weights.value)
            loss = tf.reduce_sum(tf.exp(mixture.log_probabilities()) * [0.0, 5.0, -5.0])
        mixture.update_weights(tape.gradient(loss, mixture.log_weights.value))
        expected = np.exp(0.5) / (np.exp(0.5) + np.exp(-0.5))
        np.testing.assert_allclose(mixture.probabilities, [0, 1 - expected, expected], atol=1e-6)

    def test_weights_that_are_not_finite_are_not_taken(self):
        mixture = constants([0, 1])
        mixture.update_weights(tf.constant([np.nan, 0.0]))
        np.testing.assert_allclose(mixture.probabilities, [0.5, 0.5], rtol=1e-6)

    @pytest.mark.parametrize(("k", "value"), [(2, 0.6931472), (3, 1.0986123), (5, 1.6094379)])
    def test_entropy_term_is_log_k_at_uniform_and_larger_elsewhere(self, k, value):
        mixture = constants(range(k), entropy_weight=1.0)
        np.testing.assert_allclose(mixture.probabilities, np.full(k, 1 / k), 1e-6)
        assert float(mixture.entropy_term()) == pytest.approx(value, abs=1e-6)
        mixture.set_probabilities([0.5, *[0.5 / (k - 1)] * (k - 1)] if k > 2 else [0.6, 0.4])
        assert float(mixture.entropy_term()) > value

    @pytest.mark.parametrize("weight_update", ["exponentiated_gradient", "softmax"])
    def test_frozen_payoffs_lead_to_the_optimum_of_the_simplex(self, weight_update):
        losses, expected = [0, 1, 1, 1, 1], [0.9217, *[0.0196] * 4]
        rate = {"weight_learning_rate": 0.1} if weight_update != "softmax" else {}
        mixture = constants(losses, entropy_weight=0.1, weight_update=weight_update, **rate)
        adam = keras.optimizers.Adam(0.02)

        @tf.function(autograph=False)
        def step():
            with tf.GradientTape() as tape:
                tape.watch(mixture.log_weights.value)
                loss = tf.reduce_sum(tf.exp(mixture.log_probabilities()) * losses)
                loss += mixture.entropy_term()
            gradient = tape.gradient(loss, mixture.log_weights.value)
            if weight_update == "softmax":
                adam.apply([gradient], [mixture.log_weights])
            else:
                mixture.update_weights(gradient)

        for _ in range(1500):
            step()
        np.testing.assert_allclose(mixture.probabilities, expected, atol=2e-3)


class TestSlices:
    @pytest.mark.parametrize("rows", [5, 6, 7, 64])
    def test_sizes_cover_the_batch_and_differ_by_one(self, rows):
        sizes = routing.slice_sizes(rows, 5)
        assert sum(sizes) == rows
        assert max(sizes) - min(sizes) <= 1
        assert [int(size) for size in routing.slice_sizes(tf.constant(rows), 5)] == sizes

    def test_more_components_than_rows_are_refused(self):
        with pytest.raises(ValueError, match=r"5 components.*Received: a batch of 4"):
            routing.slice_sizes(4, 5)
        with pytest.raises(tf.errors.InvalidArgumentError, match="at least one example"):
            routing.slice_sizes(tf.constant(4), 5)

    @pytest.mark.parametrize("rows", [8, 10])
    def test_mean_over_the_batch_is_the_mean_over_the_mixture(self, rows):
        mixture = constants([1.0, 10.0, 100.0, 1000.0])
        mixture.set_probabilities([0.4, 0.3, 0.2, 0.1])
        examples, weights, _ = mixture.route(tf.zeros([rows, 2]), key=KEY, training=True)
        assert examples.shape == (rows, 1)
        assert float(tf.reduce_mean(examples * weights)) == pytest.approx(123.4, rel=1e-6)
        if rows == 8:
            np.testing.assert_allclose(weights[::2, 0], 4 * mixture.probabilities, rtol=1e-6)

    @pytest.mark.parametrize(("rows", "k"), [(8, 4), (10, 4), (7, 7), (12, 5)])
    def test_each_row_is_in_each_slice_by_its_share(self, rows, k):
        counts = np.zeros((rows, k))
        borders = np.cumsum(routing.slice_sizes(rows, k))
        for shift in range(rows):
            order = routing.assignment_order(rows, k, tf.constant(shift)).numpy()
            assert sorted(order) == list(range(rows))
            counts[order, np.searchsorted(borders, np.arange(rows), side="right")] += 1
        np.testing.assert_array_equal(counts, np.tile(routing.slice_sizes(rows, k), (rows, 1)))

    def test_assignment_spreads_the_generators_over_the_discriminators(self):
        order = routing.assignment_order(16, 4, tf.constant(5)).numpy()
        pairs = np.bincount(order // 4 * 4 + np.arange(16) // 4, minlength=16)
        np.testing.assert_array_equal(pairs, np.ones(16))


class TestCategorical:
    def test_counts_follow_the_weights(self):
        mixture = constants([0, 1, 2, 3])
        weights = [0.4, 0.3, 0.2, 0.1]
        mixture.set_probabilities(weights)
        keys = np.stack([np.full(2000, 5), np.arange(2000)], axis=1)
        for drawn in (
            tf.function(mixture.draw_components, autograph=False)(keys),
            mixture(random.normal([2000, 2], KEY))[:, 0],
            mixture.route(tf.zeros([2000, 2]), key=KEY, training=False)[0][:, 0],
        ):
            counts = np.bincount(np.asarray(drawn).astype(int), minlength=4)
            expected = 2000 * np.array(weights)
            assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3

    def test_gradient_to_the_weights(self):
        mixture = constants([1.0, 3.0], routing="categorical")
        with tf.GradientTape() as tape:
            tape.watch(mixture.log_weights.value)
            examples, weights, _ = mixture.route(tf.zeros([4000, 2]), key=KEY, training=True)
            loss = tf.reduce_mean(examples * weights)
        gradient = tape.gradient(loss, mixture.log_weights.value)
        np.testing.assert_allclose(weights, np.ones((4000, 1)))
        # d(w . l)/d logits = w_i (l_i - w . l) = (-.5, .5).
        np.testing.assert_allclose(gradient, [-0.5, 0.5], atol=0.05)

    def test_a_component_without_rows_keeps_its_statistics(self):
        mixture = MixtureGenerator(
            [tiny.generator(seed=seed) for seed in (1, 2, 3)], routing="categorical"
        )
        before = mixture.components[2].get_weights()
        mixture.set_probabilities([0.5, 0.5 - 1e-9, 1e-9])
        mixture.route(random.normal([8, 4], KEY), key=KEY, training=True)
        for weight, twin in zip(before, mixture.components[2].get_weights(), strict=True):
            np.testing.assert_array_equal(weight, twin)
        assert all(np.isfinite(weight).all() for weight in mixture.get_weights())


class TestInference:
    def test_seed_decides_which_component_a_latent_goes_to(self):
        latents = random.normal([64, 2], KEY)
        first, same, other = (constants([0, 1], seed=seed)(latents).numpy() for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, same)
        assert 10 < np.count_nonzero(first != other) < 54

    def test_component_pins(self):
        mixture = points(3)
        latents = random.normal([5, 3], KEY)
        for index, component in enumerate(mixture.components):
            for pin in (index, np.int64(index), tf.constant(index), [index] * 5):
                np.testing.assert_allclose(
                    mixture(latents, component=pin), component(latents), atol=1e-6
                )
        rows = tf.constant([2, 0, 1, 1, 2])
        expected = [mixture.components[i](latents)[row] for row, i in enumerate(rows.numpy())]
        np.testing.assert_allclose(mixture(latents, component=rows), expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("component", "message"),
        [
            (-1, "from 0 to 1.*Received: -1"),
            (2, "from 0 to 1.*Received: 2"),
            (tf.constant([0, 2]), "from 0 to 1"),
            ([-1, 1], "from 0 to 1"),
            (0.5, "an integer, or an integer for each latent"),
            ([0, 1, 1], "an integer, or an integer for each latent"),
            ([[0], [1]], "an integer, or an integer for each latent"),
        ],
    )
    def test_bad_components(self, component, message):
        with pytest.raises(ValueError, match=message):
            points(2)(tf.zeros([2, 3]), component=component)

    def test_every_discriminator_judges_every_example(self):
        mixture = MixtureDiscriminator([tiny.discriminator(seed=seed) for seed in (1, 2, 3)])
        images = tiny.digits(5)
        logits = mixture(images)
        assert logits.shape == (5, 3)
        for index, component in enumerate(mixture.components):
            np.testing.assert_allclose(logits[:, index : index + 1], component(images), atol=1e-6)


class TestInAKerasModel:
    """A mixture as a layer of a functional model, without a GAN."""

    def model(self):
        latents = keras.Input((3,))
        model = keras.Model(latents, keras.layers.Dense(1)(points()(latents)))
        model.compile("sgd", "mse")
        return model

    def data(self):
        return random.normal([64, 3], KEY).numpy(), np.ones([64, 1], np.float32)

    def test_fit_trains_each_component_on_its_latents_and_keeps_the_weights(self):
        model = self.model()
        mixture = model.layers[1]
        mixture.set_probabilities([0.999999, 0.000001])
        before = [component.get_weights() for component in mixture.components]
        latents, targets = self.data()
        losses = model.fit(latents, targets, epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        after = [component.get_weights() for component in mixture.components]
        assert not all(map(np.array_equal, before[0], after[0]))
        for weight, same in zip(before[1], after[1], strict=True):  # Its latents never come.
            np.testing.assert_array_equal(weight, same)
        np.testing.assert_allclose(mixture.probabilities, [0.999999, 0.000001], rtol=1e-2)

    def test_cloned_and_exported(self, tmp_path):
        model = self.model()
        latents, _ = self.data()
        expected = model(latents)
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(clone(latents), expected)
        model.export(tmp_path / "exported", verbose=False)
        exported = tf.saved_model.load(tmp_path / "exported")
        np.testing.assert_allclose(exported.serve(latents), expected, atol=1e-6)

    def test_hdf5_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"saved to a `.keras` file.*save_weights"):
            self.model().save(tmp_path / "model.h5")

    def test_training_under_xla_is_refused(self):
        model = self.model()
        model.compile("sgd", "mse", jit_compile=True)
        with pytest.raises(
            ValueError, match=r"which XLA cannot compile.*Train without XLA, or pass"
        ):
            model.fit(*self.data(), verbose=0)


@pytest.mark.parametrize("routing", ["slices", "all", "categorical"])
def test_components_may_compute_in_different_precision(routing):
    def components(units):
        return [
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, dtype=policy)])
            for policy in ("float32", "mixed_float16")
        ]

    generators, judges = components(3), components(1)
    latents = random.normal([4, 2], KEY)
    examples = MixtureGenerator(generators, routing=routing).route(latents, key=KEY, training=True)
    assert examples.values.dtype == tf.float32
    mixture = MixtureDiscriminator(judges, routing=routing)
    logits = [tf.cast(judge(latents), tf.float32) for judge in judges]
    np.testing.assert_array_equal(mixture(latents), tf.concat(logits, axis=1))
    assert mixture.route(latents, key=KEY, training=True).values.dtype == tf.float32


def shared():
    network = tiny.generator()
    return network, keras.Sequential([keras.Input((4,)), network])


def mixture_inside():
    inner = keras.Input((2,))
    return keras.Model(inner, constants([0])(inner))


def dense(*last, size=3):
    return keras.Sequential([keras.Input((*last, size)), keras.layers.Dense(2)])


def two_inputs():
    inputs = [keras.Input((3,)), keras.Input((2,))]
    return keras.Model(inputs, keras.layers.Concatenate()(inputs))


def built_layer():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    return layer


def mlp(size):
    return tfgans.networks.mlp_generator((size,), latent_dim=2, width=4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [], "at least one component"),
        (lambda: [tiny.generator()] * 2, "components 0 and 1 .*share"),
        (shared, "components 0 and 1 .*share them"),
        (
            lambda: [tiny.generator(), tiny.generator(latent_dim=5)],
            r"input shape.*\(4,\).*component 1 .*\(5,\)",
        ),
        (lambda: [mlp(2), mlp(3)], r"output shape.*\(2,\).*component 1 .*\(3,\)"),
        (
            lambda: [tiny.generator(), tiny.conditional_generator()],
            "Either all components take labels",
        ),
        (lambda: [tiny.generator(), 3], "component 1 is 3"),
        (lambda: [two_inputs()], r"one input tensor.*Concatenate several inputs .*labels"),
        (lambda: [built_layer()], "component 0 is <Dense.*Put a layer into a `keras.Sequential`"),
        (lambda: [constants([0])], "no mixture"),
        (lambda: [mixture_inside()], "no mixture"),
        (tiny.generator, "must be a list"),
        (lambda: [dense(None)], r"fixed shape but for the batch.*\(None, None, 3\)"),
        (lambda: [keras.Sequential([keras.layers.Dense(2)])], "index 0 must be built"),
    ],
)
def test_bad_generators(make, message):
    with pytest.raises(ValueError, match=message):
        MixtureGenerator(make())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MixtureDiscriminator([dense()]), r"one logit per example.*\(None, 2\)"),
        (lambda: points(routing="random"), "`routing` must be one of.*'slices'.*'random'"),
        (lambda: points(weight_update="adam"), "`weight_update` must be one of.*'adam'"),
        (lambda: points(entropy_weight=-1), "`entropy_weight` must be.*-1"),
        (lambda: points(weight_learning_rate=float("nan")), "`weight_learning_rate`.*nan"),
        (lambda: points(seed=0.5), "`seed` must be an integer.*0.5"),
        (
            # Of the default too.
            lambda: points(weight_update="softmax", weight_learning_rate=0.01),
            "the player's optimizer moves the weights.*0.01",
        ),
        (lambda: points(trainable="no"), "`trainable` must be True or False.*'no'"),
        (
            lambda: MixtureGenerator.from_builder(mlp(2), 2),
            "`builder` must be a function.*Received: <Functional.*Pass say",
        ),
        (lambda: MixtureGenerator.from_builder(lambda: 3, 2), "component 0 is 3"),
        (lambda: points().update_weights(None), r"Received: None. Call `tape.watch"),
        (lambda: points()(np.ones((2, 5), "float32")), r"'latents'.*\(None, 3\), found.*2, 5"),
        (
            lambda: MixtureGenerator([tiny.conditional_generator(seed=s) for s in (1, 2)])(
                [np.ones((2, 5), "float32"), np.ones(2, "int32")]
            ),
            r"expected shape=\(None, 4\), found.*2, 5",
        ),
        *(
            (
                lambda weights=weights: constants([0, 1]).set_probabilities(weights),
                f"`probabilities` must {message}",
            )
            for weights, message in [
                ([0.5, 0.6], "be probabilities"),
                ([1.0], "have shape"),
                ([1.5, -0.5], "be probabilities"),
                ([1.0, 0.0], "be above 0"),
                ([np.nan, 0.5], "be probabilities"),
            ]
        ),
    ],
)
def test_bad_options(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_rate_of_the_weights_is_of_exponentiated_gradient():
    for update, rate in (("exponentiated_gradient", 0.01), ("softmax", None)):
        mixture = points(weight_update=update)
        for same in (mixture, type(mixture).from_config(mixture.get_config())):
            assert same.weight_learning_rate == rate


def test_a_frozen_mixture_stays_frozen(tmp_path):
    mixture = points()
    assert mixture.trainable_variables
    mixture.trainable = False
    mixture.save(tmp_path / "mixture.keras")
    for same in (
        points(trainable=False),
        type(mixture).from_config(mixture.get_config()),
        copy.deepcopy(mixture),
        keras.models.clone_model(mixture),
        keras.saving.load_model(tmp_path / "mixture.keras"),
        mixture.take_components([1, 1]),
    ):
        assert not any(network.trainable for network in (same, *same.components))
        same.trainable = True
        assert len(same.trainable_variables) == len(mixture.variables) - 1  # `log_weights`.


def test_components_of_a_network():
    mixture = points()
    assert tfgans.mixtures.components_of(mixture) == mixture.components
    (component,) = mixture.components[:1]
    assert tfgans.mixtures.components_of(component) == [component]


def test_equal_first_weights_are_noticed():
    with pytest.warns(UserWarning, match="Components 0 and 1 start with equal weights"):
        MixtureGenerator.from_builder(
            lambda: tfgans.networks.mlp_generator((2,), width=4, seed=3), 2
        )
