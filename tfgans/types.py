"""Types that signatures share."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# What a network takes: a tensor, or the list [tensor, labels] of a conditional one.
Inputs = tf.Tensor | Sequence[tf.Tensor]
# What `get_config` returns; Keras gives its values no type.
Config = dict[str, Any]
# The shape of one example or latent, without the batch axis.
Shape = tuple[int | None, ...]
# Where `save_own_variables` writes: arrays by name.
Store = MutableMapping[str, np.ndarray]
