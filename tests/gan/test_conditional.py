"""Class-conditional models: labels from the data to the samples and the export."""

import keras
import named_methods
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.random import Role, Stream

IMAGES, LABELS = tiny.digits(64), tiny.digit_labels(64)


def gan(cls=tfgans.NonSaturatingGAN, **options):
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    model = cls(*players, num_classes=10, **options)
    model.compile(run_eagerly=True)  # A few steps take less time than their graph.
    return model


def mixed(cls=tfgans.NonSaturatingGAN, *, generator_routing="slices", **options):
    model = cls(
        tfgans.MixtureGenerator(
            [tiny.conditional_generator(seed=seed) for seed in (1, 2)], routing=generator_routing
        ),
        tfgans.MixtureDiscriminator([tiny.conditional_discriminator(seed=seed) for seed in (4, 5)]),
        num_classes=10,
        **options,
    )
    model.compile(run_eagerly=True)
    return model


def one_hot():
    """A generator that takes one-hot labels, as that of the Keras example."""
    latents, labels = keras.Input((4,)), keras.Input((10,))
    x = keras.layers.Concatenate()([latents, labels])
    images = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(x))
    return keras.Model([latents, labels], images)


def train(model, steps=2, **options):
    return model.fit(IMAGES, LABELS, batch_size=16, steps_per_epoch=steps, verbose=0, **options)


def pairs(images=IMAGES, labels=LABELS, size=16):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(size)


class Spy(tfgans.GAN):
    """Keeps what the terms of the game are computed from."""

    def __init__(self, *players, **options):
        super().__init__(*players, **options)
        self.seen = []

    def discriminator_loss(self, real, fake, labels=None, **options):
        self.seen.append(("discriminator", real, fake.values, labels))
        return super().discriminator_loss(real, fake, labels, **options)

    def generator_loss(self, real, fake, labels=None, **options):
        self.seen.append(("generator", real, fake.values, labels))
        return super().generator_loss(real, fake, labels, **options)


def test_labels_stay_with_their_images_and_their_fakes():
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    spy = Spy(
        *players, objective=named_methods.NON_SATURATING, num_classes=10, discriminator_steps=2
    )
    spy.compile("sgd", "sgd", run_eagerly=True)
    before = spy.generator.get_weights()
    spy.fit(IMAGES, LABELS, batch_size=16, steps_per_epoch=1, verbose=0)
    assert [kind for kind, *_ in spy.seen] == ["discriminator", "discriminator", "generator"]
    by_image = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    for _, real, _, labels in spy.seen:
        expected = [by_image[image.tobytes()] for image in real.numpy()]
        np.testing.assert_array_equal(labels, expected)
    spy.generator.set_weights(before)
    key = tfgans.random.key(0, 0, 0, Role.LATENTS)  # Of seed, step and update.
    latents = tfgans.random.normal([16, 4], key)
    _, _, fake, labels = spy.seen[0]
    np.testing.assert_allclose(fake, spy.generator([latents, labels]), atol=1e-6)


def test_evaluates_in_batches_of_any_size():
    model = gan()
    history = train(model, 1, validation_data=(IMAGES[:20], LABELS[:20])).history
    assert np.isfinite(list(history.values())).all()
    logs = model.evaluate(pairs(IMAGES[:20], LABELS[:20], 7), return_dict=True, verbose=0)
    assert logs["real_logits"] == pytest.approx(history["val_real_logits"][0], rel=1e-4)


@pytest.mark.parametrize(
    ("make", "cls", "options"),
    [
        (gan, tfgans.R3GAN, {}),
        (mixed, tfgans.WGANGP, {"discriminator_steps": 1}),
        (mixed, tfgans.KLWGAN, {"discriminator_steps": 1}),
        (mixed, tfgans.DCD, {"langevin": named_methods.SHORT, "updates_per_batch": 1}),
    ],
)
def test_methods_take_labels(make, cls, options):
    assert np.isfinite(list(tiny.train(make(cls, **options)).values())).all()


def test_exact_routing_repeats_labels_with_the_images():
    """Every generator makes every image: the mean logit of fakes is that over all pairs."""
    model = mixed(generator_routing="all")
    real, labels = tf.constant(IMAGES[:6]), tf.constant(LABELS[:6])
    stream = Stream(tfgans.random.key(0))
    fake = model.generate(6, labels, stream=stream, training=True)
    assert fake.values.shape[0] == 12
    _, logs = model.discriminator_loss(real, fake, labels, stream=stream, training=False)
    logits = model.discriminator([fake.values, tf.tile(labels, [2])])
    logged = float(logs["fake_logits"])
    assert logged == pytest.approx(float(tf.reduce_mean(logits)), rel=1e-4)
    # The real examples are judged once.
    logits = model.discriminator([real, labels])
    logged = float(logs["real_logits"])
    assert logged == pytest.approx(float(tf.reduce_mean(logits)), rel=1e-4)


