"""Whether two networks fit each other, and the game they are to play."""

from typing import Any

import keras

from tfgans import checks, shapes
from tfgans.layers import InstanceNoise
from tfgans.mixtures import MixtureDiscriminator, MixtureGenerator
from tfgans.mixtures.mixture import holds_mixture
from tfgans.objectives import Objective
from tfgans.penalties import Penalty, PenaltySum
from tfgans.penalties.penalty import refuse_batch_statistics


def check_networks(generator: Any, discriminator: Any, *, num_classes: int | None) -> None:
    """Raises ValueError unless the generator's output is the discriminator's input.

    Args:
        generator: The one player.
        discriminator: The other.
        num_classes: Of the labels that both must take; None if they must take none.
    """
    if generator is discriminator:
        raise ValueError("`generator` and `discriminator` must be two networks. Received one twice")
    _check_kinds(generator, discriminator)
    for role, network in (("generator", generator), ("discriminator", discriminator)):
        _check_labels(role, network, num_classes)
    made = shapes.output_shape(generator, "generator")
    taken = shapes.input_shape(discriminator, "discriminator")
    fits = len(made) == len(taken) and all(
        size is None or wanted is None or size == wanted
        for size, wanted in zip(made, taken, strict=True)
    )
    if not fits:
        raise ValueError(
            "The generator's output must have the shape of the discriminator's input. "
            f"Received: generator output {made}, discriminator input {taken}. "
            "Build both for the same `source.data_shape`"
        )
    mixed = isinstance(discriminator, MixtureDiscriminator)
    logits = shapes.output_shape(discriminator, "discriminator")
    if not mixed and logits != (1,):
        raise ValueError(
            "The discriminator must return one logit an example, of shape [batch, 1]. "
            f"Received: output shape {(None, *logits)}. End it with `Dense(1)`, or make several "
            "networks a `tfgans.MixtureDiscriminator`"
        )
    for network in discriminator.components if mixed else [discriminator]:
        _refuse_probabilities(network)


def _check_kinds(generator: Any, discriminator: Any) -> None:
    kinds = {MixtureGenerator: generator, MixtureDiscriminator: discriminator}
    for kind, network in kinds.items():
        if isinstance(network, kind) or not isinstance(network, keras.layers.Layer):
            continue
        if holds_mixture(network):
            raise ValueError(
                f"A mixture in this place must be a `tfgans.{kind.__name__}` itself: inside "
                f"another network its weights would not learn. Received: {network!r}. Put "
                "further layers into the components"
            )


def _check_labels(role: str, network: Any, num_classes: int | None) -> None:
    if shapes.takes_labels(network) == (num_classes is not None):
        _check_classes(role, network, num_classes)
        return
    if num_classes is not None:
        raise ValueError(
            f"With `num_classes` the {role} must take two inputs: a tensor, and labels of shape "
            f"[batch]. Received: {network.name!r}, which takes no labels. Build it with the same "
            "`num_classes`, or leave `num_classes` out"
        )
    raise ValueError(
        f"The {role} takes labels, so the model must know how many classes there are. Received: "
        f"{network.name!r} with a second input, and num_classes=None. Pass `num_classes`"
    )


def _check_classes(role: str, network: Any, num_classes: int | None) -> None:
    if num_classes is None:
        return
    # Of our own layers; what a user's layer means by the name is not known.
    ours = [one for one in network._flatten_layers() if type(one).__module__.startswith("tfgans.")]
    found = {getattr(layer, "num_classes", num_classes) for layer in ours} - {num_classes}
    if found:
        raise ValueError(
            f"The {role} must be built for the classes of the model, {num_classes}. Received: "
            f"{network.name!r}, built with num_classes={found.pop()}"
        )


def _refuse_probabilities(discriminator: Any) -> None:
    last = (getattr(discriminator, "layers", None) or [discriminator])[-1]
    name = getattr(getattr(last, "activation", None), "__name__", None)
    if name in ("sigmoid", "softmax"):
        raise ValueError(
            "The discriminator must return logits, before any sigmoid: the losses apply it. "
            f"Received: a last layer {last.name!r} with activation {name!r}. Remove the activation"
        )


def latent_shape(generator: Any) -> tuple[int, ...]:
    """Returns the shape of one latent, which must be fixed: latents are drawn by it."""
    shape = shapes.input_shape(generator, "generator")
    fixed = tuple(size for size in shape if size is not None)
    if len(fixed) != len(shape):
        raise ValueError(
            "The generator's input must have a fixed shape but for the batch. "
            f"Received: {(None, *shape)}"
        )
    return fixed


def check_game(objective: Any, penalty: Any, instance_noise: Any, discriminator: Any) -> None:
    """Raises ValueError unless these are what they should be and go together."""
    checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
    _check_penalty(penalty, discriminator)
    _check_noise(instance_noise, objective)
    _check_routing(objective, discriminator)


def _check_penalty(penalty: Any, discriminator: Any) -> None:
    if penalty is None:
        return
    if isinstance(penalty, list | tuple):
        raise ValueError(
            "Several penalties go into one `tfgans.penalties.PenaltySum`. Received: "
            f"{type(penalty).__name__} of {len(penalty)}"
        )
    if not isinstance(penalty, PenaltySum):
        checks.instance("penalty", penalty, Penalty, "tfgans.penalties.GradientPenalty()")
    refuse_batch_statistics(discriminator)
    categorical = getattr(discriminator, "routing", None) == "categorical"
    if categorical and penalty.fraction < 1:
        raise ValueError(
            "With routing='categorical' a row finds its discriminator by its place in the whole "
            f"batch. Received: a penalty with fraction={penalty.fraction}. Use routing='slices', "
            "or a fraction of 1"
        )


def _check_noise(instance_noise: Any, objective: Objective) -> None:
    if instance_noise is None:
        return
    checks.instance(
        "instance_noise", instance_noise, InstanceNoise, "tfgans.layers.InstanceNoise(0.1, ...)"
    )
    if instance_noise.is_adaptive and objective.decision_threshold is None:
        raise ValueError(
            "Adaptive instance noise follows the discriminator's accuracy, which this game does "
            f"not define: its logits have no level. Received: {objective}. Use another schedule"
        )


def _check_routing(objective: Objective, discriminator: Any) -> None:
    mixed = isinstance(discriminator, MixtureDiscriminator) and discriminator.num_components > 1
    if objective.weighs_fakes and mixed and discriminator.routing == "categorical":
        raise ValueError(
            "This game weighs each fake by the others that its discriminator judges, which "
            f"categorical routing scatters. Received: {objective}. Use routing='slices' or 'exact'"
        )
