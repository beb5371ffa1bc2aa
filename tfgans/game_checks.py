"""Checks that two networks, and the parts of a game between them, are compatible."""

import inspect
from collections.abc import Sequence
from typing import Literal

import keras
import tensorflow as tf

from tfgans import checks, compat, shapes
from tfgans.augmentation import Augmentation
from tfgans.last_activation import check_image_generator, refuse_probabilities
from tfgans.layers import InstanceNoise
from tfgans.objectives import Objective
from tfgans.penalties import Penalty, PenaltySum
from tfgans.penalties.penalty import refuse_batch_statistics
from tfgans.players import DiscriminatorPlayer, GeneratorPlayer
from tfgans.regularizers import Regularizer
from tfgans.types import Logs


def check_networks(
    generator: GeneratorPlayer, discriminator: DiscriminatorPlayer, *, num_classes: int | None
) -> None:
    """Raises ValueError unless the generator's output is the discriminator's input.

    Args:
        generator: The player that makes examples.
        discriminator: The player that judges them.
        num_classes: Int, the classes of the labels that both must take; None for no labels.
    """
    if generator.network is discriminator.network:
        raise ValueError(
            "`generator` and `discriminator` must be two networks. Received the same network twice"
        )
    ids = {id(variable) for variable in generator.network.variables}
    trained = discriminator.network.trainable_variables
    shared = [variable for variable in trained if id(variable) in ids]
    if shared:
        raise ValueError(
            "The networks must not share layers: each player would change the weights of the "
            f"other. Received: networks that share {shared[0].path!r}. Build a layer for each"
        )
    for role, player in (("generator", generator), ("discriminator", discriminator)):
        _check_labels(role, player.network, num_classes)
        _refuse_stateful_layers(role, player.network)
    output = shapes.output_shape(generator.network, "generator")
    expected = shapes.input_shape(discriminator.network, "discriminator")
    if not shapes.are_compatible(output, expected):
        raise ValueError(
            "The generator's output must have the shape of the discriminator's input. "
            f"Received: generator output {output}, discriminator input {expected}. "
            "Pass the generator first, and build both for the same `source.data_shape`"
        )
    for network in discriminator.components:
        logits = shapes.output_shape(network, "discriminator")
        if logits != (1,):
            raise ValueError(
                "The discriminator must return one logit per example, of shape [batch, 1]. "
                f"Received: output shape {(None, *logits)}. End it with `Dense(1)`, or make "
                "several networks a `tfgans.MixtureDiscriminator`"
            )
        refuse_probabilities(network)
    for network in generator.components:
        check_image_generator(network)


def check_game(
    objective: Objective,
    penalty: Penalty | PenaltySum | None,
    instance_noise: InstanceNoise | None,
    generator: GeneratorPlayer,
    discriminator: DiscriminatorPlayer,
) -> None:
    """Raises ValueError unless the parts of the game have the right types and are compatible."""
    checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
    _check_saves_settings("objective", objective)
    categorical = discriminator.routing == "categorical"
    _check_penalty(penalty, discriminator.network, categorical=categorical)
    _check_noise(instance_noise, objective)
    check_groups(penalty, generator, discriminator)
    if objective.weighs_fakes and categorical and discriminator.num_components > 1:
        raise ValueError(
            "The objective weights each fake by the other fakes of the same discriminator, which "
            f"routing='categorical' splits up. Received: {objective}. Use routing='slices' or 'all'"
        )


def check_terms(
    objective: Objective, terms: tf.Tensor | tuple[tf.Tensor, tf.Tensor], *logits: tf.Tensor
) -> None:
    """Raises ValueError unless each term of a loss is a number for each logit.

    Args:
        objective: The objective, whose loss a user may have written.
        terms: What its loss returned.
        *logits: Float [rows, columns], those of the fakes for the generator's loss; those of the
            real examples and those of the fakes for the discriminator's loss.
    """
    is_pair = len(logits) == 2
    received = terms if is_pair else (terms,)
    if (
        isinstance(received, tuple)
        and len(received) == len(logits)
        and all(
            isinstance(term, tf.Tensor)
            and term.dtype == of.dtype
            and term.shape.is_compatible_with(of.shape)
            for term, of in zip(received, logits, strict=True)
        )
    ):
        return
    name, what = (
        ("discriminator_loss", "a tuple of two tensors, the terms on the real and on the fake")
        if is_pair
        else ("generator_loss", "a tensor, the terms on the fake")
    )
    raise ValueError(
        f"`{name}` of an objective must return {what} examples, of the shape and dtype of the "
        f"logits, {logits[-1].shape} and {logits[-1].dtype.name}, before any mean. Received: "
        f"{checks.short(terms)} of {objective!r}"
    )


