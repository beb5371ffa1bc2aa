"""The optimizer of one player: built early, wrapped for float16, applied to its own network."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgans.mixtures import Mixture
from tfgans.models import replicas, untouched
from tfgans.models.adam import FusedAdam


def adam_pair(learning_rate: Any, *, beta_1: float, beta_2: float) -> tuple[Any, Any]:
    """Returns two new Adam optimizers, one a player."""
    generator, discriminator = (
        FusedAdam(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2) for _ in range(2)
    )
    return generator, discriminator


def rmsprop_pair(learning_rate: float) -> tuple[Any, Any]:
    """Returns two new RMSprop optimizers with PyTorch's settings, in which WGANs were published."""
    generator, discriminator = (
        keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=1e-8) for _ in range(2)
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
        ValueError: If it was built for other variables, its name is not known, or it clips
            gradients under several replicas.
    """
    optimizer = keras.optimizers.get(optimizer)
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wrapped and _computes_in_float16(network):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variables = network.trainable_variables
    clips = ("clipnorm", "global_clipnorm", "clipvalue")
    inner = optimizer.inner_optimizer if hasattr(optimizer, "inner_optimizer") else optimizer
    if replicas.count() > 1 and any(getattr(inner, name, None) is not None for name in clips):
        raise ValueError(
            "Under several replicas Keras clips before the gradients are summed, which is not what "
            f"one device does. Received: {optimizer.name!r} with one of {', '.join(clips)}. Leave "
            "it out"
        )
    if not optimizer.built:
        optimizer.build(variables)
    elif [id(one) for one in optimizer._trainable_variables] != [id(one) for one in variables]:
        raise ValueError(
            f"The optimizer {optimizer.name!r} already belongs to other variables than those of "
            f"{network.name!r}. Pass a new one"
        )
    return optimizer


def check_constant_rate(optimizer: Any) -> None:
    """Raises ValueError unless the learning rate is a variable, which can be lowered and saved."""
    if not isinstance(optimizer.learning_rate, keras.Variable):
        raise ValueError(
            "A learning rate that shall be lowered must be a number: a schedule is a function of "
            f"the step. Received: {optimizer.name!r} with a schedule. Use say "
            "`keras.optimizers.Adam(2e-4)` for both players"
        )


def scale(loss: tf.Tensor, optimizer: Any) -> tf.Tensor:
    """Returns what to differentiate: the loss, scaled for float16 and for the replicas' sum."""
    return optimizer.scale_loss(loss / replicas.count())


def gradients(loss: Callable[[tf.GradientTape], tf.Tensor], optimizer: Any, network: Any) -> Any:
    """Returns the scaled gradients of `loss(tape)`, as `apply` takes them."""
    with tf.GradientTape() as tape:
        if isinstance(network, Mixture):
            tape.watch(network.log_weights.value)
        scaled = scale(loss(tape), optimizer)
    return tape.gradient(scaled, sources(network))


def sources(network: Any) -> list[Any]:
    """Returns what a step moves: the trainable variables, and a mixture's own weights."""
    found = [variable.value for variable in network.trainable_variables]
    return [*found, network.log_weights.value] if _has_own_weights(network) else found


def apply(gradients: list[Any], optimizer: Any, network: Any) -> None:
    """Takes one step of `optimizer` on the trainable variables of `network`.

    Mixture weights under exponentiated gradient take a step of their own. Of a mixture with
    categorical routing, components that no example came to stay as they are.

    Args:
        gradients: From `gradients`.
        optimizer: From `prepare`.
        network: The player.
    """
    gradients = _agreed(gradients, optimizer)
    variables, slope = network.trainable_variables, None
    if _has_own_weights(network):
        # Before the optimizer, which may change the loss scale for the next step.
        *gradients, own_slope = gradients
        slope = _unscaled(own_slope, gradients, optimizer)
    if isinstance(network, Mixture) and network.routing == "categorical":
        with untouched.components_without_examples(network, optimizer, gradients):
            optimizer.apply(gradients, variables)
    else:
        optimizer.apply(gradients, variables)
    if slope is not None:
        network.update_weights(replicas.total(slope))


def _agreed(gradients: list[Any], optimizer: Any) -> list[Any]:
    """Returns NaN for all gradients where those of any replica have overflowed in float16.

    Keras asks its first replica alone whether to skip the step.
    """
    if replicas.count() == 1 or not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return gradients
    given = [one for one in gradients if one is not None]
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(one)) for one in given])
    broken = replicas.total(tf.cast(tf.logical_not(finite), tf.float32)) > 0
    return [None if one is None else tf.where(broken, float("nan"), one) for one in gradients]


def _has_own_weights(network: Any) -> bool:
    """Returns whether the network is a mixture whose weights the optimizer does not move."""
    return isinstance(network, Mixture) and network.trainable and network.weight_update != "softmax"


def _unscaled(slope: tf.Tensor, gradients: Sequence[tf.Tensor], optimizer: Any) -> tf.Tensor:
    """Returns the slope without the loss scale; NaN where the optimizer will skip the step."""
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return slope
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(one)) for one in gradients])
    return tf.where(finite, slope / optimizer.scale_loss(1.0), float("nan"))


def _computes_in_float16(network: Any) -> bool:
    return any(layer.compute_dtype == "float16" for layer in network._flatten_layers())
