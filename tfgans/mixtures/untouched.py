"""Components of a mixture that no example came to: an update must leave them as they are."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf


@contextlib.contextmanager
def components_without_examples(
    mixture: Any, optimizer: Any, gradients: Sequence[tf.Tensor]
) -> Iterator[None]:
    """Undoes what the block's update did to components whose gradient is zero throughout.

    A zero gradient alone does not leave a weight alone: an optimizer with momentum moves it by what
    it remembers, and forgets a part of that.

    Args:
        mixture: The `Mixture` that is being updated.
        optimizer: Its optimizer, built.
        gradients: One for each of `mixture.trainable_variables`.
    """
    groups = _optimizer_slots(optimizer, mixture.trainable_variables)
    by_variable = {
        id(variable): (gradient, group)
        for variable, gradient, group in zip(
            mixture.trainable_variables, gradients, groups, strict=True
        )
    }
    kept = []
    for component in mixture.components:
        own = [by_variable[id(variable)] for variable in component.trainable_variables]
        touched = tf.reduce_any([tf.reduce_any(gradient != 0) for gradient, _ in own])
        kept += [(touched, one, tf.identity(one.value)) for _, group in own for one in group]
    yield
    for touched, variable, before in kept:
        variable.assign(tf.where(touched, variable.value, before))


def _optimizer_slots(optimizer: Any, variables: Sequence[Any]) -> list[list[Any]]:
    """Returns each variable with what the optimizer remembers of it."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    shapes = [tuple(variable.shape) for variable in variables]
    # Keras optimizers keep one list a kind of slot, in the order of the variables.
    slots = [
        value
        for name, value in vars(optimizer).items()
        if name != "_trainable_variables"
        and isinstance(value, list)
        and [tuple(getattr(one, "shape", (None,))) for one in value] == shapes
    ]
    return [list(group) for group in zip(variables, *slots, strict=True)]
