"""What a Keras user does with a model, and what a GAN does then."""

import copy
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans

layers, callbacks, schedules = keras.layers, keras.callbacks, keras.optimizers.schedules
PLAYERS = ("generator", "discriminator")


def plain(**options):
    # Eagerly, since a few steps take less time than their graph.
    return tiny.gan(tfgans.NonSaturatingGAN, **{"run_eagerly": True, **options})


@pytest.fixture(scope="module")
def untrained():
    """For what is refused before anything is changed."""
    return tiny.gan()


def train(gan, *used, epochs=1, steps=2, **options):
    return gan.fit(
        tiny.digits(64),
        batch_size=16,
        epochs=epochs,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=[*used],
        **options,
    )


class TestLearningRates:
    def test_scheduler_moves_both(self):
        gan = plain(compiled=False)
        assert gan.optimizer is None
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.4), run_eagerly=True)
        scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        history = train(gan, scheduler, epochs=2, steps=1)
        optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
        rates = [float(optimizer.learning_rate) for optimizer in optimizers]
        np.testing.assert_allclose(rates, [0.025, 0.1], rtol=1e-6)
        np.testing.assert_allclose(history.history["learning_rate"], [0.05, 0.025], rtol=1e-6)

    def test_both_are_not_set_in_a_compiled_function(self):
        rates = plain().optimizer
        with pytest.raises(ValueError, match=r"inside a compiled function\. Assign"):
            tf.function(lambda: rates.learning_rate.assign(0.5))()

    @pytest.mark.parametrize(
        "change",
        [
            lambda rates, rate: setattr(rates, "learning_rate", rate),
            lambda rates, rate: rates.learning_rate.assign(rate),
            lambda rates, rate: rates.learning_rate.assign_sub(rates.learning_rate - rate),
        ],
        ids=["set", "assign", "assign_sub"],
    )
    def test_a_warm_up_from_zero_keeps_the_ratio(self, change):
        gan = plain(compiled=False)
        gan.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(4e-4))
        for rate in (0.0, 0.0, 5e-5):
            change(gan.optimizer, rate)
        pair = (gan.generator_optimizer, gan.discriminator_optimizer)
        rates = [float(optimizer.learning_rate) for optimizer in pair]
        np.testing.assert_allclose(rates, [5e-5, 2e-4], rtol=1e-6)
        assert float(gan.optimizer.learning_rate) == rates[0]

    @pytest.mark.parametrize("name", ["lr", "beta_1"])
    def test_other_attributes_cannot_be_set(self, untrained, name):
        with pytest.raises(AttributeError, match=name):
            setattr(untrained.optimizer, name, 0.5)

    @pytest.mark.parametrize(
        "callback",
        [
            callbacks.LearningRateScheduler(lambda epoch: 0.1),
            callbacks.ReduceLROnPlateau(monitor="generator_loss", mode="min"),
        ],
        ids=lambda callback: type(callback).__name__,
    )
    def test_a_schedule_leaves_callbacks_nothing_to_set(self, callback):
        gan = plain(compiled=False)
        gan.compile("adam", keras.optimizers.Adam(schedules.CosineDecay(1e-3, 10)))
        with pytest.raises(ValueError, match=f"{type(callback).__name__}.*schedule"):
            train(gan, callback)
        assert gan.step == 0

    def test_a_function_is_refused_when_compiled(self):
        def local():
            return 1e-4

        gan = plain(compiled=False)
        for rate in (lambda: 1e-4, local):
            adam = keras.optimizers.Adam(rate)
            for optimizer in (adam, keras.optimizers.LossScaleOptimizer(adam)):
                with pytest.raises(ValueError, match=r"number or .*'(__lambda__|function)'"):
                    gan.compile(optimizer)


