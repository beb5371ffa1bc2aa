"""The spread of groups by hand, and what a discriminator with it may not do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import penalties
from tfgans.layers import MinibatchStdDev


def channel(images, group_size=4):
    outputs = MinibatchStdDev(group_size)(images).numpy()
    np.testing.assert_array_equal(outputs[..., :-1], images)
    spread = outputs[..., -1].reshape(len(images), -1)
    assert (spread == spread[:, :1]).all()
    return spread[:, 0]


@pytest.mark.parametrize("shape", [(2, 3, 5), (30,), (6, 5), (2, 3, 2, 2)])
def test_closed_forms(shape):
    images = np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")
    by_hand = [np.sqrt(images[rows].var(axis=0) + 1e-8).mean() for rows in (slice(4), slice(4, 8))]
    np.testing.assert_allclose(channel(images), np.repeat(by_hand, 4), rtol=1e-5)
    np.testing.assert_allclose(channel(np.repeat(images[:1], 4, axis=0)), 1e-4, rtol=1e-3)
    pair = np.stack([images[0], images[0] + 2 * 0.3])
    np.testing.assert_allclose(channel(pair, 2), 0.3, rtol=1e-4)
    # The order in a group does not matter, and parts have the groups of the whole.
    np.testing.assert_allclose(
        channel(images[[3, 1, 0, 2, 4, 5, 6, 7]]), channel(images), rtol=1e-6
    )
    np.testing.assert_array_equal(channel(images[4:]), channel(images)[4:])


def test_maps_of_unknown_sides():
    sizes = keras.Input((None, None, 5))
    network = keras.Model(sizes, MinibatchStdDev()(sizes))
    assert network.output_shape == (None, None, None, 6)
    images = np.random.default_rng(0).normal(size=(4, 2, 3, 5)).astype("float32")
    graph = tf.function(network, input_signature=[tf.TensorSpec((None, None, None, 5))])
    np.testing.assert_allclose(graph(images), MinibatchStdDev()(images), rtol=1e-6)


def test_gradient_of_identical_images_is_finite():
    images = tf.ones((4, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = tf.reduce_sum(MinibatchStdDev()(images))
    np.testing.assert_allclose(tape.gradient(outputs, images), 1.0)


def test_refuses():
    with pytest.raises(ValueError, match="`group_size` must be an integer of at least 2"):
        MinibatchStdDev(1)
    with pytest.raises(ValueError, match=r"shape \[batch, ..., channels\]. Received: shape \(4,\)"):
        MinibatchStdDev()(np.zeros(4, "float32"))
    with pytest.raises(ValueError, match=r"multiple of 4, the `group_size` of .*Received: 6 rows"):
        MinibatchStdDev()(np.zeros((6, 2, 2, 1), "float32"))
    graph = tf.function(MinibatchStdDev(), input_signature=[tf.TensorSpec((None, 2, 2, 1))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="multiple of 4"):
        graph(np.zeros((6, 2, 2, 1), "float32"))


def judge(seed=2):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(4, 3, strides=2)(inputs))
    x = keras.layers.Flatten()(MinibatchStdDev(4)(x))
    return keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))


def gan(discriminator=None, **options):
    generator = tiny.generator(normalization=False)
    return tfgans.NonSaturatingGAN(generator, discriminator or judge(), **options)


def test_the_doctor_measures_whole_groups():
    model = gan(judge())
    model.compile(run_eagerly=True)
    few, fewer = (tfgans.data.from_array(tiny.digits(num)) for num in (50, 21))
    doctor = tfgans.callbacks.Doctor(few, every_steps=1, held_out=fewer)
    model.fit(few, batch_size=16, steps_per_epoch=2, callbacks=[doctor], verbose=0)
    too_few = tfgans.callbacks.Doctor(tfgans.data.from_array(tiny.digits(3)))
    with pytest.raises(ValueError, match=r"groups of 4 .*Received: 3 of"):
        model.fit(few, batch_size=16, steps_per_epoch=2, callbacks=[too_few], verbose=0)


def test_what_needs_each_row_by_itself_is_refused():
    with pytest.raises(ValueError, match=r"`fraction` .*MinibatchStdDev"):
        gan(penalty=penalties.R1Penalty(fraction=0.5))
    with pytest.raises(ValueError, match=r"refine.*MinibatchStdDev"):
        gan().sample(4, seed=1, refine=tfgans.refinement.Langevin(steps=1))
    with pytest.raises(ValueError, match=r"refinement of DCD.*MinibatchStdDev"):
        tfgans.DCD(tiny.generator(normalization=False), judge())
    mixture = tfgans.MixtureDiscriminator([judge(1), judge(2)], routing="categorical")
    with pytest.raises(ValueError, match=r"categorical.*MinibatchStdDev"):
        gan(mixture)
    for routing in ("slices", "all"):
        generators = [tiny.generator(seed=seed, normalization=False) for seed in (1, 2)]
        mixture = tfgans.MixtureGenerator(generators, routing=routing)
        with pytest.raises(ValueError, match=rf"{routing}.*MinibatchStdDev"):
            tfgans.NonSaturatingGAN(mixture, judge())
    model = gan(tfgans.MixtureDiscriminator([judge(1), judge(2)]))
    model.compile()
    for size, message in ((12, "parts of 6 to 6"), (18, "parts of 9 to 9")):
        with pytest.raises(ValueError, match=rf"groups of 4.*{message}"):
            model.fit(tiny.digits(), batch_size=size, verbose=0)
    model = gan()
    model.compile(accumulate_steps=2)
    with pytest.raises(ValueError, match=r"groups of 4.*12 examples, which make parts of 6"):
        model.fit(tiny.digits(), batch_size=12, verbose=0)