@pytest.mark.parametrize("make", [gan, mixed])
def test_samples_have_the_classes_that_are_asked_for(make):
    model = make()
    drawn = model.sample_labels(200, seed=3)
    assert set(drawn) == set(range(10))
    # Chi-square with 9 degrees of freedom: 27.9 is exceeded with a probability of .001.
    counts = np.bincount(model.sample_labels(5000, seed=0), minlength=10)
    assert ((counts - 500) ** 2 / 500).sum() < 27.9
    images = model.sample(6, seed=3)
    np.testing.assert_allclose(model.sample(6, seed=3, labels=drawn[:6]), images, atol=1e-6)
    sevens = model.sample(6, seed=3, labels=7)
    np.testing.assert_array_equal(model.sample(6, seed=3, labels=[7] * 6), sevens)
    kept = drawn[:6] == 7
    np.testing.assert_allclose(sevens[kept], images[kept], atol=1e-6)
    assert not np.allclose(sevens[~kept], images[~kept])


def test_payoff_of_held_out_pairs():
    model = mixed()
    array = tfgans.games.payoff_matrix(model, (IMAGES, LABELS))
    dataset = tfgans.games.payoff_matrix(model, pairs())
    assert array.values.shape == (2, 2)
    np.testing.assert_allclose(array.values, dataset.values, rtol=1e-5)


def test_grid_shows_a_row_a_class(tmp_path):
    model = gan()
    names = ["zero", "one", "two", "a name that is far too long", "4", "5", "6", "7", "8", "9"]
    grid = tfgans.callbacks.SampleGrid(tmp_path, num=30, every_steps=5, class_names=names[:4])
    train(model, 1, callbacks=[grid])
    rows = np.stack([model.sample(3, seed=0, labels=label) for label in range(10)])
    names[3] = "a name that is far to..."
    expected = tfgans.pictures.titled_rows(rows, names)
    written = tf.io.decode_png((tmp_path / "step-00000001.png").read_bytes())
    np.testing.assert_array_equal(written, expected)


LATER = np.where(np.arange(64) == 40, 10, LABELS)


# In TensorFlow's words, since a dataset is read while training goes on.
def test_strange_label_later_in_a_dataset_ends_training_and_evaluation():
    model = gan()
    with pytest.raises(tf.errors.InvalidArgumentError, match="classes from 0 to 9"):
        model.fit(pairs(labels=LATER), verbose=0)
    assert model.step < 4
    with pytest.raises(tf.errors.InvalidArgumentError, match="classes from 0 to 9"):
        model.evaluate(pairs(labels=LATER), verbose=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: tfgans.NonSaturatingGAN(tiny.generator(), tiny.discriminator(), num_classes=10),
            r"the generator must take the list \[tensor, labels\].*the input shape \(None, 4\)",
        ),
        (
            lambda: tfgans.NonSaturatingGAN(
                tiny.conditional_generator(), tiny.discriminator(), num_classes=10
            ),
            "With `num_classes` the discriminator must take the list",
        ),
        (
            lambda: tfgans.NonSaturatingGAN(one_hot(), tiny.discriminator(), num_classes=10),
            r"integers of shape \[batch\].*\[\(None, 4\), \(None, 10\)\]\. Make the labels a",
        ),
        (
            lambda: tfgans.NonSaturatingGAN(
                tiny.conditional_generator(), tiny.conditional_discriminator()
            ),
            "num_classes=None. Pass `num_classes`",
        ),
        (
            lambda: tfgans.NonSaturatingGAN(
                tfgans.networks.mlp_generator((8, 8, 1), num_classes=3),
                tiny.conditional_discriminator(),
                num_classes=10,
            ),
            "generator must be built for the classes of the model, 10. Received: .*num_classes=3",
        ),
        # What labels may look like is tested with `tfgans.data.adapters`.
        (lambda: gan().fit(IMAGES), "needs a label from 0 to 9"),
        (lambda: gan().fit(pairs(), LABELS), "`y` is for arrays"),
        (lambda: tiny.gan().sample(2, labels=1), "labels are not taken"),
        (lambda: gan().sample(2, labels=10), "classes from 0 to 9"),
        (lambda: gan().sample(2, labels=[1, 2, 3]), r"integers of shape \(2,\)"),
        (
            lambda: gan().check_training(tfgans.data.from_array(IMAGES, labels=LABELS + 3), 8),
            "has 13 classes. Received: a model with num_classes=10",
        ),
    ],
)
def test_bad_requests(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sorted_labels_reach_every_generator_of_a_mixture():
    components = [tiny.conditional_generator(seed=seed) for seed in range(2)]
    gan = tfgans.NonSaturatingGAN(
        tfgans.MixtureGenerator(components), tiny.conditional_discriminator(), num_classes=10
    )
    images, labels = tiny.digits(16), np.sort(tiny.digit_labels(16))
    stream = Stream(tfgans.random.key(0))
    spread, classes = gan.generator_player.spread_classes(
        tf.constant(images), tf.constant(labels), stream=stream
    )
    # Each label keeps its image, and a slice has every second label.
    order = [np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0] for image in spread.numpy()]
    assert sorted(order) == list(range(16))
    np.testing.assert_array_equal(classes, labels[order])
    assert len({place % 2 for place in order[:8]}) == 1
