"""The methods that a subclass overrides: the examples in their docstrings do what they say."""

import inspect
import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans

layers = keras.layers
RATE = 0.1


def example(method):
    """Returns the class that the example in the docstring of a method of `GAN` defines."""
    text = inspect.getdoc(getattr(tfgans.GAN, method))
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"tfgans": tfgans, "tf": tf, "keras": keras}
    exec(code, names)  # The documentation of the package.
    (made,) = (
        value
        for value in names.values()
        if inspect.isclass(value) and value.__module__ == "builtins"
    )
    return made


def networks():
    keras.utils.set_random_seed(1)
    return (
        keras.Sequential([keras.Input((4,)), layers.Dense(64), layers.Reshape((8, 8, 1))]),
        keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)]),
    )


def make(cls, **options):
    gan = cls(*networks(), **options)
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE), run_eagerly=True)
    return gan


def train(gan, steps=1):
    """Takes steps on the same batch; returns the logs of the last."""
    for _ in range(steps):
        gan.reset_metrics()
        logs = gan.train_on_batch(tiny.digits(16), return_dict=True)
    return logs


def kernel(network):
    return next(layer for layer in network.layers if isinstance(layer, layers.Dense)).kernel.numpy()


def watched(cls):
    """Returns a subclass that keeps the fakes of each update, and where."""
    seen = []

    class Watched(cls):
        def generate(self, *arguments, **options):
            fake = super().generate(*arguments, **options)
            seen.append(fake.values.numpy())
            return fake

    gan = Watched(*networks())
    gan.compile(run_eagerly=True)
    return gan, seen


class TestDrawLatents:
    def test_training_and_sampling_draw_alike(self):
        cls, drawn = example("draw_latents"), []

        class Watched(cls):
            def draw_latents(self, draws):
                latents = super().draw_latents(draws)
                drawn.append(latents.numpy())
                return latents

        gan = Watched(*networks())
        gan.compile(run_eagerly=True)
        train(gan)
        assert len(drawn) == 2
        for latents in drawn:
            assert latents.shape == (16, 4)
            assert ((latents >= -1) & (latents < 1)).all()
            assert latents.min() < -0.5 < 0.5 < latents.max()

    def test_samples_come_from_the_average_of_uniform_latents(self):
        gan = make(example("draw_latents"), ema=0.9)
        train(gan, 2)
        keys = np.stack([np.full(5, 3), np.arange(5)], axis=1)
        latents = 2 * tfgans.random.uniform_rows(keys, [4]) - 1
        np.testing.assert_allclose(
            gan.sample(5, seed=3), gan.ema_generator(latents), rtol=1e-5, atol=1e-6
        )

    def test_export_draws_uniform_latents(self, tmp_path):
        gan = make(example("draw_latents"))
        model = tf.saved_model.load(str(gan.export(tmp_path / "digits", verify=False)))
        images = model.signatures["sample"](seed=tf.constant([3, 4], tf.int64))["images"]
        for image, seed in zip(images, (3, 4), strict=True):
            np.testing.assert_allclose(image, gan.sample(1, seed=seed)[0], rtol=1e-5, atol=1e-6)


def test_generate():
    gan, seen = watched(example("generate"))
    train(gan)
    for values in seen:
        levels = (values + 1) * 127.5
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
    # The rounding has a gradient.
    assert not np.array_equal(kernel(gan.generator), kernel(networks()[0]))


def test_discriminator_loss():
    gan = make(example("discriminator_loss"))
    plain = make(tfgans.NonSaturatingGAN)
    start = kernel(gan.discriminator)
    logs = train(gan)
    # The logit is linear in the example: its gradient is the kernel.
    assert logs["slope"] == pytest.approx(np.linalg.norm(start), rel=1e-5)
    train(plain)
    np.testing.assert_array_equal(kernel(gan.discriminator), kernel(plain.discriminator))
    # Reset between the epochs, and measured in evaluation.
    logs = gan.evaluate(tiny.digits(16), batch_size=16, return_dict=True, verbose=0)
    expected = np.linalg.norm(kernel(gan.discriminator))
    assert logs["slope"] == pytest.approx(expected, rel=1e-5)