# The logs of each loss that the model itself reads.
_REQUIRED_LOGS = {
    "discriminator_loss": ("discriminator_loss", "real_logits", "fake_logits"),
    "generator_loss": ("generator_loss",),
}


def check_loss(
    name: Literal["discriminator_loss", "generator_loss"], result: tuple[tf.Tensor, Logs]
) -> tuple[tf.Tensor, Logs]:
    """Returns a loss and its logs, or raises ValueError unless all are scalars.

    Args:
        name: The method of a model, which a user may have written.
        result: What it returned.
    """
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
        raise ValueError(
            f"`{name}` must return the loss and a dictionary of logs, `loss, logs`. Received: "
            f"{checks.short(result)}"
        )
    loss, logs = result
    for what, value in ({"the loss": loss} | logs).items():
        if value is None:
            raise ValueError(
                f"`{name}` must return scalars, means over the batch. Received: {what} is None"
            )
        shape = tf.convert_to_tensor(value).shape
        if not shape.is_compatible_with([]):
            raise ValueError(
                f"`{name}` must return scalars, means over the batch. Received: {what} of shape "
                f"{shape}. Take its mean, say by `tf.reduce_mean`"
            )
    missing = [log for log in _REQUIRED_LOGS[name] if log not in logs]
    if missing:
        raise ValueError(
            f"The logs that `{name}` returns must contain {', '.join(_REQUIRED_LOGS[name])}. "
            f"Received: logs without {', '.join(missing)}"
        )
    return loss, logs


def refuse_groups(discriminator: DiscriminatorPlayer, where: str) -> None:
    """Raises ValueError if examples are judged in groups (`MinibatchStdDev`).

    Args:
        discriminator: The player that judges.
        where: What needs a logit that depends on its example alone.
    """
    if discriminator.group_size > 1:
        raise ValueError(
            f"With {where} each logit must depend on its example alone. Received: "
            f"{discriminator.network.name!r} with a `MinibatchStdDev`, which compares groups of "
            f"{discriminator.group_size}. Leave one of them out"
        )


def check_groups(
    penalty: Penalty | PenaltySum | None,
    generator: GeneratorPlayer,
    discriminator: DiscriminatorPlayer,
) -> None:
    """Raises ValueError if examples are judged in groups, and these are not as the layer needs."""
    if penalty is not None and penalty.fraction < 1:
        refuse_groups(discriminator, "the `fraction` of a penalty")
    if discriminator.routing == "categorical":
        refuse_groups(discriminator, "routing='categorical'")
    if generator.num_components > 1 and generator.routing != "categorical":
        # The examples of a group would come from a single component.
        refuse_groups(discriminator, f"a generator of routing={generator.routing!r}")


def unsaved_arguments(model: keras.Model) -> list[str]:
    """Returns the arguments of the constructor of a subclass that its `get_config` does not know.

    These are the arguments that a class adds to those of the class that defines `get_config`.
    """
    classes = type(model).__mro__
    depth = next(depth for depth, cls in enumerate(classes) if "get_config" in vars(cls))
    saved = inspect.signature(classes[depth]).parameters
    return [
        name
        for cls in classes[:depth]
        if "__init__" in vars(cls)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in saved
    ]


def _refuse_stateful_layers(role: str, network: keras.Model) -> None:
    """Raises ValueError for a recurrent layer that keeps its state from batch to batch."""
    for layer in compat.all_layers(network):
        if isinstance(layer, keras.layers.RNN) and layer.stateful:
            raise ValueError(
                "The output of a network for an example must not depend on earlier batches, or the "
                f"same seed would give different samples. Received: the {role}'s layer "
                f"{layer.name!r} with stateful=True. Build it with stateful=False"
            )


