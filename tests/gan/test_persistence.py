"""Saved, loaded, trained on: the same bits as never having stopped."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans

EVERYTHING = {"ema": 0.9, "dropout": 0.3, "run_eagerly": True}


def train(gan, steps):
    tiny.train(gan, steps)
    return gan


@pytest.mark.parametrize(
    ("policy", "cls"),
    [
        ("mixed_float16", tfgans.NonSaturatingGAN),
        pytest.param("mixed_float16", tfgans.WGANGP, marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", tfgans.WGANGP, marks=pytest.mark.slow),
    ],
)
def test_trains_in_half_precision_and_after_loading_to_the_same_bits(policy, cls, tmp_path):
    keras.config.set_dtype_policy(policy)
    stopped = train(tiny.gan(cls, **EVERYTHING), 1)
    for optimizer in (stopped.generator_optimizer, stopped.discriminator_optimizer):
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert is_scaled == (policy == "mixed_float16")
    assert all(np.isfinite(weight).all() for weight in stopped.get_weights())
    before = tiny.generator().weights[0].numpy()
    assert not np.array_equal(before, stopped.generator.weights[0].numpy())
    assert stopped.sample(2, seed=0).dtype == np.float32
    stopped.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    tiny.assert_same_state(loaded, stopped)
    tiny.assert_same_state(train(loaded, 1), train(stopped, 1))


def noisy():
    noise = tfgans.layers.InstanceNoise(0.4, schedule="adaptive", rate=0.3)
    return tiny.gan(tfgans.NonSaturatingGAN, instance_noise=noise, run_eagerly=True)


def augmented():
    """The third of its updates is in the middle of a window of the augmentation."""
    ada = tfgans.augmentation.AdaptiveAugment("color", kimg=0.4, every=2, initial_p=0.4)
    lecam = tfgans.regularizers.LeCam(start=2)
    options = {"augmentation": ada, "regularizers": [lecam], "run_eagerly": True}
    return tiny.gan(tfgans.NonSaturatingGAN, **options)


def conditional():
    networks = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = tfgans.NonSaturatingGAN(*networks, num_classes=10, ema=0.9)
    gan.compile(run_eagerly=True)
    return gan


def kernels_without_decay():
    gan = tiny.gan(compiled=False)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=10.0)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    gan.compile("adam", optimizer, run_eagerly=True)
    return gan


@pytest.mark.parametrize(
    "make",
    [
        lambda: tiny.gan(**EVERYTHING),
        noisy,
        augmented,
        conditional,
        kernels_without_decay,
    ],
    ids=["everything", "noisy", "augmented", "conditional", "weight decay"],
)
def test_files_hold_all_that_decides_the_next_step(make, tmp_path):
    stopped, other = train(make(), 3), make()
    stopped.save(tmp_path / "gan.keras")
    stopped.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    for model in (loaded, other):
        tiny.assert_same_state(model, stopped)
    train(stopped, 1)
    for model in (loaded, other):
        tiny.assert_same_state(train(model, 1), stopped)


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras, before the errors.
def test_weights_of_another_model_are_refused(tmp_path):
    gan = tiny.gan(**EVERYTHING)
    gan.save_weights(tmp_path / "gan.weights.h5")
    with pytest.raises(ValueError, match=r"random state of 0 layers .* Received: 1"):
        tiny.gan(ema=0.9).load_weights(tmp_path / "gan.weights.h5")
    tiny.generator().save_weights(tmp_path / "generator.weights.h5")
    with pytest.raises(ValueError, match="without a step count"):
        gan.load_weights(tmp_path / "generator.weights.h5")


def test_saving_again_makes_no_variables(tmp_path, monkeypatch):
    """TensorFlow keeps memory for the name of each one that was ever made."""
    made = []
    gan = tiny.gan()
    gan.save_weights(tmp_path / "gan.weights.h5")
    gan.save_weights(tmp_path / "gan.weights.h5")
    optimizer = keras.optimizers.Optimizer
    start = optimizer.__init__

    def count(self, *args, **options):
        made.append(type(self))
        start(self, *args, **options)

    monkeypatch.setattr(optimizer, "__init__", count)
    gan.save_weights(tmp_path / "gan.weights.h5")
    gan.save(tmp_path / "gan.keras")
    assert made == []


def test_schedules_and_compile_options_are_kept(tmp_path):
    gan = tiny.gan(compiled=False, ema=0.5)
    gan.save(tmp_path / "uncompiled.keras")
    assert not keras.saving.load_model(tmp_path / "uncompiled.keras").compiled
    schedule = keras.optimizers.schedules.PolynomialDecay(1e-3, 10)
    options = {"steps_per_execution": 2, "run_eagerly": True, "accumulate_steps": 2}
    gan.compile(keras.optimizers.Adam(schedule), "sgd", **options)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert {name: getattr(loaded, name) for name in options} == options
    assert loaded.generator_optimizer.get_config() == gan.generator_optimizer.get_config()
    assert type(loaded.discriminator_optimizer) is keras.optimizers.SGD
    assert loaded.ema_generator.name == "tiny_generator_average"
    np.testing.assert_allclose(loaded.sample(2, seed=0), gan.sample(2, seed=0), atol=1e-6)


class Subclassed(keras.Model):
    """A network that is no functional model."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(64, "tanh")
        self.shape_up = keras.layers.Reshape((8, 8, 1))

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.shape_up.build((None, 64))
        self.built = True

    def call(self, x, training=False):
        return self.shape_up(self.dense(x))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 8, 8, 1)


