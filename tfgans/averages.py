"""The exponential moving average of a network's weights."""

import keras
import tensorflow as tf

from tfgans import compat

_HALF = ("float16", "bfloat16")


def copy_network(network: keras.Model) -> keras.Model:
    """Returns a network of the same architecture and name with the same weights.

    Raises:
        ValueError: If the network cannot be made again from its config.
    """
    try:
        copy = keras.models.clone_model(network)
    except (NotImplementedError, TypeError, ValueError) as error:
        # Keras raises ValueError for a layer that has a config, and its message says what to do.
        advice = "" if isinstance(error, ValueError) else "Give it `get_config` and `from_config`. "
        raise ValueError(
            "A copy of a network is made from its config (for `ema`, `split_component`, "
            f"`DCD.from_gan`). Received: {type(network).__name__}, which cannot be copied. {advice}"
            f"Keras says: {error}"
        ) from error
    copy.name = network.name
    if not copy.built:
        copy.build(network.input_shape)
    copy.set_weights(network.get_weights())
    for layer in compat.all_layers(copy):
        # Keras computes the constants of `Normalization` and `Discretization` from their weights
        # in `adapt` and when a file is loaded, but not in `set_weights`.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return copy


def check_precision(network: keras.Model) -> None:
    """Raises ValueError if the weights are too coarse for a moving average."""
    half = next((variable for variable in network.weights if variable.dtype in _HALF), None)
    if half is not None:
        raise ValueError(
            "`ema` needs weights of float32 or more: in half precision an average stands still. "
            f"Received: {network.name!r} with {half.path!r} in {half.dtype}. Use the policy "
            "'mixed_float16' or 'mixed_bfloat16', or leave `ema` out"
        )


def move_average(average: keras.Model, network: keras.Model, decay: tf.Tensor) -> None:
    """Moves each weight of `average` towards that of `network`.

    Args:
        average: The network that holds the average.
        network: The network that is being trained.
        decay: Float scalar in [0, 1), the share of the average that stays.
    """
    for slow, fast in zip(average.weights, network.weights, strict=True):
        if tf.as_dtype(fast.dtype).is_floating:
            slow.assign(fast + tf.cast(decay, fast.dtype) * (slow - fast))
        else:
            slow.assign(fast)