def test_generator_loss():
    gan, plain = make(example("generator_loss")), make(tfgans.NonSaturatingGAN)
    for model in (gan, plain):
        assert set(train(model)) == {
            "discriminator_loss",
            "generator_loss",
            "real_logits",
            "fake_logits",
        }
    # The discriminator's update is over; then one SGD step has the term's gradient as well.
    key = tfgans.random.key(0, 0, 1, tfgans.random.Role.LATENTS)
    latents = tfgans.random.normal([16, 4], key)
    generator = networks()[0]
    weights = generator.trainable_variables
    with tf.GradientTape() as tape:
        gap = tf.reduce_mean(generator(latents), axis=0) - tiny.digits(16).mean(axis=0)
        term = 10.0 * tf.reduce_mean(tf.square(gap))
    slopes = tape.gradient(term, [weight.value for weight in weights])
    for weight, without, slope in zip(
        gan.generator.trainable_variables,
        plain.generator.trainable_variables,
        slopes,
        strict=True,
    ):
        np.testing.assert_allclose(
            weight.numpy(), without.numpy() - RATE * slope.numpy(), rtol=1e-5, atol=1e-6
        )


def test_discriminator_update():
    gan, seen = watched(example("discriminator_update"))
    train(gan, 3)
    assert int(gan.discriminator_optimizer.iterations.numpy()) == 6
    assert int(gan.generator_optimizer.iterations.numpy()) == gan.step == 3
    assert not np.array_equal(seen[0], seen[1])


def test_generator_update():
    gan = example("generator_update")(*networks())
    gan.compile("sgd", "sgd")
    kernels = [kernel(gan.generator)]
    for _ in range(4):
        train(gan)
        kernels.append(kernel(gan.generator))
    moved = [not np.array_equal(*pair) for pair in itertools.pairwise(kernels)]
    assert moved == [False, True, False, True]
    assert (gan.step, int(gan.generator_optimizer.iterations.numpy())) == (4, 2)


def test_after_step():
    gan, plain = (make(cls, ema=0.5) for cls in (example("after_step"), tfgans.NonSaturatingGAN))
    start = kernel(gan.generator)
    for model in (gan, plain):
        train(model)
    decayed = 0.999 * kernel(plain.generator)
    np.testing.assert_allclose(kernel(gan.generator), decayed, rtol=1e-6)
    # The decay in force after step 1 is min(0.5, 2 / 11).
    average = decayed + 2 / 11 * (start - decayed)
    np.testing.assert_allclose(kernel(gan.ema_generator), average, rtol=1e-5, atol=1e-6)
    assert gan.step == 1


# The first adds a metric, the second decides the samples.
@pytest.mark.parametrize("method", ["discriminator_loss", "draw_latents"])
def test_a_subclass_is_saved_and_goes_on_to_the_same_bits(method, tmp_path):
    cls = example(method)
    gan = make(cls, ema=0.9)
    train(gan)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras", custom_objects={cls.__name__: cls})
    assert type(loaded) is cls
    for model in (gan, loaded):
        train(model)
    tiny.assert_same_state(loaded, gan)


def test_a_prior_is_that_of_the_latents():
    gan = make(example("draw_latents"))
    with pytest.raises(ValueError, match="`prior=True` adds the density of standard normal"):
        gan.sample(2, seed=0, refine=tfgans.refinement.Langevin(prior=True))


@pytest.mark.parametrize("with_noise", [True, False])
def test_regularizers_need_the_noise_on_the_latents_of_an_override(with_noise):
    class Own(tfgans.NonSaturatingGAN):
        def generate(self, num, labels=None, *, stream, training):
            if with_noise:
                latents = self.latents_of_update(num, stream=stream)
            else:
                latents = tfgans.random.normal([num, 4], stream.key(0))
            return self.generator_player.generate(latents, labels, stream=stream, training=training)

    regularizer = tfgans.regularizers.ConsistencyRegularization("zcr")
    gan = make(Own, regularizers=[regularizer])
    if with_noise:
        assert float(train(gan)["diversity"]) > 0
    else:
        with pytest.raises(ValueError, match=r"`Own.generate` draws latents without their noise"):
            train(gan)


