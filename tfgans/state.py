"""The state of augmentations and regularizers, and how these are copied."""

import weakref
from collections.abc import Callable, Iterable
from typing import Protocol, Self, TypeAlias

import keras
import numpy as np

from tfgans.types import Config


class State(keras.layers.Layer):
    """A layer whose weights no optimizer moves; they are saved and resumed with the model.

    Args:
        name: String.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float32", autocast=False)

    def add_number(
        self, name: str, *, shape: tuple[int, ...] = (), dtype: str = "float32", value: float = 0.0
    ) -> keras.Variable:
        """Returns a new variable of `shape`, all of it `value`."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=keras.initializers.Constant(value),
            trainable=False,
            autocast=False,
            # Replicas see the same numbers, so the first decides for all.
            aggregation="only_first_replica",
        )


# The model that moves the state of a layer.
_owners: weakref.WeakKeyDictionary[keras.layers.Layer, weakref.ref[keras.Model]] = (
    weakref.WeakKeyDictionary()
)


def claim(layers: Iterable[keras.layers.Layer], model: keras.Model) -> None:
    """Makes a model the only one that moves the state of layers.

    Raises:
        ValueError: If another model that still exists moves the state of one of them.
    """
    layers = list(layers)
    for layer in layers:
        owner = _owners[layer]() if layer in _owners else None
        if owner not in (None, model):
            raise ValueError(
                "Instance noise, augmentations and regularizers have a state that training "
                f"changes, so each belongs to one model. Received: {layer.name!r} of another "
                "compiled model. Make a new object for each model"
            )
    _owners.update((layer, weakref.ref(model)) for layer in layers)


class Stateful(Protocol):
    """A frozen object with a config and a state."""

    @property
    def state(self) -> keras.layers.Layer:
        """The layer whose weights move in training."""

    def get_config(self) -> Config:
        """Returns the settings, enough for `from_config`."""

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Makes an object from the result of `get_config`."""


_Arguments: TypeAlias = tuple[type[Stateful], Config, list[np.ndarray]]


def reduce_stateful(value: Stateful) -> tuple[Callable[..., Stateful], _Arguments]:
    """Returns what `value.__reduce__` must: a copy has the same config and weights of its own."""
    return _restored, (type(value), value.get_config(), value.state.get_weights())


def _restored(cls: type[Stateful], config: Config, weights: list[np.ndarray]) -> Stateful:
    value = cls.from_config(config)
    value.state.set_weights(weights)
    return value
