"""Keeps an update from changing components of a mixture that have no gradient."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from tfgans import compat


@contextlib.contextmanager
def restore_idle_components(
    components: Sequence[keras.Model],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
) -> Iterator[None]:
    """Restores components whose gradient is zero throughout after the update in the block.

    Such a component received no example, or only examples whose loss is flat, as beyond the margin
    of the hinge loss. A zero gradient does not leave a weight as it is: an optimizer with momentum
    moves it by what it remembers, and forgets a part of that.

    Args:
        components: The networks of the mixture.
        variables: The trainable variables of the mixture.
        optimizer: Its optimizer, built.
        gradients: A gradient for each of the variables, None where the loss does not depend on it.
    """
    slots = compat.optimizer_slots(optimizer, variables)
    by_variable = {
        id(variable): (gradient, group)
        for variable, gradient, group in zip(variables, gradients, slots, strict=True)
    }
    kept = []
    for component in components:
        entries = [by_variable[id(variable)] for variable in component.trainable_variables]
        dense = [tf.convert_to_tensor(gradient) for gradient, _ in entries if gradient is not None]
        reached = tf.reduce_any([tf.reduce_any(gradient != 0) for gradient in dense])
        kept += [
            (reached, state, tf.identity(state.value)) for _, group in entries for state in group
        ]
    yield
    for reached, state, before in kept:
        state.assign(tf.where(reached, state.value, before))
