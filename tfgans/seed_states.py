"""Saves the random states of layers such as Dropout, which Keras leaves out of model files."""

from collections.abc import Sequence

import keras
import numpy as np

from tfgans.types import Store

_SEED_STATE = "seed_generator_state"


def seed_states(networks: Sequence[keras.Model | None]) -> list[keras.Variable]:
    """Returns the states of random layers, in the order of the networks, each state once."""
    states = {
        id(variable): variable
        for network in networks
        if network is not None
        for variable in network.variables
        if variable.path.endswith(_SEED_STATE)
    }
    return list(states.values())


def save_seed_states(networks: Sequence[keras.Model | None], store: Store) -> None:
    """Writes the states of random layers, in the order of `seed_states`."""
    for index, variable in enumerate(seed_states(networks)):
        store[f"{_SEED_STATE}_{index}"] = variable.numpy()


def load_seed_states(networks: Sequence[keras.Model | None], store: Store) -> None:
    """Restores the states that `save_seed_states` wrote, of the networks in the same order.

    Raises:
        ValueError: If the file belongs to a model with other random layers.
    """
    variables = seed_states(networks)
    saved = [name for name in list(store.keys()) if name.startswith(_SEED_STATE)]
    if len(saved) != len(variables):
        raise ValueError(
            f"The file must hold the random state of {len(variables)} layers (Dropout and its "
            f"like). Received: {len(saved)}. It was saved from another architecture"
        )
    for index, variable in enumerate(variables):
        variable.assign(np.asarray(store[f"{_SEED_STATE}_{index}"]))
