"""Type aliases shared by signatures."""

from collections.abc import MutableMapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

# The inputs of a network: a tensor, or the list [tensor, labels] of a conditional network.
Inputs: TypeAlias = tf.Tensor | Sequence[tf.Tensor]
# The result of `get_config`; Keras does not type its values.
Config: TypeAlias = dict[str, Any]
# A shape; sizes that are not fixed are None.
Shape: TypeAlias = tuple[int | None, ...]
# What a step logs: scalars by name.
Logs: TypeAlias = dict[str, tf.Tensor]
# The store of `save_own_variables`: arrays by name.
Store: TypeAlias = MutableMapping[str, np.ndarray]