@pytest.mark.parametrize(
    ("loss", "terms"),
    [
        ("generator_loss", lambda real, fake: fake - fake[:, 0]),
        ("generator_loss", lambda real, fake: tf.cast(fake, tf.float64)),
        ("generator_loss", lambda real, fake: (fake, fake)),
        ("generator_loss", lambda real, fake: None),
        ("discriminator_loss", lambda real, fake: (tf.reduce_mean(real), tf.reduce_mean(fake))),
        ("discriminator_loss", lambda real, fake: real + fake),
        ("discriminator_loss", lambda real, fake: (real, fake, fake)),
    ],
)
def test_losses_that_are_not_a_term_for_each_logit(loss, terms):
    methods = {loss: lambda self, real, fake: terms(real, fake)}
    objective = type("Wrong", (tfgans.objectives.NonSaturating,), methods)()
    message = rf"`{loss}` of an objective must return .*\(16, 1\) and float32.* of Wrong\("
    with pytest.raises(ValueError, match=message):
        train(make(tfgans.GAN, objective=objective))


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("generate", lambda fake: fake.values, "must return a `tfgans.weighted.Weighted`"),
        ("discriminator_loss", lambda result: result[0], "must return the loss and a dictionary"),
        ("generator_loss", lambda result: result[0], "must return the loss and a dictionary"),
        (
            "generator_loss",
            lambda result: (tf.fill([16, 1], result[0]), result[1]),
            r"Received: the loss of shape \(16, 1\). Take its mean",
        ),
        (
            "discriminator_loss",
            lambda result: (result[0], result[1] | {"real_logits": tf.ones([16])}),
            r"Received: real_logits of shape \(16,\)",
        ),
        (
            "discriminator_loss",
            lambda result: (result[0], {}),
            "without .*_loss, real_logits, fake",
        ),
        ("generator_loss", lambda result: (result[0], {}), "logs without generator_loss"),
        ("generator_loss", lambda result: (None, result[1]), "the loss is None"),
        ("default_optimizers", lambda pair: pair[0], "`default_optimizers` must return two"),
        ("default_optimizers", lambda pair: (pair[0], None), "`default_optimizers` must return"),
    ],
)
def test_overrides_that_return_something_else(method, change, message):
    def override(self, *arguments, **options):
        return change(getattr(tfgans.NonSaturatingGAN, method)(self, *arguments, **options))

    changed = type("Changed", (tfgans.NonSaturatingGAN,), {method: override})
    with pytest.raises(ValueError, match=message):
        train(make(changed))


def test_latents_and_examples_of_another_number_than_asked_for():
    class FewLatents(tfgans.NonSaturatingGAN):
        def draw_latents(self, draws):
            return draws.normal(self.latent_shape)[:4]

    class FewExamples(tfgans.NonSaturatingGAN):
        def generate(self, num, labels=None, **options):
            fake = super().generate(num, labels, **options)
            return fake.with_values(fake.values[:5])

    with pytest.raises(ValueError, match=r"`draw_latents` must return a latent of shape \(4,\)"):
        train(make(FewLatents))
    with pytest.raises(ValueError, match="Received: 5 examples for a batch of 16"):
        train(make(FewExamples))


def test_arguments_of_a_subclass_that_are_not_saved():
    class Lost(tfgans.NonSaturatingGAN):
        def __init__(self, *networks, factor=1.0, **options):
            super().__init__(*networks, **options)
            self.factor = factor

    class Saved(Lost):
        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    with pytest.warns(UserWarning, match="`factor`, which a saved model does not contain"):
        Lost(*networks()).compile()
    Saved(*networks()).compile()  # Does not warn.


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_metric_must_not_have_the_name_of_a_log(method):
    class Doubled(tfgans.NonSaturatingGAN):
        def compile(self, *optimizers, **options):
            super().compile(*optimizers, **options)
            self.mean = keras.metrics.Mean("discriminator_loss")

    gan = make(Doubled)
    with pytest.raises(ValueError, match="logs 'discriminator_loss' itself"):
        getattr(gan, method)(tiny.digits(32))
    assert gan.step == 0


class StepOfAnExample(tfgans.NonSaturatingGAN):
    """The step, the metrics and the `compile` of the DCGAN example of keras.io."""

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile(g_optimizer, d_optimizer)
        self.loss_fn = loss_fn
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")

    @property
    def metrics(self):
        return [self.d_loss_metric]

    def train_step(self, real_images):
        real_images = real_images[:, 0]  # A single update of the discriminator.
        batch_size = tf.shape(real_images)[0]
        fakes = self.generator(tf.random.normal((batch_size, 4)))
        labels = tf.concat([tf.zeros((batch_size, 1)), tf.ones((batch_size, 1))], axis=0)
        with tf.GradientTape() as tape:
            logits = self.discriminator(tf.concat([fakes, real_images], axis=0))
            loss = self.loss_fn(labels, logits)
        weights = self.discriminator.trainable_weights
        self.discriminator_optimizer.apply_gradients(
            zip(tape.gradient(loss, weights), weights, strict=True)
        )
        self.d_loss_metric.update_state(loss)
        self.after_step()
        return {"d_loss": self.d_loss_metric.result()}