def _check_labels(role: str, network: keras.Model, num_classes: int | None) -> None:
    if num_classes is None:
        if not shapes.takes_labels(network):
            return
        raise ValueError(
            f"The {role} takes labels, so the model must know the number of classes. Received: "
            f"{network.name!r} with a second input, and num_classes=None. Pass `num_classes`"
        )
    if not shapes.takes_labels(network):
        # A subclassed model has no `input_shape`.
        received = getattr(network, "input_shape", None) or network.get_build_config()
        raise ValueError(
            f"With `num_classes` the {role} must take the list [tensor, labels], in which labels "
            f"are integers of shape [batch]. Received: {network.name!r} with the input shape "
            f"{received}. Make the labels a `keras.Input((), dtype='int32')` and encode them "
            "inside the network, or leave `num_classes` out"
        )
    for layer in compat.all_layers(network):
        count = getattr(layer, "num_classes", num_classes)
        # Only layers of this package: in others the name may mean something else.
        if count != num_classes and type(layer).__module__.startswith("tfgans."):
            raise ValueError(
                f"The {role} must be built for the classes of the model, {num_classes}. Received: "
                f"{network.name!r}, built with num_classes={count}"
            )


def _check_penalty(
    penalty: Penalty | PenaltySum | None, discriminator: keras.Model, *, categorical: bool
) -> None:
    if penalty is None:
        return
    if isinstance(penalty, list | tuple):
        raise ValueError(
            "Several penalties go into one `tfgans.penalties.PenaltySum`. Received: "
            f"{type(penalty).__name__} of {len(penalty)}"
        )
    if not isinstance(penalty, PenaltySum):
        checks.instance("penalty", penalty, Penalty, "tfgans.penalties.GradientPenalty()")
    for term in penalty.terms if isinstance(penalty, PenaltySum) else (penalty,):
        _check_saves_settings("penalty", term)
    refuse_batch_statistics(discriminator)
    if categorical and penalty.fraction < 1:
        raise ValueError(
            "With routing='categorical' a row finds its discriminator by its place in the whole "
            f"batch. Received: a penalty with fraction={penalty.fraction}. Use routing='slices', "
            "or a fraction of 1"
        )


def _check_saves_settings(name: str, part: Objective | Penalty) -> None:
    """Raises ValueError if `get_config`, which lists the fields, misses arguments of `__init__`."""
    for cls in type(part).__mro__:
        if "get_config" in vars(cls) or "__dataclass_fields__" in vars(cls):
            return
        if "__init__" in vars(cls):
            raise ValueError(
                f"The settings of `{name}` must be the fields of a frozen dataclass, so that they "
                f"are saved. Received: {type(part).__name__} with an `__init__`. Decorate "
                f"{cls.__name__} with `@dataclasses.dataclass(frozen=True)`, or define `get_config`"
            )


def _check_noise(instance_noise: InstanceNoise | None, objective: Objective) -> None:
    if instance_noise is None:
        return
    checks.instance(
        "instance_noise", instance_noise, InstanceNoise, "tfgans.layers.InstanceNoise(0.1, ...)"
    )
    if instance_noise.is_adaptive and objective.decision_threshold is None:
        raise ValueError(
            "Adaptive instance noise follows the discriminator's accuracy, which needs an "
            f"objective with a decision threshold. Received: {objective}. Use another schedule"
        )


def check_augmentation_and_regularizers(
    augmentation: Augmentation | None,
    regularizers: Sequence[Regularizer],
    objective: Objective,
    discriminator: DiscriminatorPlayer,
    *,
    trains_generator: bool,
) -> None:
    """Raises ValueError unless augmentation and regularizers work with the game and its data."""
    shape = shapes.input_shape(discriminator.network, "discriminator")
    if augmentation is not None:
        example = 'tfgans.augmentation.DiffAugment("color,translation,cutout")'
        checks.instance("augmentation", augmentation, Augmentation, example)
        augmentation.check_shape(shape)
        if augmentation.is_adaptive and objective.decision_threshold is None:
            raise ValueError(
                "An adaptive augmentation follows the sign of the logits on real images, which "
                f"needs an objective with a decision threshold. Received: {objective}. Use "
                "another objective, `target=None` with a fixed `initial_p`, or `DiffAugment`"
            )
    if isinstance(regularizers, Regularizer) or not isinstance(regularizers, Sequence):
        raise ValueError(
            "`regularizers` must be a list, say `[tfgans.regularizers.LeCam()]`. Received: "
            f"{checks.short(regularizers)}"
        )
    names: list[str] = []
    for regularizer in regularizers:
        checks.instance("regularizers", regularizer, Regularizer, "tfgans.regularizers.LeCam()")
        regularizer.check(shape, trains_generator=trains_generator)
        names += regularizer.log_names
    if len(set(names)) < len(names):
        kinds = [type(regularizer).__name__ for regularizer in regularizers]
        raise ValueError(
            f"`regularizers` may hold one of each kind. Received: {', '.join(kinds)}. Leave one out"
        )
