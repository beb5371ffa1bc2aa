"""The settings and the state of augmentations and regularizers, and how these are copied."""

import dataclasses
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import keras
import numpy as np

from tfgans.types import Config

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def settings(instance: "DataclassInstance") -> Config:
    """Returns the constructor's arguments of a dataclass instance, by name."""
    return {
        field.name: getattr(instance, field.name)
        for field in dataclasses.fields(instance)
        if field.init
    }


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


# The layers whose state a model moves.
_claimed: weakref.WeakSet[keras.layers.Layer] = weakref.WeakSet()


def claim(layers: Iterable[keras.layers.Layer]) -> None:
    """Marks layers whose state a model moves; raises ValueError for those of another model."""
    layers = list(layers)
    for layer in layers:
        if layer in _claimed:
            raise ValueError(
                "The state of instance noise, of an augmentation and of a regularizer belongs to "
                f"a single model, whose training moves it. Received: {layer.name!r} of another "
                "model. Make a new object for each model"
            )
    _claimed.update(layers)


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
