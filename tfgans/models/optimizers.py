"""The optimizer of one player: built early, wrapped for float16, applied to its own network."""

from typing import Any

import keras
import tensorflow as tf


def adam_pair(learning_rate: float, *, beta_1: float, beta_2: float) -> tuple[Any, Any]:
    """Returns two new Adam optimizers, one a player."""
    generator, discriminator = (
        keras.optimizers.Adam(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2)
        for _ in range(2)
    )
    return generator, discriminator


def prepare(optimizer: Any, network: Any) -> Any:
    """Returns `optimizer`, ready for the trainable variables of `network`.

    It is built here, not in the first step: a checkpoint can only restore what exists, and
    `MirroredStrategy` cannot create slots inside a step. A network that computes in float16 gets
    a `LossScaleOptimizer` around it.

    Args:
        optimizer: `keras.optimizers.Optimizer`, or its name.
        network: Keras model whose variables it updates.

    Raises:
        ValueError: If it was built for other variables, or its name is not known.
    """
    optimizer = keras.optimizers.get(optimizer)
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wrapped and _computes_in_float16(network):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variables = network.trainable_variables
    if not optimizer.built:
        optimizer.build(variables)
    elif [id(one) for one in optimizer._trainable_variables] != [id(one) for one in variables]:
        raise ValueError(
            f"The optimizer {optimizer.name!r} already belongs to other variables than those of "
            f"{network.name!r}. Pass a new one"
        )
    return optimizer


def scale(loss: tf.Tensor, optimizer: Any) -> tf.Tensor:
    """Returns what to differentiate: the loss, scaled for float16 and for the replicas' sum."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer.scale_loss(loss / replicas)


def apply(tape: tf.GradientTape, scaled_loss: tf.Tensor, optimizer: Any, network: Any) -> None:
    """Takes one step of `optimizer` on the trainable variables of `network`."""
    variables = network.trainable_variables
    gradients = tape.gradient(scaled_loss, [variable.value for variable in variables])
    optimizer.apply(gradients, variables)


def _computes_in_float16(network: Any) -> bool:
    return any(layer.compute_dtype == "float16" for layer in network._flatten_layers())