class TestCallbacks:
    @pytest.mark.parametrize(
        ("callback", "instead"),
        [
            (callbacks.SwapEMAWeights(), "ema="),
            (callbacks.TerminateOnNaN(), "StopOnNaN"),
            (callbacks.EarlyStopping(), "generator_loss"),
            (callbacks.EarlyStopping("penalty"), "mode='min'"),
            (callbacks.EarlyStopping("val_penalty", mode="min"), "validation_data"),
            (callbacks.ReduceLROnPlateau(), "generator_loss"),
            (callbacks.ModelCheckpoint("x.h5"), r"x\.keras"),
            (callbacks.ModelCheckpoint("x.keras", save_best_only=True), "generator_loss"),
            (callbacks.ModelCheckpoint("x.keras", "generator_loss"), "mode='min'"),
            # A score of an `Evaluation`.
            (callbacks.EarlyStopping("frechet_distance[identity]"), "mode='min'"),
            # Keras would begin the epoch anew with the weights from its middle.
            (callbacks.BackupAndRestore("x", save_freq=1), r"tfgans\.callbacks\.Backup"),
        ],
    )
    def test_refused_before_training(self, untrained, callback, instead, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match=instead):
            train(untrained, callback)
        assert untrained.step == 0
        assert not list(tmp_path.iterdir())

    def test_refused_in_evaluation_too(self, untrained):
        with pytest.raises(ValueError, match="SwapEMAWeights"):
            untrained.evaluate(tiny.digits(16), callbacks=[callbacks.SwapEMAWeights()], verbose=0)

    def test_killed_and_rerun_equals_uninterrupted(self, tmp_path):
        """Weights, optimizers and data go on where the backup was made."""

        class KilledError(Exception):
            pass

        epochs = []

        def kill(epoch, logs=None):
            epochs.append(epoch)
            if len(epochs) == 2:
                raise KilledError

        def run(*used):
            generator, discriminator = networks()
            discriminator = keras.Sequential([layers.Dropout(0.3), discriminator])
            discriminator.build((None, 8, 8, 1))
            gan = tfgans.NonSaturatingGAN(generator, discriminator, ema=0.9)
            gan.compile(run_eagerly=True)
            # Three of the four batches of a pass: an epoch ends inside a pass.
            train(gan, *used, epochs=2, steps=3)
            return gan

        used = [
            callbacks.BackupAndRestore(tmp_path / "backup"),
            callbacks.LambdaCallback(on_epoch_begin=kill),
        ]
        with pytest.raises(KilledError):
            run(*used)
        rerun = run(*used)
        assert epochs == [0, 1, 1]
        tiny.assert_same_state(rerun, run())

    def test_early_stopping_and_a_log_with_validation_data(self, tmp_path):
        stop = callbacks.EarlyStopping("val_discriminator_loss", mode="max", min_delta=1e3)
        log = callbacks.CSVLogger(tmp_path / "log.csv")
        options = {"epochs": 5, "steps": 1, "validation_data": tiny.digits(16)}
        history = train(plain(), stop, log, **options)
        assert len(history.epoch) == 2
        header, *rows = (tmp_path / "log.csv").read_text().splitlines()
        assert {"generator_loss", "val_discriminator_loss"} <= set(header.split(","))
        assert len(rows) == 2


def scaled_adam(rate, **options):
    adam = keras.optimizers.Adam(rate, **options)
    return keras.optimizers.LossScaleOptimizer(adam, initial_scale=8.0)


def test_the_average_has_the_constants_of_adapted_layers():
    """Keras computes the constants of `Normalization` from weights, but not in `set_weights`."""
    scale = layers.Normalization(invert=True)
    scale.adapt(np.array([[1.0], [5.0]], "float32"))  # Mean 3, standard deviation 2.
    dense = layers.Dense(1, kernel_initializer="zeros")
    generator = keras.Sequential([keras.Input((4,)), dense, scale])
    discriminator = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    gan = tfgans.NonSaturatingGAN(generator, discriminator, ema=0.9)
    np.testing.assert_allclose(gan.sample(2, seed=1), [[3.0], [3.0]])


