"""Flags that make several networks of one player a mixture."""

from collections.abc import Callable
from typing import Any

from absl import flags

import tfgans
from tfgans.mixtures.mixture import ROUTINGS, WEIGHT_UPDATES

FLAGS = flags.FLAGS
flags.DEFINE_integer("num_generators", 1, "more than 1: a mixture", lower_bound=1)
flags.DEFINE_integer("num_discriminators", 1, "more than 1: a mixture", lower_bound=1)
flags.DEFINE_enum("routing", None, ROUTINGS, "of a mixture in training; default: slices")
flags.DEFINE_enum(
    "weight_update", None, WEIGHT_UPDATES, "of a mixture; default: exponentiated_gradient"
)
flags.DEFINE_float("entropy_weight", None, "of a mixture; default: 0.05", lower_bound=0)
flags.DEFINE_float("weight_learning_rate", None, "of a mixture; default: 0.01", lower_bound=0)

OPTIONS = ("routing", "weight_update", "entropy_weight", "weight_learning_rate")
# What a resumed run must have the same.
DECISIVE = ("num_generators", "num_discriminators", *OPTIONS)
# Far enough apart that the components of two runs with neighbouring seeds do not begin alike.
_SEED_STRIDE = 2**20

flags.register_multi_flags_validator(
    DECISIVE,
    lambda given: (
        max(given["num_generators"], given["num_discriminators"]) > 1
        or all(given[name] is None for name in OPTIONS)
    ),
    f"--{', --'.join(OPTIONS)} are of mixtures: give --num_generators or --num_discriminators",
)


def player(
    mixture: Callable[..., tfgans.mixtures.Mixture], make: Callable[..., Any], count: int
) -> Any:
    """Returns `make(seed=...)`, or a mixture of `count` such networks."""
    networks = [make(seed=FLAGS.seed + index * _SEED_STRIDE) for index in range(count)]
    if count == 1:
        return networks[0]
    given = {name: FLAGS[name].value for name in OPTIONS}
    return mixture(networks, **{name: value for name, value in given.items() if value is not None})
