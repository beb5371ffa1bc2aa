"""Networks and data small enough that a test trains them in a second."""

import math

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import tfgans
from tfgans import determinism

layers = keras.layers


def digits(num=256):
    """Real handwritten digits, float32 [num, 8, 8, 1] in [-1, 1]."""
    return (load_digits().images[:num, :, :, np.newaxis] / 8 - 1).astype("float32")


def generator(*, latent_dim=4, normalization=True, seed=1):
    """A convolutional generator with BatchNormalization, Upsampling and Cropping."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((latent_dim,))
    x = layers.Dense(5 * 5 * 4)(inputs)
    x = layers.BatchNormalization()(x) if normalization else x
    x = layers.Reshape((5, 5, 4))(layers.ReLU()(x))
    x = layers.Cropping2D(((0, 2), (2, 0)))(layers.UpSampling2D()(x))
    outputs = layers.Conv2D(1, 3, padding="same", activation="tanh", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="tiny_generator")


def discriminator(*, dropout=0.0, seed=2):
    """A convolutional discriminator that treats each example by itself."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, strides=2)(inputs))
    x = layers.Dropout(dropout)(x) if dropout else x
    outputs = layers.Dense(1, dtype="float32")(layers.Flatten(name="flatten")(x))
    return keras.Model(inputs, outputs, name="tiny_discriminator")


def spectral_discriminator(seed=2):
    """The same, spectrally normalized."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    normalized = tfgans.layers.SpectralNormalization
    x = layers.LeakyReLU(0.2)(normalized(layers.Conv2D(4, 3, strides=2))(inputs))
    outputs = normalized(layers.Dense(1, dtype="float32"))(layers.Flatten(name="flatten")(x))
    return keras.Model(inputs, outputs, name="tiny_spectral_discriminator")


def conditional_generator(*, num_classes=10, latent_dim=4, seed=1):
    """A generator of any user: labels enter through an embedding."""
    keras.utils.set_random_seed(seed)
    latents, labels = keras.Input((latent_dim,)), keras.Input((), dtype="int32")
    x = layers.Concatenate()([latents, layers.Embedding(num_classes, 4)(labels)])
    x = layers.Dense(64, "tanh")(layers.Dense(16, "relu")(x))
    return keras.Model([latents, labels], layers.Reshape((8, 8, 1), dtype="float32")(x))


def conditional_discriminator(*, num_classes=10, seed=2):
    """Its discriminator."""
    keras.utils.set_random_seed(seed)
    images, labels = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    x = layers.Concatenate()(
        [layers.Flatten(name="flatten")(images), layers.Embedding(num_classes, 4)(labels)]
    )
    outputs = layers.Dense(1, dtype="float32")(layers.Dense(16, "tanh")(x))
    return keras.Model([images, labels], outputs)


def digit_labels(num=256):
    """The classes of `digits(num)`: int64 [num]."""
    return load_digits().target[:num]


def gan(cls=None, *, dropout=0.0, compiled=True, run_eagerly=False, **options):
    """A model over the two networks; by default WGANGP with two discriminator steps."""
    if cls is None:
        cls, options = tfgans.WGANGP, {"discriminator_steps": 2, **options}
    model = cls(generator(), discriminator(dropout=dropout), **options)
    if compiled:
        model.compile(run_eagerly=run_eagerly)
    return model


def mixtures(num_generators=3, num_discriminators=2, *, normalization=True, **options):
    """A mixture of generators and one of discriminators, with first weights that differ."""
    return (
        tfgans.MixtureGenerator(
            [generator(seed=10 + i, normalization=normalization) for i in range(num_generators)],
            **options,
        ),
        tfgans.MixtureDiscriminator(
            [discriminator(seed=30 + i) for i in range(num_discriminators)], **options
        ),
    )


def replicas(count):
    """A strategy of several replicas on this machine.

    Without collectives, whose keys TensorFlow does not keep apart for two strategies of a process.
    """
    return tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(count)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def constants(values, *, shape=(1,), latent_dim=2, **options):
    """A mixture of generators that return a number each, whatever the latent."""
    components = []
    for value in values:
        inputs = keras.Input((latent_dim,))
        bias = keras.initializers.Constant(value)
        outputs = layers.Dense(math.prod(shape), kernel_initializer="zeros", bias_initializer=bias)
        components.append(keras.Model(inputs, layers.Reshape(shape)(outputs(inputs))))
    return tfgans.MixtureGenerator(components, **options)


def train(model, steps=1, *, batch_size=16):
    """Takes steps on batches that the step count chooses; returns the logs as floats.

    `fit` takes half a second to make its dataset; this does not. Models that are compiled with
    `run_eagerly=True` are not traced either.
    """
    model.reset_metrics()
    images, classes = digits(), digit_labels()
    shape = (model.discriminator_steps, batch_size)
    for _ in range(steps):
        rows = (np.arange(np.prod(shape)) + model.step * np.prod(shape)) % len(images)
        batch = [images[rows]] if model.num_classes is None else [images[rows], classes[rows]]
        if shape[0] > 1:
            batch = [np.swapaxes(array.reshape(*shape, *array.shape[1:]), 0, 1) for array in batch]
        with determinism.deterministic_compilation():
            logs = model.train_on_batch(*batch, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


def state(model):
    """All that decides the next step, as arrays by name."""
    logged = {id(variable) for metric in model.metrics for variable in metric.variables}
    values = {
        f"model/{index}": variable.numpy()
        for index, variable in enumerate(model.variables)
        if id(variable) not in logged
    }
    for player in ("generator", "discriminator"):
        variables = getattr(model, f"{player}_optimizer").variables
        values |= {f"{player}/{index}": value.numpy() for index, value in enumerate(variables)}
    return values


def assert_same_state(model, other):
    """Fails unless two models would take the same next step, to the bit."""
    left, right = state(model), state(other)
    assert left.keys() == right.keys()
    different = [name for name in left if not np.array_equal(left[name], right[name])]
    assert not different