class TestAveragingOptimizers:
    """`use_ema` of Keras's optimizers: `fit` ends with the averages in the networks."""

    momentum = 0.75

    def expected(self, gan):
        """Returns the averages of both networks over 2 steps, from the weights after each."""
        seen = {name: [] for name in PLAYERS}

        def look(batch, logs):
            for name, weights in seen.items():
                variables = getattr(gan, name).trainable_variables
                weights.append([variable.numpy() for variable in variables])

        train(gan, callbacks.LambdaCallback(on_train_batch_end=look))
        return {
            # Keras's average starts at the weights after the first update.
            name: [m * first + (1 - m) * second for first, second in zip(*weights, strict=True)]
            for m in [self.momentum]
            for name, weights in seen.items()
        }

    @pytest.mark.parametrize(
        ("optimizer", "weight_update"),
        [
            pytest.param(tfgans.optimizers.FusedAdam, None, marks=pytest.mark.slow),
            (scaled_adam, "exponentiated_gradient"),
            pytest.param(keras.optimizers.Adam, "softmax", marks=pytest.mark.slow),
        ],
    )
    def test_both_networks_end_with_their_averages(self, optimizer, weight_update):
        def gan(**options):
            generator, discriminator = networks()
            if weight_update is not None:
                generators = [generator, networks(seed=2)[0]]
                generator = tfgans.MixtureGenerator(generators, weight_update=weight_update)
            model = tfgans.NonSaturatingGAN(generator, discriminator)
            model.compile(*(optimizer(0.01, **options) for _ in PLAYERS), run_eagerly=True)
            return model

        expected = self.expected(gan())
        averaged = gan(use_ema=True, ema_momentum=self.momentum)
        train(averaged)
        for name, averages in expected.items():
            variables = getattr(averaged, name).trainable_variables
            for variable, average in zip(variables, averages, strict=True):
                np.testing.assert_allclose(variable.numpy(), average, rtol=1e-5, atol=1e-6)


def test_compile_comes_first_and_refuses_the_arguments_of_one_player():
    gan = plain(compiled=False)
    for method in (gan.fit, gan.evaluate, gan.train_on_batch, gan.test_on_batch):
        with pytest.raises(ValueError, match=r"You must call `compile\(\)` before"):
            method(tiny.digits(16))
    instead = "`loss`.*GAN.*`generator_optimizer` and `discriminator_op"
    with pytest.raises(TypeError, match=instead):
        gan.compile(loss="mse")


class TestFiles:
    def test_other_endings_than_keras_write_nothing(self, untrained, tmp_path):
        for name in ("x.h5", "x"):
            with pytest.raises(ValueError, match=r"\.keras"):
                untrained.save(tmp_path / name)
            with pytest.raises(ValueError, match=r"\.weights\.h5"):
                untrained.save_weights(tmp_path / name)
        untrained.sample(2, seed=0)
        with pytest.raises(ValueError, match=r"export\(path\)"):
            tf.saved_model.save(untrained, tmp_path / "saved")
        assert not list(tmp_path.iterdir())
        with pytest.raises(ValueError, match=r"\.keras"):
            keras.saving.save_model(untrained, tmp_path / "x.h5")

    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("x", {"format": "tflite"}, "'tf_saved_model', 'onnx', 'litert'"),
            ("x", {"format": "onnx"}, r"\.onnx"),
            ("x.onnx", {"format": "onnx", "keep": 2}, "apply only to format='tf_saved_model'"),
            ("x.onnx", {"format": "litert"}, r"\.tflite"),
            ("x.onnx", {}, "format='onnx'"),
            ("x.keras", {}, r"`GAN\.save`"),
            ("file", {}, "existing file"),
        ],
    )
    def test_export_that_does_not_match_its_path(self, untrained, name, options, message, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ValueError, match=message):
            untrained.export(tmp_path / name, **options)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


class TestCopies:
    def test_deep_copy_goes_on_to_the_same_bits(self):
        gan = plain(ema=0.9, dropout=0.3)
        tiny.train(gan)
        gan.sample(2, seed=0)
        copied = copy.deepcopy(gan)
        tiny.assert_same_state(copied, gan)
        assert copied.generator is not gan.generator
        for model in (copied, gan):
            tiny.train(model)
        tiny.assert_same_state(copied, gan)

    def test_clone_has_the_config_and_weights_of_its_own(self):
        gan = tiny.gan(penalty_weight=3.0, discriminator_steps=1)
        clone = keras.models.clone_model(gan)
        assert type(clone) is tfgans.WGANGP
        assert clone.penalty == gan.penalty
        assert not {id(v) for v in clone.variables} & {id(v) for v in gan.variables}
        clone.compile(run_eagerly=True)
        tiny.train(clone)
        assert (clone.step, gan.step) == (1, 0)


