"""Immutable values whose fields are their config."""

import dataclasses
from typing import Self

import keras

from tfgans.types import Config


@dataclasses.dataclass(frozen=True)
class Settings:
    """A value that Keras saves by the fields of its dataclass.

    A field may be a number, a string, a list (a tuple becomes a list), or what Keras serializes:
    other settings, a registered function.
    """

    def get_config(self) -> Config:
        """Returns the fields, enough for `from_config`."""
        config = {
            field.name: keras.saving.serialize_keras_object(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.init
        }
        # Lists, as they come back from JSON.
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in config.items()
        }

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Makes the value from the result of `get_config`."""
        return cls(**keras.saving.deserialize_keras_object(config))
