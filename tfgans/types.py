"""Types that signatures share."""

from collections.abc import MutableMapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

# What a network takes: a tensor, or the list [tensor, labels] of a conditional one.
Inputs: TypeAlias = tf.Tensor | Sequence[tf.Tensor]
# What `get_config` returns; Keras gives its values no type.
Config: TypeAlias = dict[str, Any]
# The shape of one example or latent, without the batch axis.
Shape: TypeAlias = tuple[int | None, ...]
# Where `save_own_variables` writes: arrays by name.
Store: TypeAlias = MutableMapping[str, np.ndarray]