def test_summary_names_the_average_and_counts_the_optimizers():
    lines = []
    gan = plain(ema=0.9, penalty=None, augmentation=tfgans.augmentation.DiffAugment("color"))
    gan.summary(print_fn=lambda line, **_: lines.append(line), line_length=120)
    count = sum(int(np.prod(variable.shape)) for variable in gan.optimizer.variables)
    assert gan.ema_generator.name == "tiny_generator_average"
    for part in ("tiny_generator_average", "Objective: NonSaturating(", "Augmentation: DiffAug"):
        assert part in "\n".join(lines)
    assert f"{count:,}" in "\n".join(lines)
    assert "NonSaturatingGAN" in repr(gan)
    assert "FusedAdam" in repr(gan.optimizer)


class TestMixturesAsLayers:
    def test_time_distributed(self):
        generator, discriminator = tiny.mixtures(2, 3)
        images = tiny.digits(6).reshape(2, 3, 8, 8, 1)
        over_time = layers.TimeDistributed(discriminator)
        assert over_time.compute_output_shape((2, 3, 8, 8, 1)) == (2, 3, 3)
        judged = over_time(images).numpy()
        np.testing.assert_allclose(
            judged.reshape(6, 3), discriminator(images.reshape(6, 8, 8, 1)), atol=1e-5
        )
        latents = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4)
        over_time = layers.TimeDistributed(generator)
        assert over_time.compute_output_shape((2, 3, 4)) == (2, 3, 8, 8, 1)
        np.testing.assert_allclose(
            np.reshape(over_time(latents), (6, 8, 8, 1)),
            generator(latents.reshape(6, 4)),
            atol=1e-5,
        )
        # And in a functional model.
        inputs = keras.Input((4,))
        outputs = discriminator(generator(inputs))
        assert outputs.shape == (None, 3)
        assert keras.Model(inputs, outputs)(np.zeros((5, 4), "float32")).shape == (5, 3)

    def test_a_mask_reaches_the_components(self):
        def recurrent(seed):
            keras.utils.set_random_seed(seed)
            inputs = keras.Input((5, 2))
            return keras.Model(inputs, layers.Dense(1)(layers.GRU(3)(inputs)))

        mixture = tfgans.MixtureDiscriminator([recurrent(seed) for seed in range(2)])
        series = np.ones((3, 5, 2), "float32")
        series[:, 3:] = 0
        masked = layers.Masking()(series)
        with warnings.catch_warnings():
            # A functional model that takes a mask says that it returns none.
            warnings.filterwarnings("ignore", message=".*was passed an input with a mask")
            expected = [component(masked).numpy() for component in mixture.components]
            judged = mixture(masked).numpy()
        unmasked = mixture(series).numpy()
        np.testing.assert_allclose(judged, np.concatenate(expected, axis=1), atol=1e-6)
        assert not np.allclose(judged, unmasked)


class Charging(layers.Layer):
    """Adds the mean square of its input to the loss, in training alone if told so."""

    def __init__(self, price=0.5, only_in_training=False, **options):
        super().__init__(**options)
        self.price, self.only_in_training = price, only_in_training

    def call(self, inputs, training=False):
        if training or not self.only_in_training:
            self.add_loss(self.price * tf.reduce_mean(tf.square(inputs)))
        return inputs


def networks(*, kernel=None, activity=None, charging=None, player="generator", seed=1):
    """A linear generator and discriminator, one of which adds losses."""
    keras.utils.set_random_seed(seed)

    def network(name, size, out, first, last):
        here = name == player
        dense = layers.Dense(
            out,
            kernel_regularizer=kernel if here else None,
            activity_regularizer=activity if here else None,
            name="dense",
        )
        extra = [charging()] if here and charging is not None else []
        return keras.Sequential([keras.Input(size), *first, dense, *extra, *last], name=name)

    return (
        network("generator", (4,), 64, [], [layers.Reshape((8, 8, 1))]),
        network("discriminator", (8, 8, 1), 1, [layers.Flatten()], []),
    )


def layer_losses(*, compile_options=None, **options):
    """Returns a model after an SGD step, and its logs."""
    gan = tfgans.NonSaturatingGAN(*networks(**options))
    compile_options = compile_options or {"run_eagerly": True}  # Faster than to trace one step.
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), **compile_options)
    return gan, tiny.train(gan)


def training_only():
    return Charging(only_in_training=True)


both = pytest.mark.parametrize("player", PLAYERS)


