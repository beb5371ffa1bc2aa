"""The arms of the labs that compare mixtures with single pairs of networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import pandas as pd

from tfgans import mixtures


class Arm(NamedTuple):
    """The networks of an arm.

    Attributes:
        generators: Number of generators; more than one are a mixture.
        discriminators: Number of discriminators, likewise.
        routing: Of a mixture of discriminators: "all" or "slices"; else "none".
        width: Of a generator.
    """

    generators: int
    discriminators: int
    routing: str
    width: int


# A function of `seed` to a network.
Builder = Callable[..., keras.Model]


def players(
    arm: Arm,
    build_generator: Builder,
    build_discriminator: Builder,
    *,
    seed: int,
    weights: Mapping[str, float] | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Returns the generator and the discriminator of an arm, of which no two seeds share networks.

    Args:
        arm: The arm.
        build_generator: Function of `seed` to a generator.
        build_discriminator: Function of `seed` to a discriminator.
        seed: The seed of the run.
        weights: Options of both mixtures, for the updates of their weights.
    """
    generators = [build_generator(seed=1000 * seed + index) for index in range(arm.generators)]
    discriminators = [
        build_discriminator(seed=1000 * seed + 500 + index) for index in range(arm.discriminators)
    ]
    options: dict[str, Any] = dict(weights or {})
    return (
        generators[0] if arm.generators == 1 else mixtures.MixtureGenerator(generators, **options),
        discriminators[0]
        if arm.discriminators == 1
        else mixtures.MixtureDiscriminator(discriminators, routing=arm.routing, **options),
    )


def named(
    rows: pd.DataFrame, arms: Mapping[str, tuple[Any, ...]], fields: Sequence[str]
) -> pd.DataFrame:
    """Returns the rows with the name of their arm in the column `arm`.

    Args:
        rows: A row a run, with a column for each field of an arm.
        arms: The values of the fields, by the name of the arm.
        fields: The names of the fields.
    """
    names = {arm: name for name, arm in arms.items()}
    columns = (rows[field] for field in fields)
    return rows.assign(arm=[names[row] for row in zip(*columns, strict=True)])