def test_subclassed_networks_fit_too(tmp_path):
    generator = Subclassed()
    generator.build((None, 4))
    gan = tfgans.NonSaturatingGAN(generator, tiny.discriminator(), ema=0.9)
    gan.compile(run_eagerly=True)
    train(gan, 1)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(
        tmp_path / "gan.keras", custom_objects={"Subclassed": Subclassed}
    )
    tiny.assert_same_state(loaded, gan)
    assert tf.io.gfile.exists(str(gan.export(tmp_path / "exported", verify=False)))


@keras.saving.register_keras_serializable("tests")
class Counting(tfgans.NonSaturatingGAN):
    def __init__(self, *networks, **options):
        super().__init__(*networks, **options)
        self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)


def test_variables_of_a_subclass_are_saved(tmp_path):
    gan = tiny.gan(Counting)
    gan.count.assign(7.0)
    gan.save(tmp_path / "gan.keras")
    gan.save_weights(tmp_path / "gan.weights.h5")
    fresh = tiny.gan(Counting)
    fresh.load_weights(tmp_path / "gan.weights.h5")
    for again in (fresh, keras.saving.load_model(tmp_path / "gan.keras")):
        assert float(again.count) == 7.0


class WithoutConfig(Subclassed):
    def get_config(self):
        raise NotImplementedError


def without_config():
    network = WithoutConfig()
    network.build((None, 4))
    return network


def with_lambda():
    network = tiny.generator()
    return keras.Model(network.inputs, keras.layers.Lambda(lambda x: x)(network.output))


def test_what_cannot_be_copied_has_no_average():
    with pytest.raises(ValueError, match=r"`DCD.from_gan`\).*Give it `get_config` and"):
        tfgans.NonSaturatingGAN(without_config(), tiny.discriminator(), ema=0.9)
    with pytest.raises(ValueError, match=r"cannot be copied\. Keras says: .*safe_mode"):
        tfgans.NonSaturatingGAN(with_lambda(), tiny.discriminator(), ema=0.9)


def test_a_copy_has_the_name_of_the_network():
    gan = tiny.gan(ema=0.9)
    dcd = tfgans.DCD.from_gan(gan)
    assert dcd.generator.name == gan.ema_generator.name == "tiny_generator_average"
    assert dcd.discriminator.name == "tiny_discriminator"


def test_an_augmentation_that_a_regularizer_shares_stays_shared(tmp_path):
    ada = tfgans.augmentation.AdaptiveAugment("bg", target=None, initial_p=0.3)
    consistency = tfgans.regularizers.ConsistencyRegularization(augmentation=ada)
    gan = tiny.gan(augmentation=ada, regularizers=[consistency])
    ada.p.assign(0.6)
    gan.save(tmp_path / "gan.keras")
    gan.save_weights(tmp_path / "gan.weights.h5")
    copies = [type(gan).from_config(gan.get_config()), keras.models.clone_model(gan)]
    for copy in copies:
        copy.load_weights(tmp_path / "gan.weights.h5")
    for copy in (*copies, keras.saving.load_model(tmp_path / "gan.keras")):
        assert copy.augmentation is copy.regularizers[0].augmentation
        assert float(copy.augmentation.p) == pytest.approx(0.6)
