"""Flags that make a mixture of several networks of a player."""

from collections.abc import Callable
from typing import Any

from tfgans.cli.parser import Parser

ROUTINGS = ("slices", "all", "categorical")
WEIGHT_UPDATES = ("exponentiated_gradient", "softmax")
_ROUTING = {"num_generators": "generator_routing", "num_discriminators": "discriminator_routing"}
_COUNTS = tuple(_ROUTING)
_SHARED = ("weight_update", "entropy_weight", "weight_learning_rate")
# Keeps the components of two runs with neighboring seeds apart.
_SEED_STRIDE = 2**20
_ADAPTATION = ("adapt_every", "max_generators")
FLAGS = (*_COUNTS, *_ROUTING.values(), *_SHARED, *_ADAPTATION)


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Mixtures (MIX+GAN)")
    group.integer(
        "num_generators",
        1,
        "more than 1 makes a mixture of generators; try 4 first, but not with wgan_gp",
        at_least=1,
    )
    group.integer(
        "num_discriminators", 1, "more than 1 makes a mixture of discriminators", at_least=1
    )
    group.choice(
        "generator_routing",
        None,
        ROUTINGS,
        "which examples of a batch each generator makes; default: slices",
    )
    group.choice(
        "discriminator_routing",
        None,
        ROUTINGS,
        "which examples of a batch each discriminator judges; default: slices",
    )
    group.choice(
        "weight_update",
        None,
        WEIGHT_UPDATES,
        "update rule of the weights; default: exponentiated_gradient",
    )
    group.number(
        "entropy_weight", None, "pull of the weights towards uniform; default: 0.05", at_least=0
    )
    group.number(
        "weight_learning_rate", None, "learning rate of the weights; default: 0.01", at_least=0
    )
    group.integer(
        "adapt_every",
        0,
        "training steps between checks of the generators' weights; generators whose weight "
        "vanishes are dropped; 0: never",
        at_least=0,
    )
    group.integer(
        "max_generators",
        None,
        "split the generator with the largest weight until there are this many; needs "
        "--adapt_every",
        at_least=2,
    )
    parser.check(
        ("num_generators", *_ADAPTATION),
        lambda values: values["num_generators"] > 1 or not values["adapt_every"],
        "--adapt_every needs a mixture: pass --num_generators of at least 2",
    )
    parser.check(
        ("num_generators", *_ADAPTATION),
        lambda values: (
            values["max_generators"] is None
            or (values["adapt_every"] > 0 and values["max_generators"] >= values["num_generators"])
        ),
        "--max_generators needs --adapt_every, and must be at least --num_generators",
    )
    parser.check(
        FLAGS,
        lambda values: (
            max(values[name] for name in _COUNTS) > 1
            or all(values[name] is None for name in _SHARED)
        ),
        f"--{', --'.join(_SHARED)} need a mixture: pass --num_generators or --num_discriminators",
    )
    for count, routing in _ROUTING.items():
        _check_routing(parser, count, routing)


def _check_routing(parser: Parser, count: str, routing: str) -> None:
    parser.check(
        (count, routing),
        lambda values: values[count] > 1 or values[routing] is None,
        f"--{routing} needs a mixture: pass --{count} of at least 2",
    )


def routing_flag(parser: Parser) -> str:
    """Returns the flag of the routing that is set, for errors."""
    generator, discriminator = _ROUTING.values()
    return generator if parser.is_set(generator) else discriminator


def network_or_mixture(
    parser: Parser, mixture: Callable[..., Any], build: Callable[[int], Any], count: str
) -> Any:
    """Returns the network `build(seed)`, or a mixture of as many as the flag `count` says."""
    values = parser.values
    networks = [build(values.seed + index * _SEED_STRIDE) for index in range(values[count].value)]
    if len(networks) == 1:
        return networks[0]
    options = {"routing": values[_ROUTING[count]].value}
    options |= {name: values[name].value for name in _SHARED}
    return mixture(
        networks, **{name: value for name, value in options.items() if value is not None}
    )
