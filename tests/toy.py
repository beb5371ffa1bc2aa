"""Trainings whose steps cost nothing, for callbacks that only look at steps and weights."""

import csv

import keras
import numpy as np
import tensorflow as tf
import tiny

import tfgans


class Act(keras.callbacks.Callback):
    """Calls a function of the model after each step."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        self.function(self.model)


def gan(**options):
    """A small compiled model, of points unless there are networks."""
    keras.utils.set_random_seed(3)
    networks = options.pop("networks", None) or points()
    model = tfgans.NonSaturatingGAN(*networks, **options)
    model.compile(*(keras.optimizers.Adam(0.01) for _ in range(2)), run_eagerly=True)
    return model


def points():
    """Networks for examples in the plane."""
    return (
        tfgans.networks.mlp_generator((2,), latent_dim=4, width=16, depth=1),
        tfgans.networks.mlp_discriminator((2,), width=16, depth=1),
    )


def step(gan):
    """Moves all weights by their optimizers, with gradients that the step decides."""
    rng = np.random.default_rng(gan.step)
    for name in ("generator", "discriminator"):
        variables = getattr(gan, name).trainable_variables
        gradients = [tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables]
        getattr(gan, f"{name}_optimizer").apply(gradients, variables)
    gan.after_step()
    return float(tf.reduce_sum(gan.discriminator.trainable_variables[0]))


def fit(gan, steps, *used):
    """Calls callbacks in the order of `keras.Model.fit`."""
    executions = steps // gan.steps_per_execution
    every = keras.callbacks.CallbackList(list(used), model=gan, steps=executions, epochs=1)
    gan.stop_training = False
    every.on_train_begin()
    every.on_epoch_begin(0)
    logs = {}
    for batch in range(executions):
        every.on_train_batch_begin(batch)
        losses = [step(gan) for _ in range(gan.steps_per_execution)]
        logs = {"discriminator_loss": losses[-1]}
        every.on_train_batch_end(batch, logs)
        if gan.stop_training:
            break
    every.on_epoch_end(0, logs)
    every.on_train_end()
    return gan


def train(gan, steps, *used):
    """Trains for a few real steps on digits."""
    gan.fit(tiny.digits(32), batch_size=4, steps_per_epoch=steps, callbacks=[*used], verbose=0)
    return gan


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def scalars(folder):
    """What TensorBoard shows: values by (step, tag); of a step that was written again, the last."""
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for path in folder.iterdir()
        for record in tf.data.TFRecordDataset(str(path))
    ]
    return {
        (event.step, value.tag): tf.make_ndarray(value.tensor)
        for event in sorted(events, key=lambda event: event.wall_time)
        for value in event.summary.value
    }


def linear(shape, **options):
    """A builder of critics w.x + b, whose first weights are seeded."""

    def build():
        initializer = keras.initializers.GlorotUniform(seed=1)
        head = keras.layers.Dense(1, kernel_initializer=initializer, **options)
        return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), head])

    return build


def assert_mean(samples, expected):
    """Fails if independent samples have another mean: by 5 standard errors, 1 in 2 million."""
    samples = np.asarray(samples, np.float64).reshape(-1)
    error = samples.std() / np.sqrt(samples.size)
    assert abs(samples.mean() - expected) < 5 * error
