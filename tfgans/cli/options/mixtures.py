"""Flags that make a mixture of several networks of a player."""

from collections.abc import Callable
from typing import Any

from tfgans.cli.parser import Parser

ROUTINGS = ("slices", "exact", "categorical")
WEIGHT_UPDATES = ("exponentiated_gradient", "softmax")
_OPTIONS = ("routing", "weight_update", "entropy_weight", "weight_learning_rate")
_COUNTS = ("num_generators", "num_discriminators")
# Keeps the components of two runs with neighboring seeds apart.
_SEED_STRIDE = 2**20
FLAGS = (*_COUNTS, *_OPTIONS)


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Mixtures (MIX+GAN)")
    group.integer("num_generators", 1, "more than 1 makes a mixture of generators", at_least=1)
    group.integer(
        "num_discriminators", 1, "more than 1 makes a mixture of discriminators", at_least=1
    )
    group.choice(
        "routing",
        None,
        ROUTINGS,
        "which examples each component trains on; default: slices",
    )
    group.choice(
        "weight_update",
        None,
        WEIGHT_UPDATES,
        "update rule of the weights; default: exponentiated_gradient",
    )
    group.number(
        "entropy_weight", None, "pull of the weights to uniform; default: 0.05", at_least=0
    )
    group.number(
        "weight_learning_rate", None, "learning rate of the weights; default: 0.01", at_least=0
    )
    parser.check(
        FLAGS,
        lambda values: (
            max(values[name] for name in _COUNTS) > 1
            or all(values[name] is None for name in _OPTIONS)
        ),
        f"--{', --'.join(_OPTIONS)} need a mixture: pass --num_generators or --num_discriminators",
    )


def player(
    parser: Parser, mixture: Callable[..., Any], build: Callable[[int], Any], count: int
) -> Any:
    """Returns the network `build(seed)`, or a mixture of `count` such networks."""
    networks = [build(parser.values.seed + index * _SEED_STRIDE) for index in range(count)]
    if count == 1:
        return networks[0]
    options = {name: parser.values[name].value for name in _OPTIONS}
    return mixture(
        networks, **{name: value for name, value in options.items() if value is not None}
    )