def test_a_step_of_the_keras_examples(tmp_path):
    def compiled(gan):
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), loss)
        return gan

    options = {"batch_size": 16, "steps_per_epoch": 2, "verbose": 0}
    gan = compiled(StepOfAnExample(*networks()))
    history = gan.fit(tiny.digits(32), epochs=2, **options).history
    assert list(history) == gan.metrics_names == ["d_loss"]
    assert history["d_loss"][1] < history["d_loss"][0]
    gan.save(tmp_path / "gan.keras")
    classes = {"StepOfAnExample": StepOfAnExample}
    # Keras cannot call a `compile` with other arguments either, and warns too.
    with pytest.warns(UserWarning, match=r"without its optimizers.*'d_optimizer'"):
        loaded = keras.saving.load_model(tmp_path / "gan.keras", custom_objects=classes)
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        loaded.fit(tiny.digits(32), **options)
    compiled(loaded).fit(tiny.digits(32), **options)
    assert loaded.step == 6
    with pytest.warns(UserWarning, match=r"without its optimizers.*'generator_optimizer'"):
        loaded.compile_from_config({"d_optimizer": None, "g_optimizer": None, "loss_fn": None})


class OnlyTotal(tfgans.NonSaturatingGAN):
    """Has metrics of its own, without the logs."""

    def __init__(self, *networks, **options):
        super().__init__(*networks, **options)
        self.total = keras.metrics.Mean("total")

    @property
    def metrics(self):
        return [self.total]

    def discriminator_loss(self, *arguments, **options):
        loss, logs = super().discriminator_loss(*arguments, **options)
        self.total.update_state(loss)
        return loss, logs


def test_metrics_without_the_logs_give_the_same_numbers_again():
    gan = make(OnlyTotal)
    first, second = (gan.evaluate(tiny.digits(16), verbose=0) for _ in range(2))
    assert first == second


class Uncounted(tfgans.NonSaturatingGAN):
    """Forgets to call `after_step`."""

    def train_step(self, data):
        return {"mean": tf.reduce_mean(data)}


class UncountedAfterAll(tfgans.NonSaturatingGAN):
    """Forgets `super().after_step()`."""

    def after_step(self):
        pass


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (Uncounted, {}),
        (Uncounted, {"steps_per_execution": 2}),
        (UncountedAfterAll, {"run_eagerly": True}),
    ],
)
def test_a_step_that_is_not_counted(cls, options):
    gan = cls(*networks())
    gan.compile(**options)
    with pytest.raises(ValueError, match=rf"of {cls.__name__} must call `self.after_step\(\)`"):
        gan.fit(tiny.digits(32), batch_size=8, verbose=0)


def test_a_metric_may_be_called_loss():
    class Summed(tfgans.NonSaturatingGAN):
        def __init__(self, *networks, **options):
            super().__init__(*networks, **options)
            self.total = keras.metrics.Mean("loss")

        def discriminator_loss(self, *arguments, **options):
            loss, logs = super().discriminator_loss(*arguments, **options)
            self.total.update_state(loss)
            return loss, logs

    gan = make(Summed)
    logs = train(gan, 2)
    assert float(logs["loss"]) == pytest.approx(float(logs["discriminator_loss"]))
    values = gan.evaluate(tiny.digits(16), verbose=0)
    named = dict(zip(gan.metrics_names, values, strict=True))
    assert named == gan.evaluate(tiny.digits(16), verbose=0, return_dict=True)


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    def call(self, inputs):
        return 2.0 * inputs


def test_layers_of_users_beside_the_spread_of_a_batch():
    """Whether they add losses shows in a call, of as many examples as the spread needs."""
    keras.utils.set_random_seed(0)
    judge = [Scaled(), tfgans.layers.MinibatchStdDev(4), layers.Flatten(), layers.Dense(1)]
    discriminator = keras.Sequential([keras.Input((8, 8, 1)), *judge])
    gan = tfgans.NonSaturatingGAN(networks()[0], discriminator)
    gan.compile(run_eagerly=True)
    assert "discriminator_layer_loss" not in train(gan)
