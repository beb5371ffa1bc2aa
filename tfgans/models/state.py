"""What a model must carry besides weights and optimizers: averages and dropout's random state."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

_SEED_STATE = "seed_generator_state"


def copy_network(network: Any) -> Any:
    """Returns a network of the same architecture with the same weights, not to be trained.

    Raises:
        ValueError: If the network cannot be made again from its config.
    """
    try:
        copy = keras.models.clone_model(network)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            "`ema` needs a copy of the generator, made from its config. Received: "
            f"{type(network).__name__}, which cannot be copied ({error}). "
            "Give it `get_config` and `from_config`, or use `ema=None`"
        ) from error
    if not copy.built:
        copy.build(network.input_shape)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def move_average(average: Any, network: Any, decay: float, step: Any) -> None:
    """Moves each weight of `average` towards the one of `network`.

    Args:
        average: The network that holds the average.
        network: The network that is being trained.
        decay: Float in [0, 1).
        step: Training steps done, at least 1. The decay in force is
            min(decay, (1 + step) / (10 + step)), as `tf.train.ExponentialMovingAverage` has it.
    """
    done = tf.cast(tf.convert_to_tensor(step), tf.float32)
    in_force = tf.minimum(decay, (1.0 + done) / (10.0 + done))
    for slow, fast in zip(average.weights, network.weights, strict=True):
        if tf.as_dtype(fast.dtype).is_floating:
            slow.assign(fast + tf.cast(in_force, fast.dtype) * (slow - fast))
        else:
            slow.assign(fast)


@contextlib.contextmanager
def steady_rounding() -> Iterator[None]:
    """Has TensorFlow compile equal graphs to equal kernels, within the block.

    Its dependency optimizer does not always leave the same graph, and what is then fused with what
    decides the last bit. With several discriminators about one compilation in ten differed, with
    one and R1 and R2 six of sixteen, with a gradient penalty two of sixteen (TensorFlow 2.21 on
    CPU); without that optimizer none. The cost is 0 to 5 % of a step.
    """
    name = "dependency_optimization"
    before = tf.config.optimizer.get_experimental_options().get(name, True)
    tf.config.optimizer.set_experimental_options({name: False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def remember_optimizer_attributes() -> None:
    """Has Keras make one sample optimizer, whose attributes it leaves out, and not one a save.

    Keras 3.15 keeps their names under one key and looks for them under another. The variables of
    each sample have names of their own, and for each name TensorFlow keeps 35 KB: with two
    optimizers 140 KB a backup, for ever.
    """
    names = global_state.get_global_attribute("saving_attr_skipset_Optimizer")
    global_state.set_global_attribute("saving_attr_skiplist_Optimizer", names)


def save_seed_states(model: Any, store: Any) -> None:
    """Writes the states of Dropout and its like, which Keras leaves out of its files."""
    for index, variable in enumerate(_seed_states(model)):
        store[f"{_SEED_STATE}_{index}"] = variable.numpy()


def load_seed_states(model: Any, store: Any) -> None:
    """Reads what `save_seed_states` wrote.

    Raises:
        ValueError: If the file is of a model with other random layers.
    """
    variables = _seed_states(model)
    saved = [name for name in list(store.keys()) if name.startswith(_SEED_STATE)]
    if len(saved) != len(variables):
        raise ValueError(
            f"The file must hold the random state of {len(variables)} layers (Dropout and its "
            f"like). Received: {len(saved)}. It was saved from another architecture"
        )
    for index, variable in enumerate(variables):
        variable.assign(np.asarray(store[f"{_SEED_STATE}_{index}"]))


def _seed_states(model: Any) -> list[Any]:
    return [variable for variable in model.variables if variable.path.endswith(_SEED_STATE)]
