"""Perturbs a copy of a component of a mixture, so that the two diverge."""

import keras
import tensorflow as tf

from tfgans import random, seed_states


def perturb(
    copy: keras.Model, average: keras.Model | None, *, noise: float, key: tf.Tensor
) -> None:
    """Adds normal noise to the trainable variables of a copy, and the same to its average.

    Random layers of both (Dropout and its like) get new states.

    Args:
        copy: A network.
        average: The network that holds its moving average, or None.
        noise: Float of at least 0, the standard deviation of the noise, as a multiple of the root
            mean square of a variable.
        key: The int64[2] random key.
    """
    networks = [copy] if average is None else [copy, average]
    for index, variables in enumerate(zip(*(each.weights for each in networks), strict=True)):
        value = tf.cast(variables[0], tf.float32)
        scale = noise * tf.sqrt(tf.reduce_mean(tf.square(value)))
        change = scale * random.normal(value.shape, random.fold(key, index))
        for variable in variables if variables[0].trainable else ():
            variable.assign_add(tf.cast(change, variable.dtype))
    for network in networks:
        for index, state in enumerate(seed_states.seed_states([network])):
            draws = random.uniform(state.shape, random.fold(key, len(network.weights) + index))
            state.assign(tf.cast(draws * 2.0**24, state.dtype))