class TestLayerLosses:
    rate = 0.1  # That of the optimizers in `layer_losses`.

    @pytest.mark.parametrize(("player", "parts"), [("generator", 2), ("discriminator", 1)])
    def test_kernel_regularizer_by_hand(self, player, parts):
        """One SGD step moves a kernel w by another -rate (2 l2 w)."""
        l2, compile_options = 0.05, {"accumulate_steps": parts, "run_eagerly": True}
        start = dict(zip(PLAYERS, networks(), strict=True))[player]
        start = start.get_layer("dense").kernel.numpy()
        without, _ = layer_losses(compile_options=compile_options)
        gan, logs = layer_losses(
            kernel=keras.regularizers.L2(l2), player=player, compile_options=compile_options
        )
        plain_kernel, kernel = (
            getattr(model, player).get_layer("dense").kernel.numpy() for model in (without, gan)
        )
        np.testing.assert_allclose(
            kernel, plain_kernel - self.rate * 2 * l2 * start, rtol=1e-5, atol=1e-6
        )
        name = f"{player}_layer_loss"
        assert logs[name] == pytest.approx(l2 * np.square(start).sum(), 1e-5)
        terms = {"discriminator_loss", "generator_loss", "real_logits", "fake_logits"}
        assert set(logs) == {*terms, name}

    def test_regularizer_of_a_layer_that_is_unfrozen_counts(self):
        judge = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, name="last")]
        )
        last = judge.get_layer("last")
        last.kernel.regularizer, last.trainable = keras.regularizers.L2(0.5), False
        gan = tfgans.NonSaturatingGAN(networks()[0], judge)
        last.trainable = True
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
        expected = 0.5 * np.square(last.kernel.numpy()).sum()
        logs = tiny.train(gan)
        assert logs["discriminator_layer_loss"] == pytest.approx(expected, 1e-5)

    @both
    def test_activity_regularizer_and_add_loss(self, player):
        """Both are half the mean square; Keras divides a regularizer's sum by the batch."""

        def square(outputs):
            return 0.5 * tf.reduce_sum(tf.square(outputs)) / outputs.shape[-1]

        results = [
            layer_losses(player=player, **options)
            for options in (
                {"activity": square},
                {"charging": Charging},
                {"charging": training_only},
                {},
            )
        ]
        losses = [logs.get(f"{player}_layer_loss") for _, logs in results]
        kernels = [getattr(gan, player).get_weights()[0] for gan, _ in results]
        assert losses[0] > 0
        assert losses[1] == pytest.approx(losses[0])
        assert losses[2] == pytest.approx(losses[0])
        np.testing.assert_allclose(kernels[0], kernels[1], atol=1e-6)
        assert not np.allclose(kernels[0], kernels[3])

    def test_looking_for_losses_changes_nothing(self):
        generator, discriminator = networks(charging=training_only)
        extra = [layers.BatchNormalization(), layers.Dropout(0.5)]
        generator = keras.Sequential([generator, *extra])
        generator(np.ones((2, 4), "float32"), training=True)
        before = [variable.numpy() for variable in generator.variables]
        tfgans.NonSaturatingGAN(generator, discriminator)
        for start, variable in zip(before, generator.variables, strict=True):
            np.testing.assert_array_equal(variable.numpy(), start)

    def test_mixture_sums_its_components(self):
        pairs = [networks(kernel="l2", seed=seed) for seed in (1, 2)]
        gan = tfgans.NonSaturatingGAN(tfgans.MixtureGenerator([g for g, _ in pairs]), pairs[0][1])
        expected = sum(
            0.01 * np.square(g.get_layer("dense").kernel.numpy()).sum() for g, _ in pairs
        )
        gan.compile(run_eagerly=True)
        assert tiny.train(gan)["generator_layer_loss"] == pytest.approx(expected, rel=1e-5)
        logs = gan.test_on_batch(tiny.digits(20), return_dict=True)
        assert logs["generator_layer_loss"] > 0

    def test_categorical_routing_refuses_them(self):
        components = [networks(charging=Charging, seed=seed)[0] for seed in range(2)]
        mixture = tfgans.MixtureGenerator(components, routing="categorical")
        with pytest.raises(ValueError, match="losses of its layers cannot be summed"):
            tfgans.NonSaturatingGAN(mixture, tiny.discriminator())
